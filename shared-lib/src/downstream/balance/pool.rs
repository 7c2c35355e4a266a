//! The instances and the choice among them: pure, with time and randomness passed in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;

use super::ewma::PeakEwma;
use super::outlier::{Ejection, EjectionReason, Health, outliers};
use super::settings::BalanceSettings;
use super::{BalancerSnapshot, InstanceSnapshot};
use crate::circuit_breaker::Outcome;

/// Latencies under a microsecond are all alike; below it only the calls in flight count.
const SHORTEST_NANOS: f64 = 1_000.0;

#[derive(Debug)]
pub(super) struct Pool {
    settings: BalanceSettings,
    decay: Duration,
    instances: Vec<Instance>,
    /// Not reused, so a late result never finds another instance than its own.
    next_id: u64,
    interval_ends: Instant,
    ejections: Vec<Ejection>,
    /// Kept to be refilled at each pick without allocating.
    candidates: Vec<usize>,
}

#[derive(Debug)]
struct Instance {
    id: u64,
    address: Arc<str>,
    in_flight: u32,
    latency: PeakEwma,
    /// When its slow start began, if it has one.
    ramps_since: Option<Instant>,
    health: Health,
}

impl Pool {
    pub(super) fn new(settings: &BalanceSettings, addresses: &[Arc<str>], now: Instant) -> Self {
        let mut pool = Self {
            settings: settings.clone(),
            decay: Duration::from_millis(settings.decay_ms.max(1)),
            instances: Vec::new(),
            next_id: 0,
            interval_ends: now + interval(settings),
            ejections: Vec::new(),
            candidates: Vec::new(),
        };
        pool.replace(addresses, now);
        pool
    }

    /// Takes a new set. Survivors keep their state; newcomers among survivors start slowly, with the survivors' average
    /// latency, so that they are neither flooded nor shunned for being unknown.
    pub(super) fn replace(&mut self, addresses: &[Arc<str>], now: Instant) {
        let mut before = std::mem::take(&mut self.instances);
        before.retain(|instance| addresses.contains(&instance.address));
        let known: f64 = before.iter().map(|instance| instance.latency.nanos(self.decay, now)).sum();
        let (latency, ramps_since) = if before.is_empty() {
            (self.settings.default_latency_ms as f64 * 1e6, None)
        } else {
            (known / before.len() as f64, Some(now))
        };
        for address in addresses {
            if self.instances.iter().any(|instance| instance.address == *address) {
                continue;
            }
            let survivor = before.iter().position(|instance| instance.address == *address);
            let instance = if let Some(index) = survivor {
                before.swap_remove(index)
            } else {
                self.next_id += 1;
                Instance {
                    id: self.next_id,
                    address: Arc::clone(address),
                    in_flight: 0,
                    latency: PeakEwma::new(latency, now),
                    ramps_since,
                    health: Health::default(),
                }
            };
            self.instances.push(instance);
        }
    }

    /// Picks an instance and counts the call as in flight there. Nothing only when there are no instances.
    pub(super) fn pick(&mut self, avoid: Option<&str>, now: Instant, rng: &mut impl Rng) -> Option<(u64, Arc<str>)> {
        self.let_time_pass(now);
        let panicking = self.is_panicking();
        let (instances, candidates) = (&self.instances, &mut self.candidates);
        candidates.clear();
        candidates.extend((0..instances.len()).filter(|&index| panicking || !instances[index].health.is_ejected()));
        if let Some(avoid) = avoid
            && candidates.len() > 1
        {
            candidates.retain(|&index| *instances[index].address != *avoid);
        }
        let chosen = match self.candidates.len() {
            0 => return None,
            1 => self.candidates[0],
            number => {
                let first = rng.random_range(0..number);
                // A draw from the others, without drawing again: the place of the first is taken by the last.
                let second = match rng.random_range(0..number - 1) {
                    place if place == first => number - 1,
                    place => place,
                };
                self.better_of(self.candidates[first], self.candidates[second], now, rng)
            }
        };
        let instance = &mut self.instances[chosen];
        instance.in_flight += 1;
        Some((instance.id, Arc::clone(&instance.address)))
    }

