//! The algorithm alone: `(state, sample, now) -> limit`. It knows no HTTP, no lock and no clock.

use std::mem;
use std::time::{Duration, Instant};

/// A window is judged once it is this old…
const WINDOW: Duration = Duration::from_millis(100);
/// …and holds this many samples: fewer say little, because latencies scatter.
const MIN_SAMPLES: u32 = 10;
/// The share of the way to the new limit that one window goes.
const SMOOTHING: f64 = 0.2;
/// One window cuts the limit to this share at most (before smoothing).
const MIN_GRADIENT: f64 = 0.5;
/// The share of the way to a window's mean that the usual latency goes, for each window that it is learnt from.
const LEARNING: f64 = 0.1;
/// The share of the way to a window's mean that the recent latency goes. It spans some twenty windows, because a single
/// quick window is chance, and following every such chance downwards would end far below the truth.
const RECENT: f64 = 0.05;
/// The share of the way after a probe, which was made to learn from.
const PROBE_LEARNING: f64 = 0.8;
/// How long the baselines may go without a measurement free of our own queueing.
const PROBE_AFTER: Duration = Duration::from_secs(15);
/// A probe lets this many times the mean latency pass before it measures. Those that are over first are the quick ones,
/// so to measure at once would take them for all.
const PROBE_SETTLING: f64 = 5.0;
/// The longest that a probe waits so.
const PROBE_MAX_SETTLING: Duration = Duration::from_secs(1);
/// A probe with too few samples ends after this time with what it has.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// A single latency counts at most as this many times the usual: one hanging call is no overload.
const MAX_STRETCH: f64 = 10.0;

/// The bounds of the limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// The limit at the start.
    pub(super) initial: u32,
    /// The least, at least 1.
    pub(super) min: u32,
    /// The most.
    pub(super) max: u32,
    /// How many times the usual latency is still taken for usual.
    pub(super) tolerance: f64,
}

/// One request that is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Which route, as an index.
    pub(super) route: usize,
    /// How long it took.
    pub(super) latency: Duration,
    /// Whether it would have taken longer still, had it not been given up.
    pub(super) at_least: bool,
    /// How many requests were in flight when it was admitted, itself among them.
    pub(super) in_flight: u32,
    /// [`Gradient::epoch`] when it was admitted.
    pub(super) epoch: u64,
}

/// The state.
#[derive(Debug)]
pub(super) struct Gradient {
    plan: Plan,
    limit: f64,
    /// The usual latency of each route, once known.
    baselines: Vec<Option<Baseline>>,
    window: Window,
    /// When the baselines were last measured free of our own queueing.
    measured: Instant,
    probe: Option<Probe>,
    epoch: u64,
}

/// A moment with half of the limit, to learn what latency is without queueing of our own.
#[derive(Debug, Clone, Copy)]
struct Probe {
    /// The limit to go back to.
    limit: f64,
    measures_from: Instant,
}

/// Latencies of one route in seconds.
#[derive(Debug, Clone, Copy)]
struct Baseline {
    /// What it takes without queueing of our own.
    usual: f64,
    /// What it took lately.
    recent: f64,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    samples: u32,
    stretch_sum: f64,
    peak_in_flight: u32,
    /// Sum in seconds and number of the latencies, by route.
    routes: Vec<(f64, u32)>,
}

impl Window {
    fn new(routes: usize, since: Instant) -> Self {
        Self { since, samples: 0, stretch_sum: 0.0, peak_in_flight: 0, routes: vec![(0.0, 0); routes] }
    }
}

impl Gradient {
    /// Starts with `plan.initial` for this many routes (at least one), of which nothing is known yet.
    pub(super) fn new(plan: Plan, routes: usize, now: Instant) -> Self {
        let routes = routes.max(1);
        let (min, max) = (plan.min.max(1), plan.max.max(plan.min.max(1)));
        let plan = Plan { min, max, tolerance: plan.tolerance.max(1.0), ..plan };
        Self {
            limit: f64::from(plan.initial.clamp(min, max)),
            plan,
            baselines: vec![None; routes],
            window: Window::new(routes, now),
            measured: now,
            probe: None,
            epoch: 0,
        }
    }

