//! Asking the store, and how much of it.
//!
//! A store that has just failed is left alone for a moment, whichever key is asked for; then one request tries it again
//! while the others go on without it. Keys that are not remembered are looked up so many times a second at most: only who
//! has the service's own checksum key can make up keys that get here, and even those must not bury the store.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use shared_lib::clock::Clock;

use crate::keys::{
    metrics::{Lookup, count_lookup},
    record::KeyRecord,
    store::{KeyStore, StoreError},
};

/// The length of a window in which look-ups are counted.
const SECOND: Duration = Duration::from_secs(1);

/// How long a store that failed is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Asks the store. Cheap to clone; crosses threads.
#[derive(Clone)]
pub(super) struct Lookups {
    store: KeyStore,
    failure: Arc<Mutex<Option<Failure>>>,
    first: Arc<Mutex<Window>>,
    max_first: u32,
    clock: Clock,
}

/// When the store was asked in vain last, and why in vain.
#[derive(Clone)]
struct Failure {
    at: Instant,
    error: Arc<StoreError>,
}

/// The look-ups of keys that were not remembered, in the second that began then.
#[derive(Default)]
struct Window {
    began: Option<Instant>,
    count: u32,
}

impl Lookups {
    pub(super) fn new(store: KeyStore, max_first: u32, clock: Clock) -> Self {
        Self { store, failure: Arc::default(), first: Arc::default(), max_first, clock }
    }

    /// What the store says of this id; where it has no such key, a record that no key opens.
    pub(super) async fn find(&self, id: &str, is_remembered: bool) -> Result<Arc<KeyRecord>, Arc<StoreError>> {
        if let Some(failure) = self.rests() {
            return Err(failure);
        }
        if !is_remembered && !self.may_look_up() {
            count_lookup(Lookup::OverBudget);
            return Err(Arc::new(StoreError::Busy));
        }
        let found = self.store.find(id).await;
        count_lookup(match &found {
            Ok(Some(_)) => Lookup::Found,
            Ok(None) => Lookup::Unknown,
            Err(_) => Lookup::Failed,
        });
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(record) => {
                *failure = None;
                Ok(record.map_or_else(|| Arc::new(KeyRecord::nobodys(id)), Arc::new))
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the key store is away");
                let error = Arc::new(error);
                // What is wrong with one record says nothing of the others.
                if !matches!(*error, StoreError::Record(_)) {
                    *failure = Some(Failure { at: self.clock.now(), error: Arc::clone(&error) });
                }
                Err(error)
            }
        }
    }

    fn may_look_up(&self) -> bool {
        let now = self.clock.now();
        let mut window = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began.is_none_or(|began| now.saturating_duration_since(began) >= SECOND) {
            *window = Window { began: Some(now), count: 0 };
        }
        window.count = window.count.saturating_add(1);
        window.count <= self.max_first
    }

    /// Why the store is left alone. To nobody when it has been long enough; who is told so tries it, and the others wait
    /// for the outcome.
    fn rests(&self) -> Option<Arc<StoreError>> {
        let now = self.clock.now();
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let last = failure.as_mut()?;
        if now.saturating_duration_since(last.at) < AFTER_FAILURE {
            return Some(Arc::clone(&last.error));
        }
        last.at = now;
        None
    }
}
