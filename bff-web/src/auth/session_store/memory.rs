//! Sessions in the memory of this process: for development, for tests, and for one replica that may forget.
//!
//! Each call takes a lock for a moment, and every number in it bounds what is kept: sessions by `max`, the rest by
//! their own ends.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::{FutureExt, ready};
use jiff::Timestamp;
use shared_lib::clock::Clock;

use super::{Ends, Fields, Group, Lease, Record, SessionId, SessionRecords, Settled, StoreFuture};
use crate::auth::session_ends::EndReason;

/// At most so many sessions, each of which ends by itself.
pub struct MemoryRecords {
    inner: Mutex<Inner>,
    clock: Clock,
    idle_timeout: Duration,
    absolute_timeout: Duration,
    max: usize,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<SessionId, Entry>,
    /// The same sessions by when they end, the first one first.
    by_end: BTreeSet<(Instant, SessionId)>,
    by_group: HashMap<Group, BTreeSet<SessionId>>,
    /// Claimed names, and until when.
    claims: HashMap<String, Instant>,
}

struct Entry {
    fields: Fields,
    groups: Vec<Group>,
    idle_end: Instant,
    absolute_end: Instant,
    fence: u64,
    lease_end: Option<Instant>,
    intends: bool,
}

impl Entry {
    fn end(&self) -> Instant {
        self.idle_end.min(self.absolute_end)
    }
}

impl Inner {
    fn live(&mut self, id: &SessionId, now: Instant) -> Option<&mut Entry> {
        self.entries.get_mut(id).filter(|entry| now < entry.end())
    }

    fn remove(&mut self, id: &SessionId) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        self.by_end.remove(&(entry.end(), *id));
        for group in &entry.groups {
            if let Some(members) = self.by_group.get_mut(group) {
                members.remove(id);
                if members.is_empty() {
                    self.by_group.remove(group);
                }
            }
        }
        Some(entry)
    }

    fn remove_first_to_end(&mut self) {
        if let Some((_, id)) = self.by_end.first().copied() {
            self.remove(&id);
        }
    }

    fn remove_ended(&mut self, now: Instant) {
        while self.by_end.first().is_some_and(|(end, _)| *end <= now) {
            self.remove_first_to_end();
        }
    }
}

impl MemoryRecords {
    /// An empty store. `max` is 1 or more.
    #[must_use]
    pub fn new(clock: Clock, idle_timeout: Duration, absolute_timeout: Duration, max: usize) -> Self {
        Self { inner: Mutex::default(), clock, idle_timeout, absolute_timeout, max }
    }

    /// No panic happens while it is held, so a poisoned lock holds nothing broken.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, entry: &Entry, now: Instant) -> Record {
        let wall = self.clock.wall();
        let at = |moment: Instant| wall.checked_add(moment.saturating_duration_since(now)).unwrap_or(Timestamp::MAX);
        let ends = Ends { idle: at(entry.idle_end), absolute: at(entry.absolute_end) };
        Record { fields: entry.fields.clone(), ends }
    }

    /// Changes a session that has not ended.
    fn change<T: Send>(&self, id: &SessionId, change: impl FnOnce(&mut Entry, Instant) -> T) -> Option<T> {
        let now = self.clock.now();
        self.lock().live(id, now).map(|entry| change(entry, now))
    }
}

fn done<'a, T: Send + 'a>(value: T) -> StoreFuture<'a, T> {
    ready(Ok(value)).boxed()
}

impl SessionRecords for MemoryRecords {
    fn load<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, Option<Record>> {
        done(self.change(id, |entry, now| self.record(entry, now)))
    }

