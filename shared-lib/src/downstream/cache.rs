//! A cache of parsed answers, one a downstream, bounded by bytes.
//!
//! Entries are kept under the same key that calls are coalesced by ([`CallKey`](super::coalesce::CallKey)), so an answer
//! can only be given again to a request that the downstream could not tell from the first one: private data is private
//! by construction. What is kept is the parsed value, so a hit costs no parsing.
//!
//! The life of an entry, in the terms of RFC 5861:
//! ```text
//! stored      fresh_ms             + stale_while_revalidate_ms
//!   |-- fresh ---|-- given at once, and asked for anew --|
//!                |-- asked for first; given if that fails --------------|
//!                                                       + stale_if_error_ms
//! ```
//! An entry that came with an entity tag is asked for with `If-None-Match`; a 304 gives it a new life.
//!
//! Behind it there can be a second tier that all replicas share; see `tier`.

mod tier;

use std::{
    any::Any,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use moka::sync::Cache;
use serde::Deserialize;

use super::coalesce::CallKey;
pub(super) use tier::{Kept, SharedTier};

use crate::{
    clock::Clock,
    settings::{Findings, Secret},
};

/// The settings of `[downstreams.<name>.cache]`. Only calls that ask for it are cached.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// The memory that the entries may take, in bytes, estimated from the size of the bodies; 0 turns the cache off.
    pub max_bytes: u64,
    /// How long an entry is given without asking, in milliseconds.
    pub fresh_ms: u64,
    /// How long after that it is still given at once while it is asked for anew, in milliseconds.
    pub stale_while_revalidate_ms: u64,
    /// How long after it was fresh it is given when the downstream fails, in milliseconds.
    pub stale_if_error_ms: u64,
    /// A Redis that all replicas share fresh answers through, such as `redis://redis:6379/1`; absent: none. Only answers
    /// to calls without credentials go there. Secret.
    pub shared_url: Option<Secret>,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            max_bytes: 16 * 1024 * 1024,
            fresh_ms: 5_000,
            stale_while_revalidate_ms: 30_000,
            stale_if_error_ms: 600_000,
            shared_url: None,
        }
    }
}

impl CacheSettings {
    /// Checks what types cannot.
    pub fn audit(&self, path: &str, findings: &mut Findings) {
        let week = Duration::from_secs(7 * 24 * 3600).as_millis() as u64;
        for (name, value) in [
            ("fresh_ms", self.fresh_ms),
            ("stale_while_revalidate_ms", self.stale_while_revalidate_ms),
            ("stale_if_error_ms", self.stale_if_error_ms),
        ] {
            findings.require(value <= week, format!("{path}.{name}"), format!("must be from 0 to {week}"));
        }
        let is_redis = |url: &Secret| redis::Client::open(url.expose()).is_ok();
        let key = format!("{path}.shared_url");
        findings.require(self.shared_url.as_ref().is_none_or(is_redis), key, "must be like redis://redis:6379/1");
    }
}

/// What is remembered of an answer.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) value: Arc<dyn Any + Send + Sync>,
    pub(super) as_of: Timestamp,
    /// The entity tag, for asking whether it still holds.
    pub(super) etag: Option<String>,
    /// Whose data it is, for invalidation.
    subject: Option<Arc<str>>,
    stored: Instant,
    bytes: u32,
}

/// What the cache knows of a call.
pub(super) enum Look {
    /// Give this.
    Fresh(Arc<Entry>),
    /// Give this, and ask anew.
    Revalidate(Arc<Entry>),
    /// Ask; give this if the downstream fails.
    IfError(Arc<Entry>),
    /// Ask.
    Nothing,
}

/// The cache of one downstream, shared by all workers.
#[derive(Debug, Clone)]
pub(super) struct ResponseCache {
    entries: Cache<CallKey, Arc<Entry>>,
    settings: CacheSettings,
    clock: Clock,
    epochs: Arc<Epochs>,
    /// The tier that all replicas share.
    pub(super) shared: Option<SharedTier>,
}

/// How often subjects were forgotten, in a fixed number of counters: subjects that share one forget each other's answers
/// too, which costs a call and no more.
#[derive(Debug)]
struct Epochs {
    counters: [AtomicU64; 256],
    hasher: RandomState,
}

impl Default for Epochs {
    fn default() -> Self {
        Self { counters: [const { AtomicU64::new(0) }; 256], hasher: RandomState::new() }
    }
}

