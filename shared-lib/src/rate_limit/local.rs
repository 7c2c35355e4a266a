//! The limits of one process.
//!
//! The arithmetic is governor's (GCRA: one time stamp a key and policy). Its own stores charge one policy at a time,
//! so a call that a second policy refuses would already have paid the first. Here all time stamps of a key are copied
//! under one lock, every policy decides on its copy, and only when all have admitted are the copies put back.

use std::{
    cell::Cell,
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hash, Hasher},
    num::NonZeroU32,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter, clock::Clock as GovernorClock, middleware::NoOpMiddleware, nanos::Nanos, state::StateStore,
};

use super::{
    decision::{Decision, PolicyState},
    policy::RatePolicy,
};
use crate::clock::Clock;

const SHARDS: usize = 16;

/// At how many keys a shard first looks for those that it need not remember any more.
const FIRST_SWEEP: usize = 64;

/// Holds every key to the same policies. Share it between workers.
pub struct LocalLimiter {
    rules: Vec<Rule>,
    time: Time,
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    max_keys_per_shard: usize,
}

struct Rule {
    policy: RatePolicy,
    refill: u64,
    limiter: RateLimiter<Stamp, OnTheStamp, Time, NoOpMiddleware<Duration>>,
}

struct Shard {
    stamps: HashMap<Box<str>, Box<[u64]>>,
    /// What keys share that there is no room for.
    shared: Box<[u64]>,
    next_sweep: usize,
}

impl LocalLimiter {
    /// A limiter that remembers at most `max_keys` keys. Keys beyond that share what one key has, so that memory stays
    /// bounded and the promise holds.
    #[must_use]
    pub fn new(policies: Vec<RatePolicy>, max_keys: usize, clock: Clock) -> Self {
        let time = Time { clock, epoch: Arc::default() };
        let rules: Vec<_> = policies.into_iter().map(|policy| Rule::new(policy, &time)).collect();
        time.begin();
        let shard = || {
            let shared = vec![0; rules.len()].into();
            Mutex::new(Shard { stamps: HashMap::new(), shared, next_sweep: FIRST_SWEEP })
        };
        Self {
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
            rules,
            time,
            hasher: RandomState::new(),
            max_keys_per_shard: (max_keys / SHARDS).max(1),
        }
    }

    /// The policies.
    pub fn policies(&self) -> impl Iterator<Item = &RatePolicy> {
        self.rules.iter().map(|rule| &rule.policy)
    }

    /// Charges `cost` units to the key, or nothing where a policy refuses.
    pub fn check(&self, key: &str, cost: NonZeroU32) -> Decision {
        let shard = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        let mut shard = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        // Within the lock: times must not go back from one holder to the next.
        let now = self.time.passed();
        let stamps = shard.stamps_of(key, self.rules.len(), self.max_keys_per_shard, now);
        let asked: Vec<_> =
            self.rules.iter().zip(stamps.iter()).map(|(rule, stamp)| rule.ask(*stamp, cost, now)).collect();
        let admitted = asked.iter().all(|(_, wait)| wait.is_none());
        if admitted {
            stamps.iter_mut().zip(&asked).for_each(|(stamp, (next, _))| *stamp = *next);
        }
        // Read again: the stamps are of a moment after the first reading.
        let now = self.time.passed();
        let states = self.rules.iter().zip(stamps.iter()).zip(&asked);
        Decision { states: states.map(|((rule, stamp), (_, wait))| rule.state(*stamp, now, *wait)).collect() }
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).stamps.len()).sum()
    }
}

impl Rule {
    fn new(policy: RatePolicy, time: &Time) -> Self {
        let refill = policy.refill();
        // A refill is at least a nanosecond.
        let quota = Quota::with_period(refill).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        let limiter = RateLimiter::new(quota.allow_burst(policy.at_once()), OnTheStamp, time.clone());
        Self { refill: nanos(refill), policy, limiter }
    }

    /// The stamp after the call, and how long the call has to wait where it is refused.
    fn ask(&self, stamp: u64, cost: NonZeroU32, now: u64) -> (u64, Option<Duration>) {
        let key = Stamp(Cell::new(stamp));
        match self.limiter.check_key_n(&key, cost) {
            Ok(Ok(())) => (key.0.get(), None),
            Ok(Err(not_until)) => (stamp, Some(not_until.wait_time_from(Duration::from_nanos(now)))),
            // A call that costs more than may come at once never fits; the whole window is the most honest wait.
            Err(_) => (stamp, Some(self.policy.window())),
        }
    }

    fn state(&self, stamp: u64, now: u64, wait: Option<Duration>) -> PolicyState {
        let used = stamp.saturating_sub(now);
        let free = (self.refill * u64::from(self.policy.at_once().get())).saturating_sub(used);
        PolicyState {
            name: self.policy.name().to_owned(),
            quota: self.policy.quota().get(),
            window: Some(self.policy.window()),
            remaining: u32::try_from(free / self.refill).unwrap_or(u32::MAX),
            reset: wait.unwrap_or(Duration::from_nanos(used)),
            violated: wait.is_some(),
        }
    }
}

impl Shard {
    fn stamps_of(&mut self, key: &str, policies: usize, max_keys: usize, now: u64) -> &mut [u64] {
        if !self.stamps.contains_key(key) {
            if self.stamps.len() >= self.next_sweep.min(max_keys) {
                // A stamp that has passed says the same as none.
                self.stamps.retain(|_, stamps| stamps.iter().any(|stamp| *stamp > now));
                self.stamps.shrink_to(FIRST_SWEEP);
                self.next_sweep = (self.stamps.len() * 2).max(FIRST_SWEEP);
            }
            if self.stamps.len() >= max_keys {
                return &mut self.shared;
            }
        }
        self.stamps.entry(key.into()).or_insert_with(|| vec![0; policies].into())
    }
}

/// One stamp, as governor's key: the store below keeps the state in the key itself.
#[derive(Clone, PartialEq, Eq)]
struct Stamp(Cell<u64>);

impl Hash for Stamp {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.get().hash(state);
    }
}

/// Governor's store: it has nothing, because the stamp that it is asked about carries its own state.
struct OnTheStamp;

impl StateStore for OnTheStamp {
    type Key = Stamp;

    fn measure_and_replace<T, F, E>(&self, key: &Stamp, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (outcome, next) = decide(Some(Nanos::new(key.0.get())))?;
        key.0.set(next.as_u64());
        Ok(outcome)
    }
}

/// The time since the limiter began, for governor. It stands at zero until then, so that all rules begin at zero.
#[derive(Clone)]
struct Time {
    clock: Clock,
    epoch: Arc<OnceLock<Instant>>,
}

impl Time {
    fn begin(&self) {
        self.epoch.get_or_init(|| self.clock.now());
    }

    fn passed(&self) -> u64 {
        nanos(GovernorClock::now(self))
    }
}

impl GovernorClock for Time {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.epoch.get().map_or(Duration::ZERO, |epoch| self.clock.now().saturating_duration_since(*epoch))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
