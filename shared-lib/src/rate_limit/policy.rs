//! One promise: so many units in any window of such a length.

use std::{num::NonZeroU32, time::Duration};

/// The longest name of a policy, in bytes.
const MAX_NAME_BYTES: usize = 32;

/// The longest window: a day. What counts by day or month is a quota, which has a calendar.
const MAX_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// At most `quota` units in any window of length `window`, at most `at_once` of them at the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatePolicy {
    name: String,
    quota: NonZeroU32,
    window: Duration,
    at_once: NonZeroU32,
}

/// Numbers that make no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The name cannot stand in a header as it is.
    #[error("the name must be 1 to 32 characters of a-z, 0-9 and -")]
    Name,
    /// The window is not a whole number of seconds up to a day.
    #[error("the window must be whole seconds, from 1 to 86400")]
    Window,
    /// More at once than in the window.
    #[error("what is admitted at once must not be more than the quota")]
    AtOnce,
}

impl RatePolicy {
    /// A policy. The window is in whole seconds, because the header field knows nothing smaller.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn new(name: &str, quota: NonZeroU32, window: Duration, at_once: NonZeroU32) -> Result<Self, PolicyError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(plain) {
            return Err(PolicyError::Name);
        }
        if window.is_zero() || window.subsec_nanos() > 0 || window > MAX_WINDOW {
            return Err(PolicyError::Window);
        }
        if at_once > quota {
            return Err(PolicyError::AtOnce);
        }
        Ok(Self { name: name.to_owned(), quota, window, at_once })
    }

    /// Its name, in headers and in the problem of a refused call.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Units in any window.
    #[must_use]
    pub fn quota(&self) -> NonZeroU32 {
        self.quota
    }

    /// The length of a window.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// Units at the same moment, after a pause that is long enough. The smaller it is against the quota, the closer is
    /// what a steady caller gets to `quota` per `window`: `quota - at_once + 1`.
    #[must_use]
    pub fn at_once(&self) -> NonZeroU32 {
        self.at_once
    }

    /// How long it takes until one more unit is there.
    ///
    /// In a closed window of length `w` a bucket of `b` units that gets one every `t` admits at most `b + floor(w / t)`.
    /// With `t` just above `w / (q - b + 1)` that is at most `q`.
    #[must_use]
    pub fn refill(&self) -> Duration {
        let refills = u64::from(self.quota.get() - self.at_once.get()) + 1;
        // A day has 8.64e13 nanoseconds, so 64 bits are enough.
        let window = u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(window / refills + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).expect("not zero")
    }

    #[test]
    fn numbers_that_make_no_policy_are_refused() {
        let policy = |name, window, at_once| RatePolicy::new(name, units(10), window, units(at_once)).map(|_| ());
        let second = Duration::from_secs(1);
        assert_eq!(policy("burst", second, 10), Ok(()));
        let too_long = "x".repeat(33);
        for name in ["", "Burst", "a b", "a\"b", &too_long] {
            assert_eq!(policy(name, second, 1), Err(PolicyError::Name), "{name:?}");
        }
        for window in [Duration::ZERO, Duration::from_millis(1500), MAX_WINDOW + second] {
            assert_eq!(policy("burst", window, 1), Err(PolicyError::Window), "{window:?}");
        }
        assert_eq!(policy("burst", second, 11), Err(PolicyError::AtOnce));
    }

    #[test]
    fn a_small_burst_leaves_a_steady_caller_nearly_the_whole_quota() {
        let policy = RatePolicy::new("sustained", units(600), Duration::from_secs(60), units(60)).expect("a policy");
        let per_window = policy.window().as_nanos() / policy.refill().as_nanos();
        assert_eq!(per_window, 540);
    }
}