impl Epochs {
    fn of(&self, subject: &str) -> &AtomicU64 {
        &self.counters[(self.hasher.hash_one(subject) % 256) as usize]
    }
}

/// What an entry costs beside its body: key, bookkeeping, and the parsed value's overhead.
const ENTRY_OVERHEAD_BYTES: u32 = 512;

impl ResponseCache {
    /// The cache of the downstream of this name.
    pub(super) fn new(downstream: &str, settings: &CacheSettings, clock: Clock) -> Self {
        let life = settings.fresh_ms + settings.stale_while_revalidate_ms.max(settings.stale_if_error_ms);
        let entries = Cache::builder()
            .max_capacity(settings.max_bytes)
            .weigher(|_, entry: &Arc<Entry>| entry.bytes)
            // Frees memory; whether an entry may be given is decided by `look`, on the injected clock.
            .time_to_live(Duration::from_millis(life.max(1)))
            .support_invalidation_closures()
            .build();
        let fresh = Duration::from_millis(settings.fresh_ms);
        let shared = settings.shared_url.as_ref().filter(|_| settings.max_bytes > 0);
        // The audit has refused an address that cannot be one.
        let shared = shared.and_then(|url| SharedTier::new(downstream, url, fresh, clock.clone()).ok());
        Self { entries, settings: settings.clone(), clock, epochs: Arc::default(), shared }
    }

    pub(super) fn look(&self, key: &CallKey) -> Look {
        let Some(entry) = self.entries.get(key) else { return Look::Nothing };
        let age = self.clock.now().saturating_duration_since(entry.stored).as_millis();
        let fresh = u128::from(self.settings.fresh_ms);
        if age < fresh {
            Look::Fresh(entry)
        } else if age < fresh + u128::from(self.settings.stale_while_revalidate_ms) {
            Look::Revalidate(entry)
        } else if age < fresh + u128::from(self.settings.stale_if_error_ms) {
            Look::IfError(entry)
        } else {
            Look::Nothing
        }
    }

    pub(super) fn store(
        &self,
        key: CallKey,
        value: Arc<dyn Any + Send + Sync>,
        etag: Option<String>,
        subject: Option<&str>,
        body_bytes: usize,
        stored_at: Timestamp,
    ) {
        let wall = self.clock.wall();
        // Another replica's clock may be ahead of ours; such an answer counts as new.
        let age = Duration::try_from(wall.duration_since(stored_at)).unwrap_or_default();
        let now = self.clock.now();
        let bytes = u32::try_from(body_bytes).unwrap_or(u32::MAX).saturating_add(ENTRY_OVERHEAD_BYTES);
        let entry = Entry {
            value,
            as_of: stored_at.min(wall),
            etag,
            subject: subject.map(Arc::from),
            stored: now.checked_sub(age).unwrap_or(now),
            bytes,
        };
        self.entries.insert(key, Arc::new(entry));
    }

    /// Gives an entry a new life after the downstream said that it still holds.
    pub(super) fn renew(&self, key: CallKey, entry: &Entry) {
        let renewed = Entry {
            value: Arc::clone(&entry.value),
            as_of: self.clock.wall(),
            etag: entry.etag.clone(),
            subject: entry.subject.clone(),
            stored: self.clock.now(),
            bytes: entry.bytes,
        };
        self.entries.insert(key, Arc::new(renewed));
    }

    /// Part of the key of everything that is fetched for this subject; another one after each
    /// [`forget_subject`](Self::forget_subject).
    pub(super) fn epoch(&self, subject: &str) -> u64 {
        self.epochs.of(subject).load(Ordering::Acquire)
    }

    /// How many answers there are, and the bytes that they take.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.entries.entry_count(), self.entries.weighted_size())
    }

    /// Forgets everything that was fetched for this subject, and what is on its way: calls that begin from now on share
    /// nothing with calls that began before.
    pub(super) fn forget_subject(&self, subject: &str) {
        // This is what forgets; the rest gives the memory back early.
        self.epochs.of(subject).fetch_add(1, Ordering::AcqRel);
        let subject: Arc<str> = Arc::from(subject);
        let theirs = move |_: &CallKey, entry: &Arc<Entry>| entry.subject.as_ref() == Some(&subject);
        if let Err(error) = self.entries.invalidate_entries_if(theirs) {
            // Only possible without `support_invalidation_closures`; forgetting too much is the safe side.
            tracing::warn!(%error, "a cache had to be emptied");
            self.entries.invalidate_all();
        }
    }
}
