//! How many calls of a key may be under way at the same time.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared_lib::rate_limit::{Decision, Measure, PolicyState};

/// The name in headers and problems.
const NAME: &str = "concurrency";

/// The calls of a plan's keys that are under way. What is remembered is bounded by the calls themselves.
pub(super) struct Concurrency {
    max: NonZeroU32,
    under_way: Arc<Mutex<HashMap<String, u32>>>,
}

/// A call's place. Dropping it, however the call ends, gives it back.
pub struct Place {
    key: String,
    left: u32,
    max: NonZeroU32,
    under_way: Arc<Mutex<HashMap<String, u32>>>,
}

impl Concurrency {
    pub(super) fn new(max: NonZeroU32) -> Self {
        Self { max, under_way: Arc::default() }
    }

    /// Takes a place, or says that there is none.
    pub(super) fn take(&self, key: &str) -> Result<Place, Decision> {
        let mut under_way = lock(&self.under_way);
        let count = under_way.entry(key.to_owned()).or_insert(0);
        if *count >= self.max.get() {
            return Err(decision(self.max, 0, true));
        }
        *count += 1;
        let left = self.max.get() - *count;
        Ok(Place { key: key.to_owned(), left, max: self.max, under_way: Arc::clone(&self.under_way) })
    }
}

impl Place {
    /// What the answer says about it.
    pub(super) fn decision(&self) -> Decision {
        decision(self.max, self.left, false)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = lock(&self.under_way);
        if let Some(count) = under_way.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                under_way.remove(&self.key);
            }
        }
    }
}

fn lock(under_way: &Mutex<HashMap<String, u32>>) -> MutexGuard<'_, HashMap<String, u32>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

fn decision(max: NonZeroU32, remaining: u32, violated: bool) -> Decision {
    let reset = std::time::Duration::ZERO;
    let state = PolicyState {
        name: NAME.to_owned(),
        quota: u64::from(max.get()),
        measure: Measure::Concurrent,
        remaining: u64::from(remaining),
        reset,
        violated,
    };
    Decision { states: vec![state], ..Decision::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: P3, P5
    #[test]
    fn places_are_per_key_come_back_and_are_forgotten() {
        let concurrency = Concurrency::new(NonZeroU32::new(2).expect("not zero"));
        let first = concurrency.take("a").expect("a place");
        let second = concurrency.take("a").expect("a place");
        assert_eq!((first.left, second.left), (1, 0));
        let refused = concurrency.take("a").err().expect("no place");
        assert_eq!(refused.violated(), ["concurrency"]);
        assert!(concurrency.take("b").is_ok());
        drop(first);
        assert!(concurrency.take("a").is_ok());
        drop(second);
        assert!(lock(&concurrency.under_way).is_empty());
    }
}
