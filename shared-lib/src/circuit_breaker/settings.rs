//! What can be configured of a breaker, with defaults that also protect a pod with little traffic.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of one breaker. Rates are in percent, durations in milliseconds.
///
/// # Why these defaults
/// Resilience4j judges after 100 calls. Twenty replicas that share 20 calls a second to a downstream see one call a second
/// each: 100 calls are two minutes of errors before anything opens, and with a time window of one minute it never opens at
/// all. Here `minimum_calls` is 10 in a window of 60 seconds, so a pod with one call in six seconds is still protected.
/// Fewer would open by chance: with a background of 5 % errors, at least 5 failures in 10 calls happen by chance in 6 of
/// 100,000 judgements, at least 3 in 5 in 116 of 100,000. A time window is the default because in a quiet pod the last 100
/// calls may reach back for hours, and old failures say nothing of now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "snake_case")]
pub struct CircuitBreakerSettings {
    /// Whether the window holds the last calls (`count`) or the last seconds (`time`, the default).
    pub window_type: WindowType,
    /// Calls in a count window, 1 to 10,000 (default 100). A time window does not use it.
    pub window_size: u32,
    /// Length of a time window in whole seconds, 1,000 to 3,600,000 (default 60,000). It moves on in steps of one second.
    /// A count window does not use it.
    pub window_ms: u64,
    /// Calls that must be in the window before it is judged, at least 1 (default 10).
    pub minimum_calls: u32,
    /// The breaker opens when this share of calls failed, over 0 to 100 (default 50).
    pub failure_rate_threshold: f64,
    /// The breaker opens when this share of calls was slow, over 0 to 100 (default 80).
    pub slow_call_rate_threshold: f64,
    /// A call that takes longer than this is slow, whatever its outcome, at least 1 (default 2,000).
    pub slow_call_duration_ms: u64,
    /// Trial calls that half-open admits, 1 to 1,000 (default 5). The verdict falls after this many results, or after
    /// `minimum_calls` when that is fewer.
    pub permitted_calls_in_half_open: u32,
    /// Half-open goes back to open when there is no verdict after this time; 0 (the default) waits for ever. It is safe to
    /// wait because lost trials give their places back. A pod without traffic would only go back and forth.
    pub max_wait_in_half_open_ms: u64,
    /// First wait in open before trial calls, 1 to 3,600,000 (default 5,000).
    pub wait_in_open_ms: u64,
    /// Factor by which the wait grows each time that the trials fail, 1 to 10 (default 2; 1 means no back-off).
    pub wait_in_open_multiplier: f64,
    /// The wait never grows over this, `wait_in_open_ms` to 3,600,000 (default 60,000).
    pub wait_in_open_cap_ms: u64,
    /// Whether half-open begins when the wait is over (`true`, the default) or with the next call after that. The calls
    /// are treated alike; what differs is what an operator sees of a breaker that nobody uses.
    pub automatic_transition_to_half_open: bool,
    /// What a call counts as that its caller gave up (default `ignore`).
    pub cancelled_calls: CancelledCalls,
    /// The state that the breaker starts in (default `closed`).
    pub initial_state: InitialState,
}

/// What the window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowType {
    /// The last `window_size` calls, however old.
    Count,
    /// The calls of the last `window_ms`, however many.
    #[default]
    Time,
}

/// What a permit counts as that is dropped without an outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelledCalls {
    /// As nothing: a caller that goes away says nothing about the downstream.
    #[default]
    Ignore,
    /// As a failure.
    Failure,
    /// As a failure when it was slow by then, else as nothing: for callers whose own time-out drops the call.
    FailureIfSlow,
}

/// The state that a breaker starts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitialState {
    /// Watch and open when needed.
    #[default]
    Closed,
    /// Admit everything and count nothing.
    Disabled,
    /// Admit everything and count.
    MetricsOnly,
    /// Refuse everything.
    ForcedOpen,
}

impl Default for CircuitBreakerSettings {
    fn default() -> Self {
        Self {
            window_type: WindowType::Time,
            window_size: 100,
            window_ms: 60_000,
            minimum_calls: 10,
            failure_rate_threshold: 50.0,
            slow_call_rate_threshold: 80.0,
            slow_call_duration_ms: 2_000,
            permitted_calls_in_half_open: 5,
            max_wait_in_half_open_ms: 0,
            wait_in_open_ms: 5_000,
            wait_in_open_multiplier: 2.0,
            wait_in_open_cap_ms: 60_000,
            automatic_transition_to_half_open: true,
            cancelled_calls: CancelledCalls::Ignore,
            initial_state: InitialState::Closed,
        }
    }
}

const HOUR_MS: u64 = 3_600_000;

