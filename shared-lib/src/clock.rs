//! Time as a value that is passed in, so that nothing in this house has to sleep to be tested.
//!
//! There are two times, and mixing them up is a classic fault:
//! - [`Clock::now`] is monotonic: it never goes back, and only differences of it mean something. Deadlines, breakers,
//!   back-off, cache ages and measured durations use it.
//! - [`Clock::wall`] is the date: it can jump when the machine's clock is set. It is for what is written down or compared
//!   with another machine's clock: token expiry, `Retry-After` dates, "since" in a report.
//!
//! A [`Clock`] is cloned freely. In production it is [`Clock::system`], which holds nothing: no allocation, no lock, one
//! predictable branch before the operating system is asked. In a test it is [`Clock::manual`], which stands still until
//! its [`ManualClock`] moves it, on both scales by the same amount.
//!
//! This clock does not wake anybody up. What has to wait uses tokio's timer, and what has to *decide* uses this clock;
//! keeping the decision apart from the waiting is what makes it testable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Tells the time. Cheap to clone and to ask, `Send` and `Sync`.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<ManualTime>),
}

#[derive(Debug)]
struct ManualTime {
    start: Instant,
    start_wall: Timestamp,
    /// Nanoseconds that the test has let pass; 64 bits last for 584 years.
    passed_nanos: AtomicU64,
}

impl Clock {
    /// The operating system's clocks.
    #[must_use]
    pub const fn system() -> Self {
        Self { source: Source::System }
    }

    /// A clock that stands still at 2026-01-01T00:00:00Z until the returned [`ManualClock`] moves it.
    #[must_use]
    pub fn manual() -> (Self, ManualClock) {
        Self::manual_at(Timestamp::constant(1_767_225_600, 0))
    }

    /// A clock that stands still at `wall` until the returned [`ManualClock`] moves it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where the time is injected from")]
    pub fn manual_at(wall: Timestamp) -> (Self, ManualClock) {
        let time = Arc::new(ManualTime { start: Instant::now(), start_wall: wall, passed_nanos: AtomicU64::new(0) });
        let clock = Self { source: Source::Manual(Arc::clone(&time)) };
        (clock, ManualClock { time })
    }

    /// The monotonic time. Only differences between two such instants of the same clock mean something.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where the time is injected from")]
    pub fn now(&self) -> Instant {
        match &self.source {
            Source::System => Instant::now(),
            Source::Manual(time) => time.start + time.passed(),
        }
    }

    /// The date and time of day. It can jump; never measure a duration with it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where the time is injected from")]
    pub fn wall(&self) -> Timestamp {
        match &self.source {
            Source::System => Timestamp::now(),
            Source::Manual(time) => time.start_wall.checked_add(time.passed()).unwrap_or(Timestamp::MAX),
        }
    }
}

impl ManualTime {
    fn passed(&self) -> Duration {
        Duration::from_nanos(self.passed_nanos.load(Ordering::Acquire))
    }
}

/// Moves the [`Clock`]s it was made with. Cloned, it moves the same ones.
#[derive(Clone, Debug)]
pub struct ManualClock {
    time: Arc<ManualTime>,
}

impl ManualClock {
    /// Lets `by` pass, for every clone of the clock at once.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.time.passed_nanos.fetch_add(nanos, Ordering::AcqRel);
    }

    /// Another clock that shows the same time.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock { source: Source::Manual(Arc::clone(&self.time)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let (clock, hand) = Clock::manual();
        let (start, wall) = (clock.now(), clock.wall());
        assert_eq!(clock.now(), start);
        hand.advance(Duration::from_millis(1500));
        assert_eq!(clock.now() - start, Duration::from_millis(1500));
        assert_eq!(clock.wall().as_millisecond() - wall.as_millisecond(), 1500, "both scales move together");
    }

    #[test]
    fn every_clone_of_a_manual_clock_moves_together() {
        let (clock, hand) = Clock::manual();
        let other = clock.clone();
        hand.clone().advance(Duration::from_secs(7));
        assert_eq!(clock.now(), other.now());
        assert_eq!(hand.clock().wall(), other.wall());
    }

    #[test]
    fn the_manual_date_is_the_one_that_is_documented() {
        let (clock, _hand) = Clock::manual();
        assert_eq!(clock.wall().to_string(), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn the_system_clock_never_goes_back() {
        let clock = Clock::system();
        let first = clock.now();
        assert!(clock.now() >= first);
        assert!(clock.wall().as_second() > 1_767_225_600, "this code was written in 2026");
    }
}
