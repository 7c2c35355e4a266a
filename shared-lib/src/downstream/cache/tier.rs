//! The second tier of a downstream's cache: Redis, shared by all replicas.
//!
//! It spares the downstream the first call of each replica, which is what counts after a deploy and with many replicas.
//! Only answers to calls without credentials go there: private data stays in the process that asked for it. It holds an
//! answer for as long as it is fresh, under the same key as the first tier.
//!
//! A Redis that is away costs a call its short time-out until the tier's own circuit breaker opens, and then nothing: the
//! cache goes on with its first tier.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use redis::{
    AsyncCommands, Client, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use serde::{Deserialize, Serialize};

use super::super::coalesce::CallKey;
use crate::{
    circuit_breaker::{CircuitBreaker, CircuitBreakerSettings, Outcome},
    clock::Clock,
    settings::Secret,
};

/// The longest that a look-up or a write may take. A call to the downstream is the alternative, so it is short.
const TIMEOUT: Duration = Duration::from_millis(50);

/// The shared tier of one downstream.
#[derive(Clone)]
pub(in crate::downstream) struct SharedTier {
    connection: ConnectionManager,
    breaker: CircuitBreaker,
    prefix: String,
    fresh: Duration,
}

/// An answer as it is kept: this head as JSON, a line feed, and the body.
#[derive(Serialize, Deserialize)]
struct Head {
    stored_at: Timestamp,
    etag: Option<String>,
}

/// An answer from the tier.
pub(in crate::downstream) struct Kept {
    /// When a replica got it from the downstream.
    pub(in crate::downstream) stored_at: Timestamp,
    /// Its entity tag.
    pub(in crate::downstream) etag: Option<String>,
    /// Its body.
    pub(in crate::downstream) body: Bytes,
}

impl SharedTier {
    /// Nothing is connected before the first look-up.
    pub(in crate::downstream) fn new(
        downstream: &str,
        url: &Secret,
        fresh: Duration,
        clock: Clock,
    ) -> Result<Self, RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(Client::open(url.expose())?, config)?;
        let settings = CircuitBreakerSettings { wait_in_open_ms: 1_000, ..CircuitBreakerSettings::default() };
        let breaker = CircuitBreaker::new(&format!("{downstream}.cache"), settings, clock);
        Ok(Self { connection, breaker, prefix: format!("trifront:cache:{downstream}:"), fresh })
    }

    /// The answer of this key, if a replica has left one and Redis says so in time.
    pub(in crate::downstream) async fn get(&self, key: &CallKey) -> Option<Kept> {
        let mut connection = self.connection.clone();
        let kept: Option<Vec<u8>> = self.ask(connection.get(self.name(key))).await?;
        let kept = Bytes::from(kept?);
        let end = kept.iter().position(|byte| *byte == b'\n')?;
        let head: Head = serde_json::from_slice(&kept[..end]).ok()?;
        Some(Kept { stored_at: head.stored_at, etag: head.etag, body: kept.slice(end + 1..) })
    }

    /// Leaves an answer for the other replicas.
    pub(in crate::downstream) async fn put(&self, key: &CallKey, kept: Kept) {
        let Ok(mut value) = serde_json::to_vec(&Head { stored_at: kept.stored_at, etag: kept.etag }) else { return };
        value.push(b'\n');
        value.extend_from_slice(&kept.body);
        let life = u64::try_from(self.fresh.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut connection = self.connection.clone();
        let _: Option<()> = self.ask(connection.pset_ex(self.name(key), value, life)).await;
    }

    async fn ask<T>(&self, call: impl Future<Output = Result<T, RedisError>>) -> Option<T> {
        let permit = self.breaker.try_acquire().ok()?;
        let failure = match tokio::time::timeout(TIMEOUT * 2, call).await {
            Ok(Ok(value)) => {
                permit.record(Outcome::Success);
                return Some(value);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "time-out".to_owned(),
        };
        permit.record(Outcome::Failure);
        tracing::debug!(breaker = self.breaker.name(), failure, "the shared cache cannot be asked");
        None
    }

    fn name(&self, key: &CallKey) -> String {
        let mut name = self.prefix.clone();
        for byte in key.0 {
            name.push_str(&format!("{byte:02x}"));
        }
        name
    }
}

impl std::fmt::Debug for SharedTier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedTier").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
