//! One promise: so many units in any window of such a length.

use std::{num::NonZeroU32, time::Duration};

/// The longest name of a policy, in bytes.
const MAX_NAME_BYTES: usize = 32;

/// The longest window: a day. What counts by day or month is a [`QuotaPolicy`](super::QuotaPolicy), which has a calendar.
const MAX_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// The longest that an empty policy takes to be full again. Times are counted in nanoseconds of 64 bits, which are some
/// centuries.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// At most `quota` units in any window of length `window`, at most `at_once` of them at the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatePolicy {
    name: String,
    quota: NonZeroU32,
    window: Duration,
    at_once: NonZeroU32,
    shadow: bool,
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
    /// So much at once, so slowly refilled, that no clock counts to the end of it.
    #[error("what is admitted at once must be there again within a century")]
    TooMuchAtOnce,
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
        let policy = Self { name: name.to_owned(), quota, window, at_once, shadow: false };
        let full_again = policy.refill().as_nanos() * u128::from(at_once.get());
        if full_again > CENTURY.as_nanos() {
            return Err(PolicyError::TooMuchAtOnce);
        }
        Ok(policy)
    }

    /// The same in shadow: what it would refuse is counted, and nobody is refused or told. For trying a policy out.
    #[must_use]
    pub fn in_shadow(mut self) -> Self {
        self.shadow = true;
        self
    }

    /// Whether it only counts.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// The part of one of `replicas` that share nothing: the quota divided and rounded down, but enough for a call of
    /// `heaviest` units wherever the whole policy is enough for it. So that `n` of them admit at most
    /// `n · max(quota / replicas, heaviest)`.
    #[must_use]
    pub fn share(&self, replicas: NonZeroU32, heaviest: NonZeroU32) -> Self {
        let least = heaviest.min(self.at_once);
        let part =
            |whole: NonZeroU32| NonZeroU32::new(whole.get() / replicas.get()).map_or(least, |part| part.max(least));
        let quota = part(self.quota);
        Self { quota, at_once: part(self.at_once).min(quota), ..self.clone() }
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
        let most = units(1_000_000_000);
        let slow = RatePolicy::new("burst", most, Duration::from_secs(60), most);
        assert_eq!(slow, Err(PolicyError::TooMuchAtOnce));
        assert!(RatePolicy::new("burst", most, Duration::from_secs(60), units(500_000_000)).is_ok());
    }

    /// Shows: P4
    #[test]
    fn shares_together_are_at_most_the_whole_unless_the_heaviest_call_needs_more() {
        let policy = |quota, at_once| {
            RatePolicy::new("burst", units(quota), Duration::from_secs(1), units(at_once)).expect("a policy")
        };
        let share = |policy: &RatePolicy, replicas| {
            let share = policy.share(units(replicas), units(5));
            (share.quota().get(), share.at_once().get())
        };
        assert_eq!(share(&policy(100, 50), 1), (100, 50));
        assert_eq!(share(&policy(100, 50), 3), (33, 16));
        assert_eq!(share(&policy(20, 10), 3), (6, 5), "what may be called once may be called");
        assert_eq!(share(&policy(20, 10), 40), (5, 5));
        assert_eq!(share(&policy(3, 2), 3), (2, 2), "never more than the whole");
    }

    #[test]
    fn a_small_burst_leaves_a_steady_caller_nearly_the_whole_quota() {
        let policy = RatePolicy::new("sustained", units(600), Duration::from_secs(60), units(60)).expect("a policy");
        let per_window = policy.window().as_nanos() / policy.refill().as_nanos();
        assert_eq!(per_window, 540);
    }
}
