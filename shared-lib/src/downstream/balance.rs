//! Which instance of a downstream gets the next attempt.
//!
//! # Power of two choices
//! Round robin gives a slow instance as much as a fast one, and least-loaded over all makes every client pick the same one
//! at the same time. Two instances drawn at random, of which the less loaded is taken, avoids both (Mitzenmacher, "The
//! Power of Two Choices in Randomized Load Balancing", 2001). The load of an instance is
//! `latency * (calls in flight + 1)`: roughly the time that one more call would wait. The latency is a peak-sensitive
//! moving average (`ewma`), as in Finagle and linkerd: it jumps up at once and comes down slowly.
//!
//! # Slow start
//! A new instance has cold caches and no compiled code, and looks idle: it would be buried. While it is new (and after
//! each ejection) it yields to the other choice, at first nine times in ten, then linearly less often. Instances that are
//! all equally new do not yield to each other, so a start of the whole process is not slowed.
//!
//! # Outlier ejection and panic
//! An instance that fails while the others do well is left out for a while (`outlier`). When too many are out, it is not
//! the instances: then ejection is ignored and everything is tried again (Envoy's panic threshold). Ejection is about one
//! instance among several; the downstream as a whole is the circuit breaker's business.
//!
//! # What stays when names resolve anew
//! [`Balancer::replace`] takes the new set. Whoever is in both keeps its latency, its calls in flight and its record; who
//! is gone is forgotten, and leases on it come back to nobody.
//!
//! One balancer is shared by all workers of a process, so that what one learns of an instance serves all. It is one short
//! lock per pick and per result; `pool` behind it is pure, with time and randomness passed in.

mod ewma;
mod outlier;
mod pool;
mod settings;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::Serialize;

use crate::circuit_breaker::Outcome;
use crate::clock::Clock;
use outlier::Ejection;
use pool::Pool;
pub use settings::{BalanceSettings, OutlierSettings};

/// Picks instances of one downstream. Clones are the same balancer.
#[derive(Clone)]
pub struct Balancer {
    shared: Arc<Shared>,
}

struct Shared {
    name: Arc<str>,
    clock: Clock,
    inner: Mutex<Inner>,
}

struct Inner {
    pool: Pool,
    rng: SmallRng,
}

impl Balancer {
    /// A balancer over `addresses` (any text that names an instance, such as its base address) for the downstream `name`.
    #[must_use]
    pub fn new(name: &str, settings: &BalanceSettings, addresses: &[Arc<str>], clock: Clock) -> Self {
        Self::with_seed(name, settings, addresses, clock, rand::random())
    }

    /// As [`Self::new`], with choices that are the same for the same `seed`.
    #[must_use]
    pub fn with_seed(name: &str, settings: &BalanceSettings, addresses: &[Arc<str>], clock: Clock, seed: u64) -> Self {
        let inner =
            Mutex::new(Inner { pool: Pool::new(settings, addresses, clock.now()), rng: SmallRng::seed_from_u64(seed) });
        Self { shared: Arc::new(Shared { name: Arc::from(name), clock, inner }) }
    }

    /// The instance for the next attempt; nothing only when there are no instances.
    #[must_use]
    pub fn pick(&self) -> Option<Lease> {
        self.pick_for(None)
    }

    /// As [`Self::pick`], but another instance than `address` if there is one: for the retry of what failed there.
    #[must_use]
    pub fn pick_avoiding(&self, address: &str) -> Option<Lease> {
        self.pick_for(Some(address))
    }

    fn pick_for(&self, avoid: Option<&str>) -> Option<Lease> {
        let now = self.shared.clock.now();
        let mut inner = self.shared.lock();
        let Inner { pool, rng } = &mut *inner;
        let picked = pool.pick(avoid, now, rng);
        self.shared.release(inner);
        picked.map(|(id, address)| Lease {
            shared: Arc::clone(&self.shared),
            id,
            address,
            started: now,
            settled: false,
        })
    }

    /// Takes the set that the names resolve to now. Survivors keep their state.
    pub fn replace(&self, addresses: &[Arc<str>]) {
        let now = self.shared.clock.now();
        self.shared.lock().pool.replace(addresses, now);
    }

    /// Every instance at this moment, for the management port and for metrics.
    #[must_use]
    pub fn snapshot(&self) -> BalancerSnapshot {
        let now = self.shared.clock.now();
        let mut inner = self.shared.lock();
        let snapshot = inner.pool.snapshot(now);
        self.shared.release(inner);
        snapshot
    }
}

impl fmt::Debug for Balancer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Balancer").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl Shared {
    /// Nothing between two writes of the pool that belong together can panic, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complete(&self, id: u64, outcome: Outcome, started: Instant) {
        let now = self.clock.now();
        let elapsed = now.saturating_duration_since(started);
        let mut inner = self.lock();
        inner.pool.complete(id, outcome, elapsed, now);
        self.release(inner);
    }

    /// Logs what the pool has decided, after the lock is released.
    fn release(&self, mut inner: MutexGuard<'_, Inner>) {
        let ejections = inner.pool.take_ejections();
        drop(inner);
        for Ejection { address, reason, length } in ejections {
            let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(downstream = %self.name, instance = %address, %reason, length_ms, "instance left out of balancing");
        }
    }
}

/// One attempt at one instance. Dropped without [`Lease::record`] (the caller went away), it only ends being in flight; a
/// long wait is remembered as latency, because an instance that hangs would otherwise never look slow.
#[must_use = "a lease that is dropped at once means that the call was given up"]
pub struct Lease {
    shared: Arc<Shared>,
    id: u64,
    address: Arc<str>,
    started: Instant,
    settled: bool,
}

impl Lease {
    /// The instance, as it was given to the balancer.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Says how the attempt ended; its duration is the time since the pick. [`Outcome::Ignored`] is as if dropped.
    pub fn record(mut self, outcome: Outcome) {
        self.settled = true;
        self.shared.complete(self.id, outcome, self.started);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.settled {
            self.shared.complete(self.id, Outcome::Ignored, self.started);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lease").field("address", &self.address).finish_non_exhaustive()
    }
}

/// One look at a balancer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BalancerSnapshot {
    /// Whether so many instances are ejected that ejection is being ignored.
    pub panicking: bool,
    /// The instances, in the order in which they were given.
    pub instances: Vec<InstanceSnapshot>,
}

/// One look at an instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSnapshot {
    /// The instance, as it was given to the balancer.
    pub address: Arc<str>,
    /// Attempts under way.
    pub in_flight: u32,
    /// The moving average of its latency, in milliseconds.
    pub latency_ms: f64,
    /// For how many milliseconds more it is left out; missing when it is not.
    pub ejected_for_ms: Option<u64>,
    /// How often it was ejected lately; each time doubles the next ejection, each calm interval takes one off.
    pub ejections: u32,
    /// Share of the picks it wins that it takes, in percent; under 100 in slow start.
    pub slow_start_percent: f64,
}
