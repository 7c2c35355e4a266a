//! Whether a failed call is sent again, and when.
//!
//! A retry hides a passing fault: a connection that the peer had just closed, an instance that is being replaced. It also
//! multiplies load exactly when a service can bear it least. So a retry has to pass every one of these, in this order:
//!
//! 1. **The failure is of the passing kind, and the caller says that the call is idempotent** (RFC 9110 section 9.2.2, or
//!    an idempotency key goes with it). Where no connection came about, nothing was sent, and any call may go to another
//!    instance. A refusal by our own circuit breaker does not pass in a moment.
//! 2. **The policy has an attempt left** ([`RetryPolicy::next_delay`]).
//! 3. **The wait ends before the deadline.** A wait that does not is not begun; the caller learns of the failure at once.
//! 4. **The retry budget has a token** ([`RetryBudget::try_withdraw`]). It is asked last, because asking spends.
//!
//! Retry in one layer only: three layers with three attempts each are 27 attempts on the wire.
//!
//! # The wait
//! Exponential, capped, and random. Without randomness all callers that failed together come back together. Two kinds are
//! offered, both from Marc Brooker's "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): full jitter draws
//! from zero to the exponential bound, decorrelated jitter draws from the base to three times the wait before. A
//! `Retry-After` of the service (RFC 9110 section 10.2.3) is a lower bound, with a little jitter on top for the same
//! reason.

mod budget;
mod retry_after;

use std::time::Duration;

use rand::Rng;
use serde::{Deserialize, Serialize};

pub use budget::RetryBudget;
pub use retry_after::parse_retry_after;

/// Settings of the retries to one downstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "snake_case")]
pub struct RetrySettings {
    /// Attempts on the wire for one call, the first included, 1 to 10 (default 3; 1 means no retry).
    pub max_attempts: u32,
    /// Bound of the first wait in milliseconds, 1 to 60,000 (default 50). It doubles with each retry.
    pub base_ms: u64,
    /// The wait never grows over this many milliseconds, `base_ms` to 60,000 (default 1,000). `Retry-After` may ask for more.
    pub cap_ms: u64,
    /// How the wait is drawn (default `full`).
    pub jitter: Jitter,
    /// Retries that each first attempt pays for, 0 to 1 (default 0.2): at most so many more attempts when everything fails.
    pub budget_ratio: f64,
    /// Retries a second that are free, 0 to 1,000 (default 1), so that a quiet pod can retry at all.
    pub budget_floor_per_second: f64,
    /// How long a first attempt's share can be spent, in milliseconds, 1,000 to 3,600,000 (default 10,000), so that a
    /// quiet night does not pay for a storm in the morning.
    pub budget_ttl_ms: u64,
}

/// How a wait is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// From zero to `base * 2^(retry - 1)`: the least load on the service.
    #[default]
    Full,
    /// From the base to three times the wait before: never shorter than the base.
    Decorrelated,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base_ms: 50,
            cap_ms: 1_000,
            jitter: Jitter::Full,
            budget_ratio: 0.2,
            budget_floor_per_second: 1.0,
            budget_ttl_ms: 10_000,
        }
    }
}

const MINUTE_MS: u64 = 60_000;

impl RetrySettings {
    /// Everything that is wrong with these settings, as (key, message). Empty when all is well.
    #[must_use]
    pub fn validate(&self) -> Vec<(String, String)> {
        let cap = self.base_ms..=MINUTE_MS;
        let checks = [
            ((1..=10).contains(&self.max_attempts), "max_attempts", "must be 1 to 10 attempts, the first included"),
            ((1..=MINUTE_MS).contains(&self.base_ms), "base_ms", "must be 1 to 60,000 milliseconds"),
            (cap.contains(&self.cap_ms), "cap_ms", "must be at least base_ms and at most 60,000 milliseconds"),
            ((0.0..=1.0).contains(&self.budget_ratio), "budget_ratio", "must be 0 to 1 retries per first attempt"),
            (
                (0.0..=1_000.0).contains(&self.budget_floor_per_second),
                "budget_floor_per_second",
                "must be 0 to 1,000 retries a second",
            ),
            (
                (1_000..=3_600_000).contains(&self.budget_ttl_ms),
                "budget_ttl_ms",
                "must be 1,000 to 3,600,000 milliseconds",
            ),
        ];
        checks
            .into_iter()
            .filter(|(holds, ..)| !holds)
            .map(|(_, key, message)| (key.to_owned(), message.to_owned()))
            .collect()
    }
}

/// The pure part: attempts, waits and the deadline. It knows no budget and keeps no state.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    max_attempts: u32,
    base: Duration,
    cap: Duration,
    jitter: Jitter,
}

impl RetryPolicy {
    /// The policy of these settings.
    #[must_use]
    pub fn new(settings: &RetrySettings) -> Self {
        let base_ms = settings.base_ms.clamp(1, MINUTE_MS);
        Self {
            max_attempts: settings.max_attempts,
            base: Duration::from_millis(base_ms),
            cap: Duration::from_millis(settings.cap_ms.clamp(base_ms, MINUTE_MS)),
            jitter: settings.jitter,
        }
    }

    /// How long to wait before the next attempt of an idempotent call, or nothing when there is none.
    ///
    /// `attempts_made` counts the attempts that failed so far, the first included (so from 1). `retry_after` is what the
    /// service asked for. `remaining` is the time left of the request; the wait always ends before it does.
    #[must_use]
    pub fn next_delay(
        &self,
        attempts_made: u32,
        retry_after: Option<Duration>,
        remaining: Duration,
    ) -> Option<Duration> {
        self.next_delay_with(attempts_made, retry_after, remaining, &mut rand::rng())
    }

    /// As [`Self::next_delay`], with the caller's source of randomness.
    #[must_use]
    pub fn next_delay_with(
        &self,
        attempts_made: u32,
        retry_after: Option<Duration>,
        remaining: Duration,
        rng: &mut impl Rng,
    ) -> Option<Duration> {
        if attempts_made == 0 || attempts_made >= self.max_attempts {
            return None;
        }
        let mut delay = self.backoff(attempts_made, rng);
        if let Some(asked) = retry_after {
            let spread = rng.random_range(Duration::ZERO..=self.base);
            delay = delay.max(asked.saturating_add(spread));
        }
        (delay < remaining).then_some(delay)
    }

    fn backoff(&self, attempts_made: u32, rng: &mut impl Rng) -> Duration {
        match self.jitter {
            Jitter::Full => {
                let doublings = attempts_made.saturating_sub(1).min(31);
                let bound = self.base.saturating_mul(1 << doublings).min(self.cap);
                rng.random_range(Duration::ZERO..=bound)
            }
            // The wait before is not remembered but drawn anew: what counts is the distribution, and that is the same.
            Jitter::Decorrelated => (0..attempts_made.min(32))
                .fold(self.base, |before, _| rng.random_range(self.base..=before.saturating_mul(3)).min(self.cap)),
        }
    }
}

#[cfg(test)]
mod tests;