    /// A call has ended. `Ignored` means that nothing is known but how long it had been waited for.
    pub(super) fn complete(&mut self, id: u64, outcome: Outcome, elapsed: Duration, now: Instant) {
        self.let_time_pass(now);
        let Some(index) = self.instances.iter().position(|instance| instance.id == id) else {
            return;
        };
        let instance = &mut self.instances[index];
        instance.in_flight = instance.in_flight.saturating_sub(1);
        match outcome {
            Outcome::Success => instance.latency.observe(elapsed, self.decay, now),
            Outcome::Failure | Outcome::Ignored => {
                instance.latency.observe_at_least(elapsed, self.decay, now);
            }
        }
        instance.health.record(outcome);
        if instance.health.fails_in_a_row(&self.settings.outlier) {
            self.eject(index, EjectionReason::ConsecutiveFailures, now);
        }
    }

    /// The ejections since the last time that this was asked.
    pub(super) fn take_ejections(&mut self) -> Vec<Ejection> {
        std::mem::take(&mut self.ejections)
    }

    pub(super) fn snapshot(&mut self, now: Instant) -> BalancerSnapshot {
        self.let_time_pass(now);
        let look = |instance: &Instance| InstanceSnapshot {
            address: Arc::clone(&instance.address),
            in_flight: instance.in_flight,
            latency_ms: instance.latency.nanos(self.decay, now) / 1e6,
            ejected_for_ms: instance
                .health
                .ejected_for(now)
                .map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            ejections: instance.health.ejections(),
            slow_start_percent: self.readiness(instance, now) * 100.0,
        };
        BalancerSnapshot { panicking: self.is_panicking(), instances: self.instances.iter().map(look).collect() }
    }

    fn better_of(&self, first: usize, second: usize, now: Instant, rng: &mut impl Rng) -> usize {
        let load = |index: usize| {
            let instance = &self.instances[index];
            let latency = instance.latency.nanos(self.decay, now).max(SHORTEST_NANOS);
            latency * (f64::from(instance.in_flight) + 1.0)
        };
        let (winner, loser) = if load(first) <= load(second) { (first, second) } else { (second, first) };
        let ready = |index: usize| self.readiness(&self.instances[index], now);
        let keeps = ready(winner) / ready(loser);
        if keeps >= 1.0 || rng.random_bool(keeps) { winner } else { loser }
    }

    /// From the least share in slow start to 1 after it.
    fn readiness(&self, instance: &Instance, now: Instant) -> f64 {
        let Some(since) = instance.ramps_since else {
            return 1.0;
        };
        let length = Duration::from_millis(self.settings.slow_start_ms).as_secs_f64();
        let passed = now.saturating_duration_since(since).as_secs_f64();
        if passed >= length {
            return 1.0;
        }
        let least = f64::from(self.settings.slow_start_min_percent.clamp(1, 100)) / 100.0;
        (passed / length).max(least)
    }

    fn is_panicking(&self) -> bool {
        let inside = self.instances.len() - self.ejected();
        let threshold = self.settings.outlier.panic_threshold_percent as usize;
        inside == 0 || inside * 100 < self.instances.len() * threshold
    }

    fn ejected(&self) -> usize {
        self.instances.iter().filter(|instance| instance.health.is_ejected()).count()
    }

    fn let_time_pass(&mut self, now: Instant) {
        for instance in &mut self.instances {
            if instance.health.take_in(now) {
                instance.ramps_since = Some(now);
            }
        }
        if now < self.interval_ends {
            return;
        }
        self.interval_ends = now + interval(&self.settings);
        let outlier = &self.settings.outlier;
        let rates: Vec<(usize, f64)> = self
            .instances
            .iter()
            .enumerate()
            .filter_map(|(index, instance)| Some((index, instance.health.success_rate(outlier)?)))
            .collect();
        let low = outliers(&rates, outlier);
        for instance in &mut self.instances {
            instance.health.next_interval();
        }
        for index in low {
            self.eject(index, EjectionReason::SuccessRate, now);
        }
    }

    fn eject(&mut self, index: usize, reason: EjectionReason, now: Instant) {
        let number = self.instances.len();
        let percent = self.settings.outlier.max_ejection_percent as usize;
        let allowed = match (number, percent) {
            (0 | 1, _) | (_, 0) => 0,
            _ => (number * percent / 100).max(1),
        };
        if self.ejected() >= allowed {
            return;
        }
        let instance = &mut self.instances[index];
        let length = instance.health.eject(&self.settings.outlier, now);
        self.ejections.push(Ejection { address: Arc::clone(&instance.address), reason, length });
    }
}

fn interval(settings: &BalanceSettings) -> Duration {
    Duration::from_millis(settings.outlier.interval_ms.max(1))
}
