//! A moving average of latency that is quick to fear and slow to forgive (peak EWMA, as in Finagle).
//!
//! A latency above the average replaces it at once: one slow answer is reason enough to send the next call elsewhere. A
//! lower one is averaged in, with a weight that depends on the time since the last and not on the number of calls, so that
//! a busy instance does not forget faster than a quiet one. Without news the average sinks towards zero, so that an
//! instance that was once slow is tried again.

use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(super) struct PeakEwma {
    nanos: f64,
    at: Instant,
}

impl PeakEwma {
    pub(super) fn new(latency_nanos: f64, now: Instant) -> Self {
        Self { nanos: latency_nanos, at: now }
    }

    /// The average as of `now`, in nanoseconds.
    pub(super) fn nanos(&self, decay: Duration, now: Instant) -> f64 {
        self.nanos * self.weight(decay, now)
    }

    /// Takes in the latency of a call that succeeded.
    pub(super) fn observe(&mut self, latency: Duration, decay: Duration, now: Instant) {
        let latency = latency.as_nanos() as f64;
        let weight = self.weight(decay, now);
        let average = self.nanos * weight + latency * (1.0 - weight);
        self.set(average.max(latency), now);
    }

    /// Takes in how long a call took that brought no answer. It can only raise the average: an instance that refuses
    /// connections within a microsecond is not a fast one.
    pub(super) fn observe_at_least(&mut self, waited: Duration, decay: Duration, now: Instant) {
        let waited = waited.as_nanos() as f64;
        if waited > self.nanos(decay, now) {
            self.set(waited, now);
        }
    }

    fn set(&mut self, nanos: f64, now: Instant) {
        self.nanos = nanos;
        self.at = self.at.max(now);
    }

    fn weight(&self, decay: Duration, now: Instant) -> f64 {
        let idle = now.saturating_duration_since(self.at);
        (-idle.as_secs_f64() / decay.as_secs_f64()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const DECAY: Duration = Duration::from_secs(10);
    const MS: f64 = 1_000_000.0;

    /// Shows: S4
    #[test]
    fn a_peak_counts_at_once_and_is_forgiven_over_the_decay_time() {
        let (clock, hand) = Clock::manual();
        let mut ewma = PeakEwma::new(10.0 * MS, clock.now());
        ewma.observe(Duration::from_millis(100), DECAY, clock.now());
        assert_eq!(ewma.nanos(DECAY, clock.now()), 100.0 * MS);
        hand.advance(DECAY);
        ewma.observe(Duration::from_millis(10), DECAY, clock.now());
        let expected = (100.0 * (-1.0_f64).exp() + 10.0 * (1.0 - (-1.0_f64).exp())) * MS;
        assert!((ewma.nanos(DECAY, clock.now()) - expected).abs() < 1.0);
    }

    /// Shows: S4
    #[test]
    fn without_news_the_average_sinks_so_that_the_instance_is_tried_again() {
        let (clock, hand) = Clock::manual();
        let ewma = PeakEwma::new(100.0 * MS, clock.now());
        hand.advance(DECAY * 10);
        assert!(ewma.nanos(DECAY, clock.now()) < 0.01 * MS);
    }

    /// Shows: S4
    #[test]
    fn a_quick_failure_does_not_look_like_a_quick_answer() {
        let (clock, hand) = Clock::manual();
        let mut ewma = PeakEwma::new(50.0 * MS, clock.now());
        hand.advance(Duration::from_secs(1));
        let before = ewma.nanos(DECAY, clock.now());
        ewma.observe_at_least(Duration::from_micros(1), DECAY, clock.now());
        assert_eq!(ewma.nanos(DECAY, clock.now()), before);
        ewma.observe_at_least(Duration::from_secs(2), DECAY, clock.now());
        assert_eq!(ewma.nanos(DECAY, clock.now()), 2_000.0 * MS);
    }
}
