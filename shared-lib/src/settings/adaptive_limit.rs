//! `[server.adaptive_limit]`: how many requests are worked on at once.

use serde::Deserialize;

use super::findings::{Findings, key};

/// The bounds within which the limit on concurrent requests finds its value. Every key has a default, which suits a
/// service that waits for others most of the time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptiveLimitSettings {
    /// Whether requests beyond the limit are refused (default true). The limit is found and shown either way.
    pub enabled: bool,
    /// The limit at the start, `min` to `max` requests (default 256).
    pub initial: u32,
    /// The limit never falls below this, at least 1 request (default 16). It is what is still worked on when the
    /// measurements mislead.
    pub min: u32,
    /// The limit never rises above this, at most 100,000 requests (default 4,096).
    pub max: u32,
    /// How many times the usual latency is still taken for usual, 1.1 to 10 (default 1.5). Larger admits more and
    /// answers later.
    pub tolerance: f64,
}

impl Default for AdaptiveLimitSettings {
    fn default() -> Self {
        Self { enabled: true, initial: 256, min: 16, max: 4_096, tolerance: 1.5 }
    }
}

impl AdaptiveLimitSettings {
    /// Checks ranges. `prefix` is the section's path, such as `server.adaptive_limit`.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        findings.require(self.min >= 1, key(prefix, "min"), "must be at least 1");
        let message = "must be from min to 100000";
        findings.require((self.min..=100_000).contains(&self.max), key(prefix, "max"), message);
        let message = "must be from min to max";
        findings.require((self.min..=self.max).contains(&self.initial), key(prefix, "initial"), message);
        let message = "must be from 1.1 to 10";
        findings.require((1.1..=10.0).contains(&self.tolerance), key(prefix, "tolerance"), message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_each_wrong_bound_is_named() {
        let mut findings = Findings::new();
        AdaptiveLimitSettings::default().audit("server.adaptive_limit", &mut findings);
        assert!(findings.is_empty(), "{findings}");
        let wrong = AdaptiveLimitSettings { min: 0, max: 200_000, initial: 300_000, tolerance: 1.0, enabled: true };
        wrong.audit("server.adaptive_limit", &mut findings);
        let paths: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, ["min", "max", "initial", "tolerance"].map(|name| format!("server.adaptive_limit.{name}")));
    }
}
