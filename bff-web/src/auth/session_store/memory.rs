//! Sessions in the memory of this process: for development, for tests, and for one replica that may forget.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, FutureExt, ready};
use jiff::Timestamp;
use shared_lib::clock::Clock;

use super::{Ends, Fields, SessionId, SessionRecords, StoreError};

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
    records: HashMap<SessionId, Record>,
    /// The same sessions by when they end, the first one first.
    by_end: BTreeSet<(Instant, SessionId)>,
}

struct Record {
    fields: Fields,
    idle_end: Instant,
    absolute_end: Instant,
}

impl Record {
    fn end(&self) -> Instant {
        self.idle_end.min(self.absolute_end)
    }
}

impl Inner {
    fn live(&mut self, id: &SessionId, now: Instant) -> Option<&mut Record> {
        self.records.get_mut(id).filter(|record| now < record.end())
    }

    fn remove(&mut self, id: &SessionId) {
        if let Some(record) = self.records.remove(id) {
            self.by_end.remove(&(record.end(), *id));
        }
    }

    fn remove_first_to_end(&mut self) {
        if let Some((_, id)) = self.by_end.pop_first() {
            self.records.remove(&id);
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

    fn wall(&self, moment: Instant, now: Instant) -> Timestamp {
        let left = moment.saturating_duration_since(now);
        self.clock.wall().checked_add(left).unwrap_or(Timestamp::MAX)
    }
}

impl SessionRecords for MemoryRecords {
    fn load<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Result<Option<(Fields, Ends)>, StoreError>> {
        let now = self.clock.now();
        let mut inner = self.lock();
        let loaded = inner.live(id, now).map(|record| {
            let ends = Ends { idle: self.wall(record.idle_end, now), absolute: self.wall(record.absolute_end, now) };
            (record.fields.clone(), ends)
        });
        ready(Ok(loaded)).boxed()
    }

    fn create(&self, id: SessionId, fields: Fields) -> BoxFuture<'_, Result<(), StoreError>> {
        let now = self.clock.now();
        let mut inner = self.lock();
        inner.remove_ended(now);
        while inner.records.len() >= self.max {
            inner.remove_first_to_end();
        }
        let record = Record { fields, idle_end: now + self.idle_timeout, absolute_end: now + self.absolute_timeout };
        inner.by_end.insert((record.end(), id));
        inner.records.insert(id, record);
        ready(Ok(())).boxed()
    }

    fn write<'a>(&'a self, id: &'a SessionId, fields: Fields) -> BoxFuture<'a, Result<bool, StoreError>> {
        let mut inner = self.lock();
        let written = inner.live(id, self.clock.now()).map(|record| record.fields.extend(fields)).is_some();
        ready(Ok(written)).boxed()
    }

    fn prolong<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Result<(), StoreError>> {
        let now = self.clock.now();
        let mut inner = self.lock();
        let moved = inner.live(id, now).map(|record| {
            let old = record.end();
            record.idle_end = now + self.idle_timeout;
            (old, record.end())
        });
        if let Some((old, new)) = moved {
            inner.by_end.remove(&(old, *id));
            inner.by_end.insert((new, *id));
        }
        ready(Ok(())).boxed()
    }

    fn delete<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Result<(), StoreError>> {
        self.lock().remove(id);
        ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn id(number: u8) -> SessionId {
        SessionId([number; 32])
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
        records.create(id(1), fields("a")).await.expect("memory is there");
        records.create(id(2), fields("b")).await.expect("memory is there");
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
        records.create(id(1), fields("a")).await.expect("memory is there");
        assert!(records.write(&id(1), fields("b")).await.expect("memory is there"));
        records.delete(&id(1)).await.expect("memory is there");
        assert!(!records.write(&id(1), fields("c")).await.expect("memory is there"));
        assert!(!is_live(&records, 1).await);
    }

    #[actix_web::test]
    async fn beyond_the_bound_the_session_that_would_end_first_gives_way() {
        let (clock, hand) = Clock::manual();
        let records = MemoryRecords::new(clock, MINUTE, 10 * MINUTE, 2);
        for number in 1..=3 {
            records.create(id(number), fields("a")).await.expect("memory is there");
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
        assert_eq!((inner.records.len(), inner.by_end.len()), (2, 2));
    }

    #[actix_web::test]
    async fn sessions_that_have_ended_take_no_room() {
        let (clock, hand) = Clock::manual();
        let records = MemoryRecords::new(clock, MINUTE, MINUTE, 1000);
        for number in 0..100 {
            records.create(id(number), fields("a")).await.expect("memory is there");
            hand.advance(MINUTE);
        }
        assert_eq!(records.lock().records.len(), 1);
    }
}
