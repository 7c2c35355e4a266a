//! The connection to Redis: one for all workers, made again when it is lost, and never waited for longer than configured.

use std::{future::Future, time::Duration};

use redis::{
    Client, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use super::super::StoreError;
use crate::settings::{RedisClientError, RedisSettings};

/// Why there is nothing to connect by.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The settings do not say how.
    #[error("[redis]")]
    Settings(#[from] RedisClientError),
    /// The client cannot be made.
    #[error("the client of Redis cannot be made")]
    Manager(#[source] RedisError),
}

/// Redis as this process reaches it. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    manager: ConnectionManager,
    prefix: String,
    timeout: Duration,
}

impl Connection {
    /// As configured. Nothing is sent yet, so a Redis that is away does not stop the start. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub fn new(settings: &RedisSettings) -> Result<Self, ConnectionError> {
        // Said once for the process, because the client of Redis asks no one else. Somebody may have said it before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = settings.client()?;
        // A lost connection is made again by the next call. Attempts are not repeated in between: whoever waits is a
        // request that has better be told.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout()))
            .set_response_timeout(Some(settings.response_timeout()))
            .set_number_of_retries(0);
        let manager =
            ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(ConnectionError::Manager)?;
        let timeout = settings.connect_timeout() + settings.response_timeout();
        // The braces have a cluster keep all keys in one slot.
        Ok(Self { client, manager, prefix: format!("{{{}}}:", settings.key_prefix), timeout })
    }

    /// What every key begins with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where the ends of sessions are told.
    #[must_use]
    pub fn channel(&self) -> String {
        format!("{}session-ends", self.prefix)
    }

    /// For connections that are not shared.
    #[must_use]
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a command that may be sent twice: once more when the connection turns out to be lost, for a Redis that is
    /// back is found only by trying.
    ///
    /// # Errors
    /// [`StoreError`] when Redis is away, or too slow.
    pub async fn run<T, F: Future<Output = Result<T, RedisError>>>(
        &self,
        call: impl Fn(ConnectionManager) -> F,
    ) -> Result<T, StoreError> {
        match self.bounded(call(self.manager.clone())).await {
            Err(error) if error.is_io_error() && !error.is_timeout() => {
                self.bounded(call(self.manager.clone())).await.map_err(away)
            }
            outcome => outcome.map_err(away),
        }
    }

    /// Sends a command that must not be sent twice.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn once<T, F: Future<Output = Result<T, RedisError>>>(
        &self,
        call: impl Fn(ConnectionManager) -> F,
    ) -> Result<T, StoreError> {
        self.bounded(call(self.manager.clone())).await.map_err(away)
    }

    async fn bounded<T>(&self, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
        let late = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        tokio::time::timeout(self.timeout, call).await.map_err(late)?
    }
}

fn away(error: RedisError) -> StoreError {
    StoreError(error.into())
}
