//! Time as a value that is handed in, so that expiry can be tested without waiting.
//!
//! [`Clock`] is what code asks. [`ManualClock`] is what a test holds to move it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A cheap handle that tells the time: the system's, or that of a [`ManualClock`].
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(ManualClock),
}

impl Clock {
    /// The clock of the operating system.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The present moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Source::System => SystemTime::now(),
            Source::Manual(manual) => manual.now(),
        }
    }

    /// The present moment in whole seconds since the Unix epoch, as JWT claims use it (RFC 7519, 2).
    /// Zero for a moment before the epoch.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        unix_seconds(self.now())
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl From<ManualClock> for Clock {
    fn from(manual: ManualClock) -> Self {
        Self(Source::Manual(manual))
    }
}

/// A clock that stands still until it is told to move. Clones share the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<SystemTime>>);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// The handle to give to the code under test.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::from(self.clone())
    }

    /// Where the clock stands.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

/// A moment in whole seconds since the Unix epoch; zero before it.
#[must_use]
pub fn unix_seconds(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_it_is_told_to() {
        let manual = ManualClock::new(UNIX_EPOCH + Duration::from_secs(100));
        let clock = manual.clock();
        assert_eq!(clock.unix_seconds(), 100);
        manual.advance(Duration::from_secs(5));
        assert_eq!(clock.unix_seconds(), 105);
        assert_eq!(clock.now(), clock.now());
    }
}
