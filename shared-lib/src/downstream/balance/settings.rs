//! What can be configured of balancing.

use serde::{Deserialize, Serialize};

/// Settings of the balancing over one downstream's instances. Durations are in milliseconds, shares in percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "snake_case")]
pub struct BalanceSettings {
    /// How long a latency is remembered: after this time its weight is 1/e, 100 to 600,000 (default 10,000, as Finagle).
    pub decay_ms: u64,
    /// The latency assumed of an instance before anything is known of any, 1 to 60,000 (default 30, as linkerd).
    pub default_latency_ms: u64,
    /// How long a new instance ramps up to its full share, at most 3,600,000; 0 is at once (default 30,000).
    pub slow_start_ms: u64,
    /// The share of the picks it wins that a new instance takes at first, 1 to 100 (default 10).
    pub slow_start_min_percent: u32,
    /// Leaving out instances that fail.
    pub outlier: OutlierSettings,
}

/// Settings of outlier ejection, named as Envoy's where they mean the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "snake_case")]
pub struct OutlierSettings {
    /// Failures in a row that eject, at most 1,000; 0 turns this criterion off (default 3). Few enough that one dead instance
    /// of two is out before the downstream's circuit breaker, which judges ten calls, has to take half of them for failed.
    pub consecutive_failures: u32,
    /// How often success rates are compared, 1,000 to 600,000 (default 10,000).
    pub interval_ms: u64,
    /// Attempts that an instance needs within an interval to be compared, at least 1 (default 20).
    pub success_rate_request_volume: u32,
    /// How many standard deviations of the others below their mean is too low, 0 to 10 (default 1.9).
    pub success_rate_stdev_factor: f64,
    /// How many percentage points below the others' mean is too low at the least, over 0 to 100 (default 20).
    pub success_rate_margin_percent: f64,
    /// Length of the first ejection, 1 to 3,600,000 (default 30,000). It doubles with each one that follows closely.
    pub base_ejection_ms: u64,
    /// The longest ejection, `base_ejection_ms` to 3,600,000 (default 300,000).
    pub max_ejection_ms: u64,
    /// The share of instances that may be out at once, at most 100 (default 50). Among two or more, one may always be out
    /// unless this is 0, which turns ejection off. A sole instance is never ejected.
    pub max_ejection_percent: u32,
    /// When less than this share is in, ejection is ignored, at most 100 (default 50).
    pub panic_threshold_percent: u32,
}

impl Default for BalanceSettings {
    fn default() -> Self {
        Self {
            decay_ms: 10_000,
            default_latency_ms: 30,
            slow_start_ms: 30_000,
            slow_start_min_percent: 10,
            outlier: OutlierSettings::default(),
        }
    }
}

impl Default for OutlierSettings {
    fn default() -> Self {
        Self {
            consecutive_failures: 3,
            interval_ms: 10_000,
            success_rate_request_volume: 20,
            success_rate_stdev_factor: 1.9,
            success_rate_margin_percent: 20.0,
            base_ejection_ms: 30_000,
            max_ejection_ms: 300_000,
            max_ejection_percent: 50,
            panic_threshold_percent: 50,
        }
    }
}

const HOUR_MS: u64 = 3_600_000;

impl BalanceSettings {
    /// Everything that is wrong with these settings, as (key, message). Empty when all is well.
    #[must_use]
    pub fn validate(&self) -> Vec<(String, String)> {
        let outlier = &self.outlier;
        let longest = outlier.base_ejection_ms..=HOUR_MS;
        let checks = [
            ((100..=600_000).contains(&self.decay_ms), "decay_ms", "must be 100 to 600,000 milliseconds"),
            ((1..=60_000).contains(&self.default_latency_ms), "default_latency_ms", "must be 1 to 60,000 milliseconds"),
            (self.slow_start_ms <= HOUR_MS, "slow_start_ms", "must be at most 3,600,000 milliseconds; 0 is at once"),
            ((1..=100).contains(&self.slow_start_min_percent), "slow_start_min_percent", "must be 1 to 100 percent"),
            (
                outlier.consecutive_failures <= 1_000,
                "outlier.consecutive_failures",
                "must be at most 1,000; 0 turns it off",
            ),
            (
                (1_000..=600_000).contains(&outlier.interval_ms),
                "outlier.interval_ms",
                "must be 1,000 to 600,000 milliseconds",
            ),
            (outlier.success_rate_request_volume >= 1, "outlier.success_rate_request_volume", "must be at least 1"),
            (
                (0.0..=10.0).contains(&outlier.success_rate_stdev_factor),
                "outlier.success_rate_stdev_factor",
                "must be 0 to 10",
            ),
            (
                outlier.success_rate_margin_percent > 0.0 && outlier.success_rate_margin_percent <= 100.0,
                "outlier.success_rate_margin_percent",
                "must be over 0 and at most 100 percent",
            ),
            (
                (1..=HOUR_MS).contains(&outlier.base_ejection_ms),
                "outlier.base_ejection_ms",
                "must be 1 to 3,600,000 milliseconds",
            ),
            (
                longest.contains(&outlier.max_ejection_ms),
                "outlier.max_ejection_ms",
                "must be at least base_ejection_ms and at most 3,600,000 milliseconds",
            ),
            (
                outlier.max_ejection_percent <= 100,
                "outlier.max_ejection_percent",
                "must be at most 100 percent; 0 turns ejection off",
            ),
            (outlier.panic_threshold_percent <= 100, "outlier.panic_threshold_percent", "must be at most 100 percent"),
        ];
        checks
            .into_iter()
            .filter(|(holds, ..)| !holds)
            .map(|(_, key, message)| (key.to_owned(), message.to_owned()))
            .collect()
    }
}
