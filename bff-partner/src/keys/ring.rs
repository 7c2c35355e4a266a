//! What a request's key is worth, from memory as long as that can be relied on.
//!
//! What the store said of a key is believed while it is *fresh*: read, or confirmed by a [`sign`](KeyRing::confirm) that
//! no change was missed, less than `fresh` ago. So a revocation is felt as soon as it is [heard of](KeyRing::changed),
//! and within `fresh` where nothing can be heard. What is no longer fresh is asked for anew; while the store is away, it
//! is believed up to `keep`, and then nothing is. A key that is not known yet cannot be let in without the store, and one
//! of which a change was heard counts as not known.
//!
//! A key that the store does not have is remembered like one that it has, and checked by the same steps.

mod lookups;
mod signs;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use moka::sync::Cache;
use shared_lib::clock::Clock;
use tokio::sync::Mutex;

use self::{lookups::Lookups, signs::Signs};
use super::{
    format::{KeyFormat, PresentedKey},
    metrics::{Refusal, count_refusal},
    record::KeyRecord,
    store::{KeyStore, StoreError},
};

/// The ages, and how much is remembered.
#[derive(Debug, Clone, Copy)]
pub struct RingSettings {
    /// How long an answer is believed without asking again or a sign.
    pub fresh: Duration,
    /// How long it is believed while the store is away.
    pub keep: Duration,
    /// How many keys are remembered.
    pub max_keys: u64,
    /// How many keys that are not remembered are looked up in a second.
    pub max_first_lookups: u32,
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
    lookups: Lookups,
    settings: RingSettings,
    slots: Cache<String, Arc<Slot>>,
    signs: Signs,
    clock: Clock,
}

/// What is remembered of one id.
#[derive(Default)]
struct Slot {
    /// How many changes were heard of. What was read before the last one counts no more.
    changes: AtomicU64,
    known: Mutex<Option<Known>>,
}

/// What the store said.
#[derive(Clone)]
struct Known {
    record: Arc<KeyRecord>,
    /// When it was asked.
    at: Instant,
    /// The slot's changes and the era of that moment.
    changes: u64,
    era: u64,
}

impl KeyRing {
    /// A ring over this store.
    #[must_use]
    pub fn new(format: KeyFormat, store: KeyStore, settings: RingSettings, clock: Clock) -> Self {
        let lookups = Lookups::new(store, settings.max_first_lookups, clock.clone());
        Self { format, lookups, settings, slots: Cache::new(settings.max_keys), signs: Signs::default(), clock }
    }

    /// The record of a key that is in force.
    ///
    /// # Errors
    /// [`RingError`]. A key that is not ours is refused at the cost of one HMAC, without asking anything.
    pub async fn check(&self, key: &str) -> Result<Arc<KeyRecord>, RingError> {
        let Some(presented) = self.format.read(key) else {
            count_refusal(Refusal::MadeUp);
            return Err(RingError::Refused);
        };
        let record = self.record(&presented).await?;
        let now: Timestamp = self.clock.wall();
        if record.accepts(&presented, now) {
            Ok(record)
        } else {
            count_refusal(Refusal::NotInForce);
            Err(RingError::Refused)
        }
    }

    /// A change of this key was heard of: whatever is known of it counts no more.
    pub fn changed(&self, id: &str) {
        if let Some(slot) = self.slots.get(id) {
            slot.changes.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// From now on changes are heard of, and some before may have been missed: everything is asked for anew.
    pub fn begin_era(&self) {
        self.signs.begin_era();
    }

    /// Every change that was made before this moment, in this era, has been heard of.
    pub fn confirm(&self, moment: Instant) {
        self.signs.confirm(moment);
    }

    async fn record(&self, presented: &PresentedKey) -> Result<Arc<KeyRecord>, RingError> {
        let slot = self.slots.get_with_by_ref(&presented.id, Arc::default);
        // Requests with the same key wait for one reading.
        let mut known = slot.known.lock().await;
        let (now, era, changes) = (self.clock.now(), self.signs.era(), slot.changes.load(Ordering::SeqCst));
        if known.as_ref().is_some_and(|known| known.changes != changes) {
            *known = None;
        }
        if let Some(known) =
            known.as_ref().filter(|known| known.era == era && self.is_younger(known, self.settings.fresh))
        {
            return Ok(Arc::clone(&known.record));
        }
        match self.lookups.find(&presented.id, known.is_some()).await {
            Ok(record) => {
                *known = Some(Known { record: Arc::clone(&record), at: now, changes, era });
                Ok(record)
            }
            Err(failure) => {
                // A change may have been heard of while the store was asked.
                let kept = known.as_ref().filter(|known| known.changes == slot.changes.load(Ordering::SeqCst));
                match kept.filter(|known| self.is_younger(known, self.settings.keep)) {
                    Some(known) => Ok(Arc::clone(&known.record)),
                    None => Err(RingError::Unavailable(failure)),
                }
            }
        }
    }

    /// Whether what is known was read, or confirmed, less than this long ago.
    fn is_younger(&self, known: &Known, age: Duration) -> bool {
        let last = self.signs.confirmed(known.era).map_or(known.at, |sign| sign.max(known.at));
        self.clock.now().saturating_duration_since(last) < age
    }
}

#[cfg(test)]
mod tests;
