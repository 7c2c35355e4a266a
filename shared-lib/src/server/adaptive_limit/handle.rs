//! The limit that all workers share: two atomics on the way in, a lock around the algorithm on the way out.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::Method;

use super::gradient::{Gradient, Plan, Sample};
use super::metrics;
use crate::clock::Clock;
use crate::server::Route;
use crate::settings::AdaptiveLimitSettings;

/// Between two log lines about refused requests.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// A limit on the requests in flight of this process that follows their latency. Clones are the same limit.
#[derive(Clone)]
pub struct AdaptiveLimit {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    enabled: bool,
    clock: Clock,
    limit: AtomicU32,
    in_flight: AtomicU32,
    epoch: AtomicU64,
    shed: AtomicU64,
    gradient: Mutex<Gradient>,
    log: Mutex<ShedLog>,
    routes: HashMap<String, Vec<(Method, Place)>>,
    others: usize,
}

/// What has been logged of refusals.
#[derive(Default)]
struct ShedLog {
    at: Option<Instant>,
    shed: u64,
}

/// What the limit has to do with a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Counted and measured, as the route of this index.
    Limited(usize),
    /// Neither.
    Unlimited,
}

/// How a request ended, in the eyes of the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was answered; its latency counts.
    Answered,
    /// It was given up, by its client or at its deadline: it would have taken longer still.
    GivenUp,
    /// It ended in a way that says nothing about load, such as a refusal.
    Unrelated,
}

impl AdaptiveLimit {
    /// The limit of a process that serves these routes. The latency of each route is judged by itself, so a slow route
    /// among fast ones is no overload. Requests that match no route are judged together.
    #[must_use]
    pub fn new(settings: &AdaptiveLimitSettings, routes: &[Route], clock: Clock) -> Self {
        let mut places: HashMap<String, Vec<(Method, Place)>> = HashMap::new();
        for (index, route) in routes.iter().enumerate() {
            let place = if route.policy.limited_concurrency { Place::Limited(index) } else { Place::Unlimited };
            places.entry(route.path.clone()).or_default().push((route.method.clone(), place));
        }
        let AdaptiveLimitSettings { enabled, initial, min, max, tolerance } = *settings;
        let gradient = Gradient::new(Plan { initial, min, max, tolerance }, routes.len() + 1, clock.now());
        let shared = Arc::new(Shared {
            enabled,
            limit: AtomicU32::new(gradient.limit()),
            in_flight: AtomicU32::new(0),
            epoch: AtomicU64::new(gradient.epoch()),
            shed: AtomicU64::new(0),
            gradient: Mutex::new(gradient),
            log: Mutex::default(),
            routes: places,
            others: routes.len(),
            clock,
        });
        metrics::observe(&shared);
        Self { shared }
    }

    pub(super) fn place(&self, method: &Method, pattern: Option<&str>) -> Place {
        let methods = pattern.and_then(|pattern| self.shared.routes.get(pattern));
        let found = methods.and_then(|methods| methods.iter().find(|(known, _)| known == method));
        found.map_or(Place::Limited(self.shared.others), |(_, place)| *place)
    }

    /// Asks to work on one more request of this route (an index into the routes given at construction; one beyond them
    /// stands for all others). `None`: it is one too many.
    #[must_use]
    pub fn try_acquire(&self, route: usize) -> Option<Permit> {
        let shared = &self.shared;
        let limit = if shared.enabled { shared.limit.load(Ordering::Relaxed) } else { u32::MAX };
        let admit = |in_flight: u32| (in_flight < limit).then_some(in_flight.saturating_add(1));
        let Ok(before) = shared.in_flight.fetch_update(Ordering::AcqRel, Ordering::Relaxed, admit) else {
            shared.shed.fetch_add(1, Ordering::Relaxed);
            shared.log_shedding(limit);
            return None;
        };
        Some(Permit {
            shared: Arc::clone(shared),
            route,
            started: shared.clock.now(),
            in_flight: before.saturating_add(1),
            epoch: shared.epoch.load(Ordering::Relaxed),
            ending: Ending::GivenUp,
        })
    }

    /// The present limit.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.shared.limit()
    }

    /// The requests that are worked on.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.shared.in_flight()
    }

    /// The requests that were refused since the start.
    #[must_use]
    pub fn shed_total(&self) -> u64 {
        self.shared.shed_total()
    }
}

impl fmt::Debug for AdaptiveLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveLimit").field("limit", &self.limit()).field("in_flight", &self.in_flight()).finish()
    }
}

impl Shared {
    pub(super) fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn shed_total(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    fn observe(&self, sample: Sample) {
        let mut gradient = self.gradient.lock().unwrap_or_else(PoisonError::into_inner);
        gradient.observe(sample, self.clock.now());
        self.limit.store(gradient.limit(), Ordering::Relaxed);
        self.epoch.store(gradient.epoch(), Ordering::Relaxed);
    }

    /// One line in a while, because a line for each refusal would cost more than the refusal.
    fn log_shedding(&self, limit: u32) {
        let Ok(mut log) = self.log.try_lock() else { return };
        let now = self.clock.now();
        if log.at.is_some_and(|at| now.saturating_duration_since(at) < LOG_INTERVAL) {
            return;
        }
        let shed = self.shed_total();
        tracing::warn!(
            limit,
            shed = shed - log.shed,
            shed_total = shed,
            "more requests than can be served are refused"
        );
        *log = ShedLog { at: Some(now), shed };
    }
}

/// A place among the requests in flight. Dropped without [`Permit::end`] (the client went away), the request counts as
/// [`Ending::GivenUp`].
#[must_use = "dropping it gives the place back"]
pub struct Permit {
    shared: Arc<Shared>,
    route: usize,
    started: Instant,
    in_flight: u32,
    epoch: u64,
    ending: Ending,
}

impl Permit {
    /// Gives the place back and says how the request ended.
    pub fn end(mut self, ending: Ending) {
        self.ending = ending;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.in_flight.fetch_sub(1, Ordering::AcqRel);
        let at_least = match self.ending {
            Ending::Unrelated => return,
            Ending::Answered => false,
            Ending::GivenUp => true,
        };
        let latency = self.shared.clock.now().saturating_duration_since(self.started);
        let Self { route, in_flight, epoch, .. } = *self;
        self.shared.observe(Sample { route, latency, at_least, in_flight, epoch });
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("route", &self.route).finish()
    }
}
