//! Fault injection and the journal of calls: the rules that are set, and what they make of one call.
//!
//! [`Chaos`] holds both for every part. `http` and `grpc` act on its plans, `api` sets rules over HTTP. Random choices are drawn
//! from the sandbox's seed, from a stream of its own for each service, so that a run can be repeated.

mod api;
mod connection;
mod grpc;
mod http;
mod journal;
mod rule;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use self::journal::Journal;
pub(crate) use self::{
    api::configure,
    connection::{Connection, GrpcStream, remember},
    grpc::Faulty,
    http::{at_provider, at_service},
};
pub use self::{
    journal::{CAPACITY, RecordedCall},
    rule::{BarrierRule, Fault, Latency, Rule, RuleError},
};
use crate::{
    clock::Clock,
    part::{Part, UnknownPart},
};

/// The 99th percentile of the standard normal distribution.
const Z_99: f64 = 2.326_347_874;

/// The rules and journals of one sandbox. Clones share them.
#[derive(Debug, Clone)]
pub struct Chaos {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    seed: u64,
    clock: Clock,
    services: Mutex<BTreeMap<Part, Service>>,
    barriers: Mutex<HashMap<String, Round>>,
}

#[derive(Debug)]
struct Service {
    rules: Vec<ActiveRule>,
    journal: Journal,
    random: ChaCha8Rng,
}

#[derive(Debug)]
struct ActiveRule {
    rule: Rule,
    acted: u32,
}

/// The calls that wait at one barrier. Dropping it lets them go.
#[derive(Debug)]
struct Round {
    arrived: usize,
    open: watch::Sender<bool>,
}

/// Why rules cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// There is no such service.
    #[error(transparent)]
    UnknownPart(#[from] UnknownPart),
    /// One of the rules is wrong.
    #[error("rule {position} is not valid")]
    Rule {
        /// Its place in the list, from 0.
        position: usize,
        /// What is wrong with it.
        #[source]
        source: RuleError,
    },
}

/// What is to happen to one call.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    barrier: Option<watch::Receiver<bool>>,
    latency: Duration,
    pub(crate) outcome: Outcome,
    pub(crate) headers: BTreeMap<String, String>,
}

/// How a call ends.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As the service answers.
    #[default]
    Answer,
    /// With an HTTP status.
    Status(u16),
    /// With a gRPC status code.
    GrpcStatus(i32),
    /// Wrongly, and with this status if one is given.
    Fault(Fault, Option<u16>),
}

impl Plan {
    /// Waits as long as the barrier and then the latency ask for.
    pub(crate) async fn wait(&mut self) {
        if let Some(barrier) = &mut self.barrier {
            // An error means that the barrier was taken away, which opens it as well.
            let _ = barrier.wait_for(|open| *open).await;
        }
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
    }
}

