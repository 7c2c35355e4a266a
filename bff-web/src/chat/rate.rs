//! How fast a browser may send: so many messages at once, and so many a second on the long run (a token bucket).

use std::time::Instant;

/// What is left of it.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Rate {
    pub(super) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self { per_second: per_second.into(), burst, left: burst, at: now }
    }

    /// Whether one more may come now.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * self.per_second).min(self.burst);
        self.at = now;
        let admitted = self.left >= 1.0;
        if admitted {
            self.left -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shared_lib::clock::Clock;

    use super::*;

    /// Shows: W18
    #[test]
    fn a_burst_and_then_so_many_a_second() {
        let (clock, hand) = Clock::manual();
        let mut rate = Rate::new(2, 3, clock.now());
        let mut admitted = |count: usize| (0..count).filter(|_| rate.admit(clock.now())).count();
        assert_eq!(admitted(10), 3);
        hand.advance(Duration::from_millis(499));
        assert_eq!(admitted(10), 0);
        hand.advance(Duration::from_millis(1));
        assert_eq!(admitted(10), 1);
        hand.advance(Duration::from_secs(60));
        assert_eq!(admitted(10), 3, "silence saves up no more than a burst");
    }
}
