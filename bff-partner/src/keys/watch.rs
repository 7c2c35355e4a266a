//! Hears from PostgreSQL which keys have changed, and tells the ring.
//!
//! A message can be lost, and a connection can be dead without anybody noticing. So this process sends a message to
//! itself at least twice in the time for which the ring believes without a sign. PostgreSQL hands out messages in the
//! order of commits, so when the own one comes, every change that was committed before it was sent has come too; that
//! moment is the sign. Without signs the ring falls back to asking, and each new connection begins a new era, in which
//! nothing is believed that was known before.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use shared_lib::clock::Clock;
use sqlx::postgres::{PgListener, PgNotification};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::ring::KeyRing;
use crate::database::Channel;

/// Where changes are told; the trigger in `migrations/postgresql` knows it too.
const CHANGES: &str = "trifront_partner_keys";

/// The longest that one exchange with the server may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a server that cannot be heard is left alone.
const AFTER_FAILURE: Duration = Duration::from_millis(250);

/// The most often that a message is sent to oneself.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// Hears for as long as one copy of it lives.
#[derive(Clone)]
pub struct KeyWatch {
    _hearing: Arc<AbortOnDropHandle<()>>,
}

/// Why nothing is heard any more.
#[derive(Debug, thiserror::Error)]
enum Silence {
    #[error("the channel failed")]
    Failed(#[from] sqlx::Error),
    #[error("the channel was closed")]
    Closed,
    #[error("the channel did not answer within {PATIENCE:?}")]
    TimedOut,
}

impl KeyWatch {
    /// Tells this ring, which believes for `fresh` without a sign.
    #[must_use]
    pub fn start(ring: KeyRing, channel: Channel, fresh: Duration, clock: Clock) -> Self {
        let interval = (fresh / 2).max(MIN_INTERVAL);
        let ear = Ear { ring, channel, interval, clock, own: format!("trifront_partner_{}", Uuid::new_v4().simple()) };
        Self { _hearing: Arc::new(AbortOnDropHandle::new(tokio::spawn(ear.hear()))) }
    }
}

struct Ear {
    ring: KeyRing,
    channel: Channel,
    interval: Duration,
    clock: Clock,
    /// Where this process sends messages to itself.
    own: String,
}

impl Ear {
    async fn hear(self) {
        let mut said = false;
        loop {
            let mut heard = false;
            let Err(silence) = self.hear_until_silence(&mut heard).await;
            // Once for each time that there was something to hear before.
            if heard || !said {
                let error: &dyn std::error::Error = &silence;
                tracing::warn!(error, "changes of keys are not heard; they are asked for");
                said = true;
            }
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }

    async fn hear_until_silence(&self, heard: &mut bool) -> Result<Infallible, Silence> {
        let mut listener = within(self.channel.listen(&[CHANGES, &self.own])).await?;
        self.ring.begin_era();
        let mut number = 0_u64;
        loop {
            number += 1;
            let (sent, message) = (self.clock.now(), number.to_string());
            let send = sqlx::query("SELECT pg_notify($1, $2)").bind(&self.own).bind(&message);
            within(send.execute(&mut listener)).await?;
            let came_back = async {
                while self.next(&mut listener).await? != Some(message.clone()) {}
                Ok(())
            };
            tokio::time::timeout(PATIENCE, came_back).await.unwrap_or(Err(Silence::TimedOut))?;
            self.ring.confirm(sent);
            if !*heard {
                tracing::info!("changes of keys are heard");
                *heard = true;
            }
            let pause = tokio::time::sleep(self.interval);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    biased;
                    next = self.next(&mut listener) => { next?; }
                    () = &mut pause => break,
                }
            }
        }
    }

    /// Hears one message, and gives it back when it was sent to oneself.
    async fn next(&self, listener: &mut PgListener) -> Result<Option<String>, Silence> {
        let message: PgNotification = listener.try_recv().await?.ok_or(Silence::Closed)?;
        if message.channel() == CHANGES {
            self.ring.changed(message.payload());
            return Ok(None);
        }
        Ok(Some(message.payload().to_owned()))
    }
}

async fn within<T>(exchange: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Silence> {
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(Silence::TimedOut),
    }
}
