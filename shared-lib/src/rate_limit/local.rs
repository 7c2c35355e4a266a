//! The limits of one process.
//!
//! The arithmetic of rates is governor's (GCRA: one time stamp a key and policy). Its own stores charge one policy at a
//! time, so a call that a second policy refuses would already have paid the first. Here all time stamps of a key are
//! copied under one lock, every policy decides on its copy, and only when all have admitted are the copies put back.
//! The counters of quotas stand under a lock of their own, which is taken first and held meanwhile.

mod counters;
mod shard;

use std::{
    cell::Cell,
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hash, Hasher},
    num::NonZeroU32,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter, clock::Clock as GovernorClock, middleware::NoOpMiddleware, nanos::Nanos, state::StateStore,
};

use jiff::Timestamp;

use self::{counters::Counters, shard::Shard};
use super::{
    policy::RatePolicy,
    quota::{Period, QuotaPolicy},
    rules::{Charge, Found, FoundQuota, FoundRate, Rules},
};
use crate::clock::Clock;

const SHARDS: usize = 16;

/// Holds keys to their rules within this process. Share it between workers.
pub(super) struct LocalLimiter {
    clock: Clock,
    epoch: Instant,
    shards: Vec<Mutex<Shard>>,
    counters: Vec<Mutex<Counters>>,
    hasher: RandomState,
}

/// A rate as governor holds it.
pub(super) struct LocalRate {
    policy: RatePolicy,
    /// How far the stamp of a key that has used it up is ahead of the time, in nanoseconds.
    lead: u64,
    limiter: RateLimiter<Stamp, OnTheStamp, Time, NoOpMiddleware<Duration>>,
}

impl LocalLimiter {
    /// A limiter that remembers at most `max_keys` keys. Keys beyond that share what one key has, so that memory stays
    /// bounded and the promise holds.
    pub(super) fn new(max_keys: usize, clock: Clock) -> Self {
        let shards = max_keys.clamp(1, SHARDS);
        let each = (max_keys / shards).max(1);
        Self {
            epoch: clock.now(),
            clock,
            shards: std::iter::repeat_with(|| Mutex::new(Shard::new(each))).take(shards).collect(),
            counters: std::iter::repeat_with(|| Mutex::new(Counters::new(each))).take(shards).collect(),
            hasher: RandomState::new(),
        }
    }

    /// A rate that this limiter can be asked about.
    pub(super) fn rate(&self, policy: RatePolicy) -> LocalRate {
        let time = Time { clock: self.clock.clone(), epoch: Arc::default() };
        // A refill is at least a nanosecond.
        let quota = Quota::with_period(policy.refill()).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        let limiter = RateLimiter::new(quota.allow_burst(policy.at_once()), OnTheStamp, time.clone());
        // Governor counts from the moment at which it is made; all rates count from the same one.
        time.epoch.get_or_init(|| self.epoch);
        let lead = nanos(policy.refill()).saturating_mul(u64::from(policy.at_once().get()));
        LocalRate { policy, lead, limiter }
    }

    /// Charges the call in every rate and quota, or in none where one refuses.
    pub(super) fn charge(&self, rules: &Rules, charge: &Charge<'_>, wall: Timestamp) -> Found {
        let mut counters = lock(&self.counters[self.shard(charge.owner)]);
        let used: Vec<u64> = (rules.quotas.iter().enumerate())
            .map(|(at, quota)| counters.used(charge.owner, quota.period(), wall).max(known(charge, at)))
            .collect();
        let refused: Vec<bool> =
            rules.quotas.iter().zip(&used).map(|(quota, used)| quota.refuses(*used, charge.quota_cost)).collect();
        let quotas_admit = rules.quotas.iter().zip(&refused).all(|(quota, refused)| !refused || quota.is_shadow());

        let mut shard = lock(&self.shards[self.shard(charge.key)]);
        // Within the lock: times must not go back from one holder to the next.
        let now = self.passed();
        let stamps = shard.stamps_of(charge.key, rules.rates.iter().map(|rate| rate.local.lead), now);
        let asked: Vec<_> = rules
            .rates
            .iter()
            .zip(stamps.iter())
            .map(|(rate, stamp)| rate.local.ask(*stamp, charge.cost, now))
            .collect();
        let rates_admit =
            rules.rates.iter().zip(&asked).all(|(rate, (_, wait))| wait.is_none() || rate.policy.is_shadow());
        let admitted = quotas_admit && rates_admit;
        if admitted {
            stamps.iter_mut().zip(&asked).for_each(|(stamp, (next, _))| *stamp = *next);
        }
        // Read again: the stamps are of a moment after the first reading.
        let now = self.passed();
        let rate = |(stamp, (_, wait)): (&u64, &(u64, Option<Duration>))| FoundRate {
            used: Duration::from_nanos(stamp.saturating_sub(now)),
            wait: *wait,
        };
        let rates = stamps.iter().zip(&asked).map(rate).collect();
        drop(shard);

        let quota = |((quota, used), refused): ((&QuotaPolicy, u64), bool)| {
            let used = if admitted { used.saturating_add(u64::from(charge.quota_cost)) } else { used };
            counters.set(charge.owner, quota.period(), wall, used);
            FoundQuota { used, refused }
        };
        let quotas = rules.quotas.iter().zip(used).zip(refused).map(quota).collect();
        Found { admitted, rates, quotas }
    }

    /// Takes over what the other tier counts, so that this one goes on from there.
    pub(super) fn learn(&self, owner: &str, period: Period, at: Timestamp, used: u64) {
        let mut counters = lock(&self.counters[self.shard(owner)]);
        let used = counters.used(owner, period, at).max(used);
        counters.set(owner, period, at, used);
    }

    /// Gives back units that were charged at this moment; those of a period that is over are gone with it.
    pub(super) fn give_back(&self, owner: &str, period: Period, at: Timestamp, units: u32) {
        let mut counters = lock(&self.counters[self.shard(owner)]);
        counters.give_back(owner, period, at, units);
    }

    /// How many keys are remembered, and how many owners.
    pub(super) fn remembered(&self) -> (usize, usize) {
        let keys = self.shards.iter().map(|shard| lock(shard).len()).sum();
        (keys, self.counters.iter().map(|counters| lock(counters).len()).sum())
    }

    fn shard(&self, name: &str) -> usize {
        usize::try_from(self.hasher.hash_one(name) % self.shards.len() as u64).unwrap_or(0)
    }

    fn passed(&self) -> u64 {
        nanos(self.clock.now().saturating_duration_since(self.epoch))
    }
}

/// What a record outside says of the quota at this place.
fn known(charge: &Charge<'_>, at: usize) -> u64 {
    charge.known.get(at).copied().unwrap_or(0)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalRate {
    pub(super) fn policy(&self) -> &RatePolicy {
        &self.policy
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

/// The time since the limiter began, for governor. It stands at zero until it is told when that was.
#[derive(Clone)]
struct Time {
    clock: Clock,
    epoch: Arc<OnceLock<Instant>>,
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