    /// The present limit.
    pub(super) fn limit(&self) -> u32 {
        // The value lies between min and max, which are u32.
        self.limit as u32
    }

    /// Counts the beginnings and ends of probes.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Takes a request into account that ended at `now`.
    pub(super) fn observe(&mut self, sample: Sample, now: Instant) {
        // What was admitted before the probe waited behind the queue that the probe wants out of the way.
        if self.probe.is_some_and(|probe| sample.epoch != self.epoch || now < probe.measures_from) {
            return;
        }
        let route = sample.route.min(self.baselines.len() - 1);
        let latency = sample.latency.as_secs_f64().max(1e-6);
        let baseline = self.baselines[route].map(|baseline| baseline.usual);
        // A request that was given up early says nothing; given up late, it says that latency is at least that.
        if sample.at_least && baseline.is_none_or(|usual| latency < usual * self.plan.tolerance) {
            return;
        }
        let stretch = baseline.map_or(1.0, |usual| (latency / usual).min(MAX_STRETCH));
        let latency = baseline.map_or(latency, |usual| latency.min(usual * MAX_STRETCH));
        let window = &mut self.window;
        window.samples += 1;
        window.stretch_sum += stretch;
        window.peak_in_flight = window.peak_in_flight.max(sample.in_flight);
        let (sum, count) = &mut window.routes[route];
        *sum += latency;
        *count += 1;
        let age = now.saturating_duration_since(window.since);
        let timed_out = self.probe.is_some() && age >= PROBE_TIMEOUT;
        if (age >= WINDOW && window.samples >= MIN_SAMPLES) || timed_out {
            self.judge(now);
        }
    }

    fn judge(&mut self, now: Instant) {
        let window = mem::replace(&mut self.window, Window::new(self.baselines.len(), now));
        if let Some(Probe { limit, .. }) = self.probe.take() {
            self.learn(&window, PROBE_LEARNING, true);
            self.limit = limit;
            self.measured = now;
            self.epoch += 1;
            return;
        }
        let in_use = f64::from(window.peak_in_flight) * 2.0 >= self.limit;
        self.learn(&window, LEARNING, !in_use);
        if !in_use {
            // Whoever does not use the limit does not learn whether it is right.
            self.measured = now;
            return;
        }
        let stretch = window.stretch_sum / f64::from(window.samples);
        let gradient = (self.plan.tolerance / stretch).clamp(MIN_GRADIENT, 1.0);
        let target = self.limit * gradient + self.limit.sqrt();
        self.limit = self.clamp(self.limit + SMOOTHING * (target - self.limit));
        if now.saturating_duration_since(self.measured) >= PROBE_AFTER {
            let latency = window.routes.iter().map(|(sum, _)| sum).sum::<f64>() / f64::from(window.samples);
            let settling = Duration::from_secs_f64(latency * PROBE_SETTLING).min(PROBE_MAX_SETTLING);
            self.probe = Some(Probe { limit: self.limit, measures_from: now + settling });
            self.window.since = now + settling;
            self.limit = self.clamp(self.limit / 2.0);
            self.epoch += 1;
        }
    }

    /// Moves the baselines towards the window's means; upwards only where our own queueing cannot be the cause.
    fn learn(&mut self, window: &Window, weight: f64, upwards: bool) {
        for (baseline, &(sum, count)) in self.baselines.iter_mut().zip(&window.routes) {
            if count == 0 {
                continue;
            }
            let mean = sum / f64::from(count);
            let Some(Baseline { usual, recent }) = baseline else {
                *baseline = Some(Baseline { usual: mean, recent: mean });
                continue;
            };
            *recent += RECENT * (mean - *recent);
            if upwards {
                *usual += weight * (mean - *usual);
                *recent = *usual;
            } else {
                *usual = usual.min(*recent);
            }
        }
    }

    fn clamp(&self, limit: f64) -> f64 {
        limit.clamp(f64::from(self.plan.min), f64::from(self.plan.max))
    }
}
