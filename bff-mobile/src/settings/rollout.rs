//! `[rollout]`: where the minimum versions and the feature flags stand.

use serde::Deserialize;
use shared_lib::settings::{Findings, key};

/// Where the minimum versions and the feature flags stand.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutSettings {
    /// The file; absent: every version is served and there are no flags.
    pub file: Option<String>,
    /// How often a change of the file is looked for.
    pub poll_interval_ms: u64,
}

impl RolloutSettings {
    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let within = (1..=3_600_000).contains(&self.poll_interval_ms);
        findings.require(within, key(prefix, "poll_interval_ms"), "must be from 1 to 3600000");
    }
}