impl CircuitBreakerSettings {
    /// Everything that is wrong with these settings, as (key, message). Empty when all is well.
    #[must_use]
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut check = |holds: bool, key: &str, message: &str| {
            if !holds {
                wrong.push((key.to_owned(), message.to_owned()));
            }
        };
        let percent = |value: f64| value > 0.0 && value <= 100.0;
        check((1..=10_000).contains(&self.window_size), "window_size", "must be 1 to 10,000 calls");
        check(
            (1_000..=HOUR_MS).contains(&self.window_ms) && self.window_ms.is_multiple_of(1_000),
            "window_ms",
            "must be whole seconds, 1,000 to 3,600,000 milliseconds",
        );
        check(self.minimum_calls >= 1, "minimum_calls", "must be at least 1");
        check(
            self.window_type == WindowType::Time || self.minimum_calls <= self.window_size,
            "minimum_calls",
            "must not be over window_size: a count window never holds more calls",
        );
        check(percent(self.failure_rate_threshold), "failure_rate_threshold", "must be over 0 and at most 100 percent");
        check(
            percent(self.slow_call_rate_threshold),
            "slow_call_rate_threshold",
            "must be over 0 and at most 100 percent",
        );
        check(self.slow_call_duration_ms >= 1, "slow_call_duration_ms", "must be at least 1 millisecond");
        check(
            (1..=1_000).contains(&self.permitted_calls_in_half_open),
            "permitted_calls_in_half_open",
            "must be 1 to 1,000 calls",
        );
        check(
            self.max_wait_in_half_open_ms <= HOUR_MS,
            "max_wait_in_half_open_ms",
            "must be at most 3,600,000 milliseconds; 0 waits for ever",
        );
        check((1..=HOUR_MS).contains(&self.wait_in_open_ms), "wait_in_open_ms", "must be 1 to 3,600,000 milliseconds");
        check((1.0..=10.0).contains(&self.wait_in_open_multiplier), "wait_in_open_multiplier", "must be 1 to 10");
        check(
            (self.wait_in_open_ms..=HOUR_MS).contains(&self.wait_in_open_cap_ms),
            "wait_in_open_cap_ms",
            "must be at least wait_in_open_ms and at most 3,600,000 milliseconds",
        );
        wrong
    }
}

/// The settings in the form that the machine calculates with. Values that [`CircuitBreakerSettings::validate`] objects to
/// are moved to the nearest sensible one, so that a breaker always works.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) window_type: WindowType,
    pub(crate) window_size: usize,
    pub(crate) window_seconds: usize,
    pub(crate) minimum_calls: u64,
    pub(crate) failure_rate_threshold: f64,
    pub(crate) slow_call_rate_threshold: f64,
    pub(crate) slow_call_duration: Duration,
    pub(crate) permitted_in_half_open: u32,
    pub(crate) max_wait_in_half_open: Option<Duration>,
    wait_ms: f64,
    wait_multiplier: f64,
    wait_cap_ms: f64,
    pub(crate) automatic_transition: bool,
    pub(crate) cancelled_calls: CancelledCalls,
}

impl Plan {
    pub(crate) fn new(settings: &CircuitBreakerSettings) -> Self {
        let percent = |value: f64| {
            if value > 0.0 { value.min(100.0) } else { 100.0 }
        };
        let window_size = settings.window_size.clamp(1, 10_000);
        let minimum_calls = match settings.window_type {
            WindowType::Count => settings.minimum_calls.clamp(1, window_size),
            WindowType::Time => settings.minimum_calls.max(1),
        };
        let wait_ms = settings.wait_in_open_ms.clamp(1, HOUR_MS);
        Self {
            window_type: settings.window_type,
            window_size: window_size as usize,
            window_seconds: (settings.window_ms.clamp(1_000, HOUR_MS) / 1_000) as usize,
            minimum_calls: u64::from(minimum_calls),
            failure_rate_threshold: percent(settings.failure_rate_threshold),
            slow_call_rate_threshold: percent(settings.slow_call_rate_threshold),
            slow_call_duration: Duration::from_millis(settings.slow_call_duration_ms.max(1)),
            permitted_in_half_open: settings.permitted_calls_in_half_open.clamp(1, 1_000),
            max_wait_in_half_open: match settings.max_wait_in_half_open_ms {
                0 => None,
                wait => Some(Duration::from_millis(wait.min(HOUR_MS))),
            },
            wait_ms: wait_ms as f64,
            wait_multiplier: settings.wait_in_open_multiplier.max(1.0),
            wait_cap_ms: settings.wait_in_open_cap_ms.clamp(wait_ms, HOUR_MS) as f64,
            automatic_transition: settings.automatic_transition_to_half_open,
            cancelled_calls: settings.cancelled_calls,
        }
    }

    /// How long open lasts when it is entered for the `attempt`-th time in a row (from 1).
    pub(crate) fn wait_in_open(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let wait = self.wait_ms * self.wait_multiplier.powi(exponent);
        Duration::from_millis(wait.min(self.wait_cap_ms) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(CircuitBreakerSettings::default().validate(), vec![]);
    }

    #[test]
    fn each_wrong_value_is_named_by_its_key() {
        let settings = CircuitBreakerSettings {
            window_type: WindowType::Count,
            window_size: 5,
            minimum_calls: 6,
            window_ms: 1_500,
            failure_rate_threshold: f64::NAN,
            slow_call_rate_threshold: 100.1,
            slow_call_duration_ms: 0,
            permitted_calls_in_half_open: 0,
            max_wait_in_half_open_ms: HOUR_MS + 1,
            wait_in_open_ms: 0,
            wait_in_open_multiplier: 0.5,
            wait_in_open_cap_ms: HOUR_MS + 1,
            ..CircuitBreakerSettings::default()
        };
        let keys: Vec<String> = settings.validate().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "window_ms",
                "minimum_calls",
                "failure_rate_threshold",
                "slow_call_rate_threshold",
                "slow_call_duration_ms",
                "permitted_calls_in_half_open",
                "max_wait_in_half_open_ms",
                "wait_in_open_ms",
                "wait_in_open_multiplier",
                "wait_in_open_cap_ms",
            ]
        );
    }

    #[test]
    fn an_unknown_key_is_refused_and_missing_ones_have_defaults() {
        let known: CircuitBreakerSettings =
            toml::from_str("window_type = \"count\"\nwindow_size = 20").expect("known keys");
        assert_eq!(known.window_type, WindowType::Count);
        assert_eq!(known.minimum_calls, 10);
        let error = toml::from_str::<CircuitBreakerSettings>("window_sise = 20").expect_err("a misspelt key");
        assert!(error.to_string().contains("window_sise"), "{error}");
    }
}
