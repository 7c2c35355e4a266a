//! What a request's key is worth, from memory as long as that is young enough.
//!
//! Two ages matter. Up to `fresh` an answer of the store is believed without asking again: that long a revocation may
//! take to be felt. After that the store is asked; while it is away, what it said last is believed up to `keep`, and
//! then nothing is. A key that is not known yet cannot be let in without the store.
//!
//! Requests with the same key wait for one reading, and a store that has just failed is left alone for a moment.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use moka::sync::Cache;
use shared_lib::clock::Clock;
use tokio::sync::Mutex;

use super::{
    format::{KeyFormat, PresentedKey},
    record::KeyRecord,
    store::{KeyStore, StoreError},
};

/// How long a store that failed is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The ages, and how much is remembered.
#[derive(Debug, Clone, Copy)]
pub struct RingSettings {
    /// How long an answer is believed without asking again.
    pub fresh: Duration,
    /// How long it is believed while the store is away.
    pub keep: Duration,
    /// How many keys are remembered.
    pub max_keys: u64,
}

/// Why a key is not let in.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// It is not a key in force; why is nobody's business.
    #[error("the key is not valid")]
    Refused,
    /// It cannot be said.
    #[error("the key cannot be checked")]
    Unavailable(#[source] Arc<StoreError>),
}

/// The keys of a process. Cheap to clone; crosses threads.
#[derive(Clone)]
pub struct KeyRing {
    format: KeyFormat,
    store: KeyStore,
    settings: RingSettings,
    slots: Cache<String, Arc<Mutex<Slot>>>,
    clock: Clock,
}

/// What is remembered of one id.
#[derive(Default)]
struct Slot {
    known: Option<Known>,
    failed_at: Option<(Instant, Arc<StoreError>)>,
}

#[derive(Clone)]
struct Known {
    /// None: there is no such key.
    record: Option<Arc<KeyRecord>>,
    at: Instant,
}

impl KeyRing {
    /// A ring over this store.
    #[must_use]
    pub fn new(format: KeyFormat, store: KeyStore, settings: RingSettings, clock: Clock) -> Self {
        let slots = Cache::new(settings.max_keys);
        Self { format, store, settings, slots, clock }
    }

    /// The record of a key that is in force.
    ///
    /// # Errors
    /// [`RingError`]. A key that is not ours is refused at the cost of one HMAC, without asking anything.
    pub async fn check(&self, key: &str) -> Result<Arc<KeyRecord>, RingError> {
        let presented = self.format.read(key).ok_or(RingError::Refused)?;
        let record = self.record(&presented).await?;
        let now: Timestamp = self.clock.wall();
        match (KeyRecord::accepts(record.as_deref(), &presented, now), record) {
            (true, Some(record)) => Ok(record),
            _ => Err(RingError::Refused),
        }
    }

    async fn record(&self, presented: &PresentedKey) -> Result<Option<Arc<KeyRecord>>, RingError> {
        let slot = self.slots.get_with_by_ref(&presented.id, Arc::default);
        let mut slot = slot.lock().await;
        let now = self.clock.now();
        if let Some(known) = slot.younger_than(self.settings.fresh, now) {
            return Ok(known.record);
        }
        let rests = slot.failed_at.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) < AFTER_FAILURE);
        let failure = match rests {
            Some((_, error)) => Arc::clone(error),
            None => match self.store.find(&presented.id).await {
                Ok(record) => {
                    let record = record.map(Arc::new);
                    *slot = Slot { known: Some(Known { record: record.clone(), at: now }), failed_at: None };
                    return Ok(record);
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the key store is away");
                    let error = Arc::new(error);
                    slot.failed_at = Some((self.clock.now(), Arc::clone(&error)));
                    error
                }
            },
        };
        match slot.younger_than(self.settings.keep, self.clock.now()) {
            Some(known) => Ok(known.record),
            None => Err(RingError::Unavailable(failure)),
        }
    }
}

impl Slot {
    fn younger_than(&self, age: Duration, now: Instant) -> Option<Known> {
        self.known.clone().filter(|known| now.saturating_duration_since(known.at) < age)
    }
}