    fn create(&self, id: SessionId, fields: Fields, groups: Vec<Group>) -> StoreFuture<'_, ()> {
        let now = self.clock.now();
        let mut inner = self.lock();
        inner.remove_ended(now);
        while inner.entries.len() >= self.max {
            inner.remove_first_to_end();
        }
        for group in &groups {
            inner.by_group.entry(group.clone()).or_default().insert(id);
        }
        let (idle_end, absolute_end) = (now + self.idle_timeout, now + self.absolute_timeout);
        let entry = Entry { fields, groups, idle_end, absolute_end, fence: 0, lease_end: None, intends: false };
        inner.by_end.insert((entry.end(), id));
        inner.entries.insert(id, entry);
        done(())
    }

    fn write<'a>(&'a self, id: &'a SessionId, fields: Fields) -> StoreFuture<'a, bool> {
        done(self.change(id, |entry, _| entry.fields.extend(fields)).is_some())
    }

    fn prolong<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, ()> {
        let now = self.clock.now();
        let mut inner = self.lock();
        let moved = inner.live(id, now).map(|entry| {
            let old = entry.end();
            entry.idle_end = now + self.idle_timeout;
            (old, entry.end())
        });
        if let Some((old, new)) = moved {
            inner.by_end.remove(&(old, *id));
            inner.by_end.insert((new, *id));
        }
        done(())
    }

    /// There are no other replicas to tell.
    fn delete<'a>(&'a self, id: &'a SessionId, _reason: EndReason) -> StoreFuture<'a, bool> {
        let now = self.clock.now();
        done(self.lock().remove(id).is_some_and(|entry| now < entry.end()))
    }

    fn members<'a>(&'a self, group: &'a Group) -> StoreFuture<'a, Vec<SessionId>> {
        done(self.lock().by_group.get(group).map(|members| members.iter().copied().collect()).unwrap_or_default())
    }

    fn lease<'a>(&'a self, id: &'a SessionId, lifetime: Duration) -> StoreFuture<'a, Lease> {
        let lease = self.change(id, |entry, now| {
            if entry.lease_end.is_some_and(|end| now < end) {
                return Lease::Held;
            }
            entry.fence += 1;
            entry.lease_end = Some(now + lifetime);
            Lease::Granted { fence: entry.fence, record: self.record(entry, now), unsettled: entry.intends }
        });
        done(lease.unwrap_or(Lease::Ended))
    }

    fn renew_lease<'a>(&'a self, id: &'a SessionId, fence: u64, lifetime: Duration) -> StoreFuture<'a, bool> {
        let renewed = self.change(id, |entry, now| {
            let is_held = entry.fence == fence && entry.lease_end.is_some_and(|end| now < end);
            if is_held {
                entry.lease_end = Some(now + lifetime);
            }
            is_held
        });
        done(renewed.unwrap_or(false))
    }

    fn intend<'a>(&'a self, id: &'a SessionId, fence: u64) -> StoreFuture<'a, bool> {
        let intended = self.change(id, |entry, now| {
            let is_held = entry.fence == fence && entry.lease_end.is_some_and(|end| now < end);
            entry.intends |= is_held;
            is_held
        });
        done(intended.unwrap_or(false))
    }

    fn settle<'a>(&'a self, id: &'a SessionId, fence: u64, fields: Fields) -> StoreFuture<'a, Settled> {
        let settled = self.change(id, |entry, _| {
            if entry.fence != fence {
                return Settled::Fenced;
            }
            entry.fields.extend(fields);
            (entry.intends, entry.lease_end) = (false, None);
            Settled::Kept
        });
        done(settled.unwrap_or(Settled::Ended))
    }

    fn claim<'a>(&'a self, name: &'a str, lifetime: Duration) -> StoreFuture<'a, bool> {
        let now = self.clock.now();
        let mut inner = self.lock();
        inner.claims.retain(|_, end| now < *end);
        done(inner.claims.insert(name.to_owned(), now + lifetime).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn id(number: u8) -> SessionId {
        SessionId::of(&number.to_string())
    }

    fn fields(value: &str) -> Fields {
        Fields::from([("tokens".to_owned(), value.to_owned())])
    }

    async fn is_live(records: &MemoryRecords, number: u8) -> bool {
        records.load(&id(number)).await.expect("memory is there").is_some()
    }

    /// Shows: W6
    #[actix_web::test]
    async fn a_session_ends_when_idle_and_in_any_case_after_its_absolute_time() {
        let (clock, hand) = Clock::manual();
        let records = MemoryRecords::new(clock, 10 * MINUTE, 25 * MINUTE, 10);
        records.create(id(1), fields("a"), Vec::new()).await.expect("memory is there");
        records.create(id(2), fields("b"), Vec::new()).await.expect("memory is there");
        for _ in 0..2 {
            hand.advance(9 * MINUTE);
            records.prolong(&id(1)).await.expect("memory is there");
        }
        assert!(is_live(&records, 1).await, "it was used");
        assert!(!is_live(&records, 2).await, "it was idle");
        records.prolong(&id(2)).await.expect("memory is there");
        assert!(!is_live(&records, 2).await, "what has ended is not prolonged");
        hand.advance(7 * MINUTE);
        assert!(!is_live(&records, 1).await, "its absolute time is over");
    }

    /// Shows: W6
    #[actix_web::test]
    async fn a_write_does_not_bring_an_ended_session_back() {
        let (clock, _hand) = Clock::manual();
        let records = MemoryRecords::new(clock, MINUTE, MINUTE, 10);
        records.create(id(1), fields("a"), Vec::new()).await.expect("memory is there");
        assert!(records.write(&id(1), fields("b")).await.expect("memory is there"));
        records.delete(&id(1), EndReason::SignedOut).await.expect("memory is there");
        assert!(!records.write(&id(1), fields("c")).await.expect("memory is there"));
        assert!(!is_live(&records, 1).await);
    }

    #[actix_web::test]
    async fn beyond_the_bound_the_session_that_would_end_first_gives_way() {
        let (clock, hand) = Clock::manual();
        let records = MemoryRecords::new(clock, MINUTE, 10 * MINUTE, 2);
        for number in 1..=3 {
            records.create(id(number), fields("a"), Vec::new()).await.expect("memory is there");
            hand.advance(Duration::from_secs(1));
            if number == 2 {
                records.prolong(&id(1)).await.expect("memory is there");
            }
        }
        assert_eq!(
            (is_live(&records, 1).await, is_live(&records, 2).await, is_live(&records, 3).await),
            (true, false, true)
        );
        let inner = records.lock();
        assert_eq!((inner.entries.len(), inner.by_end.len()), (2, 2));
    }

    #[actix_web::test]
    async fn sessions_that_have_ended_take_no_room() {
        let (clock, hand) = Clock::manual();
        let records = MemoryRecords::new(clock, MINUTE, MINUTE, 1000);
        for number in 0..100 {
            records.create(id(number), fields("a"), Vec::new()).await.expect("memory is there");
            hand.advance(MINUTE);
        }
        assert_eq!(records.lock().entries.len(), 1);
    }
}
