//! When an instance is left out, and for how long: outlier ejection by consecutive failures and by success rate.
//!
//! The success rate differs from Envoy's in one point. Envoy compares each instance with the mean of all, itself included,
//! and asks for 1.9 standard deviations below it; among n instances a single bad one is at most `sqrt(n - 1)` deviations
//! below, so under five instances that never happens, however bad it is. Backends with two to four instances are the rule
//! here. So each instance is compared with the others, without itself, and has to be below their mean both by the
//! deviations and by a margin in percentage points (which keeps chance out when the others are all alike).

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::settings::OutlierSettings;
use crate::circuit_breaker::Outcome;

/// An instance was left out.
#[derive(Clone, Debug)]
pub(super) struct Ejection {
    pub(super) address: Arc<str>,
    pub(super) reason: EjectionReason,
    pub(super) length: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EjectionReason {
    ConsecutiveFailures,
    SuccessRate,
}

impl fmt::Display for EjectionReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::SuccessRate => "success_rate",
        })
    }
}

/// What is known of an instance's failures.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    ejected_until: Option<Instant>,
    ejections: u32,
    /// Whether it was out at some time of the running interval.
    was_out: bool,
    failures_in_a_row: u32,
    /// Of the running interval.
    succeeded: u32,
    failed: u32,
}

impl Health {
    /// Counts a result. What comes in while the instance is out was sent before, or in panic: it is not counted.
    pub(super) fn record(&mut self, outcome: Outcome) {
        if self.is_ejected() {
            return;
        }
        match outcome {
            Outcome::Success => {
                self.succeeded = self.succeeded.saturating_add(1);
                self.failures_in_a_row = 0;
            }
            Outcome::Failure => {
                self.failed = self.failed.saturating_add(1);
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
            }
            Outcome::Ignored => {}
        }
    }

    pub(super) fn is_ejected(&self) -> bool {
        self.ejected_until.is_some()
    }

    pub(super) fn ejected_for(&self, now: Instant) -> Option<Duration> {
        self.ejected_until.map(|until| until.saturating_duration_since(now))
    }

    pub(super) fn ejections(&self) -> u32 {
        self.ejections
    }

    pub(super) fn fails_in_a_row(&self, settings: &OutlierSettings) -> bool {
        let limit = settings.consecutive_failures;
        limit > 0 && !self.is_ejected() && self.failures_in_a_row >= limit
    }

    /// Leaves the instance out, and returns for how long.
    pub(super) fn eject(&mut self, settings: &OutlierSettings, now: Instant) -> Duration {
        let doublings = self.ejections.min(31);
        let longest = settings.max_ejection_ms.max(settings.base_ejection_ms);
        let length_ms = settings.base_ejection_ms.saturating_mul(1 << doublings);
        let length = Duration::from_millis(length_ms.clamp(1, longest.max(1)));
        self.ejections = self.ejections.saturating_add(1);
        self.was_out = true;
        self.failures_in_a_row = 0;
        self.ejected_until = Some(now + length);
        length
    }

    /// Takes the instance in again when its time is over; says whether that happened.
    pub(super) fn take_in(&mut self, now: Instant) -> bool {
        let over = self.ejected_until.is_some_and(|until| now >= until);
        if over {
            self.ejected_until = None;
            self.succeeded = 0;
            self.failed = 0;
        }
        over
    }

    /// Success rate of the running interval, from 0 to 1, when it holds enough attempts.
    pub(super) fn success_rate(&self, settings: &OutlierSettings) -> Option<f64> {
        let attempts = self.succeeded.saturating_add(self.failed);
        let enough = attempts >= settings.success_rate_request_volume.max(1);
        (enough && !self.is_ejected()).then(|| f64::from(self.succeeded) / f64::from(attempts))
    }

    /// Begins the next interval. A whole interval without being out takes one ejection off the back-off.
    pub(super) fn next_interval(&mut self) {
        if !self.was_out {
            self.ejections = self.ejections.saturating_sub(1);
        }
        self.was_out = self.is_ejected();
        self.succeeded = 0;
        self.failed = 0;
    }
}

/// Which of these success rates (from 0 to 1) are too far below the others.
pub(super) fn outliers(rates: &[(usize, f64)], settings: &OutlierSettings) -> Vec<usize> {
    let is_outlier = |&(index, rate): &(usize, f64)| {
        let others: Vec<f64> = rates.iter().filter(|(other, _)| *other != index).map(|(_, rate)| *rate).collect();
        if others.is_empty() {
            return None;
        }
        let number = others.len() as f64;
        let mean = others.iter().sum::<f64>() / number;
        let variance = others.iter().map(|other| (other - mean).powi(2)).sum::<f64>() / number;
        let distance =
            (variance.sqrt() * settings.success_rate_stdev_factor).max(settings.success_rate_margin_percent / 100.0);
        (rate < mean - distance).then_some(index)
    };
    rates.iter().filter_map(is_outlier).collect()
}
