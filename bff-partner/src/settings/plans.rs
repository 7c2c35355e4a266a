//! `[plans.<name>]`: what a key may ask for in a second, a minute, and so on; and `[limits]`: what all plans share.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use serde::Deserialize;
use shared_lib::{
    rate_limit::{PolicyError, RatePolicy},
    settings::{Findings, key},
};

use crate::limits;

/// The plans by name.
pub type PlansSettings = BTreeMap<String, PlanSettings>;

/// What all plans share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsSettings {
    /// How many keys are remembered.
    pub max_keys: usize,
    /// How many replicas share the limits while Redis is away.
    pub replicas: NonZeroU32,
}

/// One plan.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanSettings {
    /// For the short run.
    pub burst: RateSettings,
    /// For the long run.
    pub sustained: RateSettings,
    /// Calls at the same time.
    pub concurrency: NonZeroU32,
}

/// One rate.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSettings {
    /// Units in any window.
    pub quota: NonZeroU32,
    /// The length of a window in seconds.
    pub window_s: u64,
    /// Units at the same moment.
    pub at_once: NonZeroU32,
}

impl RateSettings {
    fn policy(&self, name: &str) -> Result<RatePolicy, PolicyError> {
        RatePolicy::new(name, self.quota, Duration::from_secs(self.window_s), self.at_once)
    }
}

impl PlanSettings {
    /// The policies that a call is held to, in the order in which headers name them.
    ///
    /// # Errors
    /// When the numbers make no policy.
    pub fn rate_policies(&self) -> Result<Vec<RatePolicy>, PolicyError> {
        self.rates().into_iter().map(|(name, rate)| rate.policy(name)).collect()
    }

    fn rates(&self) -> [(&'static str, RateSettings); 2] {
        [("burst", self.burst), ("sustained", self.sustained)]
    }
}

impl LimitsSettings {
    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        findings.require(self.max_keys > 0, key(prefix, "max_keys"), "must be 1 or more");
    }
}

/// Checks what types cannot. `prefix` is the section's path.
pub(super) fn audit(plans: &PlansSettings, prefix: &str, findings: &mut Findings) {
    findings.require(!plans.is_empty(), prefix, "must have at least one plan");
    let heaviest = limits::heaviest();
    for (name, plan) in plans {
        for (policy, rate) in plan.rates() {
            let path = format!("{prefix}.{name}.{policy}");
            if let Err(error) = rate.policy(policy) {
                findings.error(path.as_str(), error.to_string());
            }
            let message =
                format!("must be at least {heaviest}, what the heaviest call weighs, or it could never be made");
            findings.require(rate.at_once >= heaviest, format!("{path}.at_once"), message);
        }
    }
}