impl Chaos {
    /// No rules, empty journals.
    pub(crate) fn new(seed: u64, clock: Clock) -> Self {
        let services = Part::ALL
            .into_iter()
            .zip(0_u64..)
            .map(|(part, stream)| {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                random.set_stream(stream);
                (part, Service { rules: Vec::new(), journal: Journal::default(), random })
            })
            .collect();
        let shared = Shared { seed, clock, services: Mutex::new(services), barriers: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Replaces a service's rules, and begins its random choices anew.
    ///
    /// # Errors
    /// An unknown service, or a rule that is not valid; then the old rules stay.
    pub fn set(&self, service: &str, rules: Vec<Rule>) -> Result<(), ChaosError> {
        let part = Part::parse(service)?;
        for (position, rule) in rules.iter().enumerate() {
            rule.validate(part).map_err(|source| ChaosError::Rule { position, source })?;
        }
        let mut services = self.services();
        if let Some(service) = services.get_mut(&part) {
            let stream = service.random.get_stream();
            service.random = ChaCha8Rng::seed_from_u64(self.shared.seed);
            service.random.set_stream(stream);
            service.rules = rules.into_iter().map(|rule| ActiveRule { rule, acted: 0 }).collect();
        }
        Ok(())
    }

    /// Removes every rule and lets go the calls that wait at a barrier.
    pub fn clear(&self) {
        for service in self.services().values_mut() {
            service.rules.clear();
        }
        self.shared.barriers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The rules by service, spent ones included; services without rules are left out.
    #[must_use]
    pub fn rules(&self) -> BTreeMap<&'static str, Vec<Rule>> {
        self.services()
            .iter()
            .filter(|(_, service)| !service.rules.is_empty())
            .map(|(part, service)| (part.name(), service.rules.iter().map(|active| active.rule.clone()).collect()))
            .collect()
    }

    /// The calls that reached a service, oldest first. None for a service that does not exist.
    #[must_use]
    pub fn calls(&self, service: &str) -> Vec<RecordedCall> {
        let services = self.services();
        Part::parse(service)
            .ok()
            .and_then(|part| services.get(&part))
            .map(|service| service.journal.calls())
            .unwrap_or_default()
    }

    /// Empties every journal.
    pub fn clear_calls(&self) {
        for service in self.services().values_mut() {
            service.journal.clear();
        }
    }

    fn clear_calls_of(&self, part: Part) {
        if let Some(service) = self.services().get_mut(&part) {
            service.journal.clear();
        }
    }

    /// The present moment, for the journal.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::try_from(self.shared.clock.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// Records a call and decides what happens to it. `route` is the path below the service, or the gRPC method.
    pub(crate) fn arrive(&self, part: Part, route: &str, call: RecordedCall) -> Plan {
        let mut services = self.services();
        let Some(service) = services.get_mut(&part) else { return Plan::default() };
        service.journal.record(call);
        let Service { rules, random, .. } = service;
        let Some(active) = rules.iter_mut().find(|active| active.is_due(route)) else { return Plan::default() };
        active.acted = active.acted.saturating_add(1);
        let rule = &active.rule;
        let barrier = rule.barrier.as_ref().map(|barrier| self.enter(barrier));
        let latency = rule.latency.map_or(Duration::ZERO, |latency| draw(latency, random));
        let outcome = outcome(rule, part, random);
        Plan { barrier, latency, outcome, headers: rule.headers.clone() }
    }

    fn enter(&self, rule: &BarrierRule) -> watch::Receiver<bool> {
        let mut rounds = self.shared.barriers.lock().unwrap_or_else(PoisonError::into_inner);
        let round =
            rounds.entry(rule.name.clone()).or_insert_with(|| Round { arrived: 0, open: watch::Sender::new(false) });
        round.arrived += 1;
        let waiting = round.open.subscribe();
        if round.arrived >= rule.parties {
            round.open.send_replace(true);
            rounds.remove(&rule.name);
        }
        waiting
    }

    fn services(&self) -> MutexGuard<'_, BTreeMap<Part, Service>> {
        self.shared.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActiveRule {
    fn is_due(&self, route: &str) -> bool {
        self.rule.times.is_none_or(|times| self.acted < times) && self.rule.matches(route)
    }
}

fn outcome(rule: &Rule, part: Part, random: &mut ChaCha8Rng) -> Outcome {
    let rate = rule.error_rate.unwrap_or(1.0);
    let strikes = rate > 0.0 && random.random::<f64>() < rate;
    if !strikes {
        return Outcome::Answer;
    }
    match (rule.fault, rule.status, rule.grpc_status, rule.error_rate) {
        (Some(fault), status, ..) => Outcome::Fault(fault, status),
        (None, Some(status), ..) => Outcome::Status(status),
        (None, None, Some(code), _) => Outcome::GrpcStatus(code),
        (None, None, None, Some(_)) if part == Part::Notifications => Outcome::GrpcStatus(14),
        (None, None, None, Some(_)) => Outcome::Status(500),
        (None, None, None, None) => Outcome::Answer,
    }
}

fn draw(latency: Latency, random: &mut ChaCha8Rng) -> Duration {
    match latency {
        Latency::Fixed { fixed_ms } => Duration::from_millis(fixed_ms),
        Latency::Quantiles { p50_ms, p99_ms } => {
            let (median, tail) = (p50_ms as f64, p99_ms as f64);
            let sigma = (tail / median).ln() / Z_99;
            let millis = median * (sigma * standard_normal(random)).exp();
            Duration::try_from_secs_f64(millis / 1000.0).unwrap_or(Duration::MAX)
        }
    }
}

/// One draw from the standard normal distribution (Box and Muller, 1958).
fn standard_normal(random: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_the_quantiles_that_were_asked_for() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let latency = Latency::Quantiles { p50_ms: 20, p99_ms: 400 };
        let mut draws: Vec<Duration> = (0..20_000).map(|_| draw(latency, &mut random)).collect();
        draws.sort();
        let (median, tail) = (draws[10_000].as_millis(), draws[19_800].as_millis());
        assert!((19..=21).contains(&median), "{median}");
        assert!((350..=450).contains(&tail), "{tail}");
    }
}
