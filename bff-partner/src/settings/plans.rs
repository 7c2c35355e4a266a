//! `[plans.<name>]`: what a key may ask for in a second, a minute, and so on; and `[limits]`: what all plans share.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use serde::Deserialize;
use shared_lib::{
    rate_limit::{MAX_QUOTA, Period, PolicyError, QuotaPolicy, RatePolicy},
    settings::{Findings, key},
};

use crate::{keys, limits};

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
    /// How often what was used is written down.
    pub record_ms: u64,
}

/// One plan.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanSettings {
    /// For the short run.
    pub burst: RateSettings,
    /// For the long run.
    pub sustained: RateSettings,
    /// Calls at the same time, which each replica counts for itself: n replicas let in at most n times as many.
    pub concurrency: NonZeroU32,
    /// Units of a partner in a day of the calendar; none: any number.
    pub day: Option<QuotaSettings>,
    /// Units of a partner in a month of the calendar; none: any number.
    pub month: Option<QuotaSettings>,
}

/// What one partner has other than its plan says; what is not there is as in the plan.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PartnerLimitsSettings {
    /// For the short run.
    pub burst: Option<RateSettings>,
    /// For the long run.
    pub sustained: Option<RateSettings>,
    /// Calls at the same time.
    pub concurrency: Option<NonZeroU32>,
    /// Units in a day.
    pub day: Option<QuotaSettings>,
    /// Units in a month.
    pub month: Option<QuotaSettings>,
}

/// What partners have other than their plans say, by the partner's name.
pub type PartnersSettings = BTreeMap<String, PartnerLimitsSettings>;

/// One quota.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaSettings {
    /// Units in the period.
    pub units: NonZeroU64,
    /// Whether it only counts what it would refuse.
    #[serde(default)]
    pub shadow: bool,
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
    /// Whether it only counts what it would refuse.
    #[serde(default)]
    pub shadow: bool,
}

impl RateSettings {
    fn policy(&self, name: &str) -> Result<RatePolicy, PolicyError> {
        let policy = RatePolicy::new(name, self.quota, Duration::from_secs(self.window_s), self.at_once)?;
        Ok(if self.shadow { policy.in_shadow() } else { policy })
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

    /// The quotas that a partner is held to, in the order in which headers name them.
    #[must_use]
    pub fn quota_policies(&self) -> Vec<QuotaPolicy> {
        let quota = |(period, quota): (Period, Option<QuotaSettings>)| {
            let quota = quota?;
            let policy = QuotaPolicy::new(period, quota.units.get());
            Some(if quota.shadow { policy.in_shadow() } else { policy })
        };
        [(Period::Day, self.day), (Period::Month, self.month)].into_iter().filter_map(quota).collect()
    }

    /// This plan with what one partner has other than it says.
    #[must_use]
    pub fn with(&self, partner: &PartnerLimitsSettings) -> Self {
        Self {
            burst: partner.burst.unwrap_or(self.burst),
            sustained: partner.sustained.unwrap_or(self.sustained),
            concurrency: partner.concurrency.unwrap_or(self.concurrency),
            day: partner.day.or(self.day),
            month: partner.month.or(self.month),
        }
    }

    /// The most units that one call can ever be admitted with; what is in shadow refuses nobody.
    #[must_use]
    pub fn max_at_once(&self) -> u64 {
        let rates =
            self.rates().into_iter().filter(|(_, rate)| !rate.shadow).map(|(_, rate)| u64::from(rate.at_once.get()));
        let quotas = [self.day, self.month].into_iter().flatten().filter(|quota| !quota.shadow);
        rates.chain(quotas.map(|quota| quota.units.get())).min().unwrap_or(u64::MAX)
    }

    fn rates(&self) -> [(&'static str, RateSettings); 2] {
        [("burst", self.burst), ("sustained", self.sustained)]
    }
}

impl LimitsSettings {
    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        findings.require(self.max_keys > 0, key(prefix, "max_keys"), "must be 1 or more");
        let message = "must be from 10 to 60000";
        findings.require((10..=60_000).contains(&self.record_ms), key(prefix, "record_ms"), message);
    }
}

/// Checks what types cannot. `prefix` is the section's path.
pub(super) fn audit(plans: &PlansSettings, prefix: &str, findings: &mut Findings) {
    findings.require(!plans.is_empty(), prefix, "must have at least one plan");
    for (name, plan) in plans {
        let path = format!("{prefix}.{name}");
        plan.rates().into_iter().for_each(|(policy, rate)| audit_rate(rate, policy, &path, findings));
        audit_quotas(plan.day, plan.month, &path, findings);
    }
}

/// The same of what partners have other than their plans.
pub(super) fn audit_partners(partners: &PartnersSettings, prefix: &str, findings: &mut Findings) {
    for (name, partner) in partners {
        let path = format!("{prefix}.{name}");
        findings.require(keys::is_partner_name(name), path.as_str(), "is no partner's name");
        for (policy, rate) in [("burst", partner.burst), ("sustained", partner.sustained)] {
            if let Some(rate) = rate {
                audit_rate(rate, policy, &path, findings);
            }
        }
        audit_quotas(partner.day, partner.month, &path, findings);
    }
}

fn audit_rate(rate: RateSettings, policy: &str, prefix: &str, findings: &mut Findings) {
    let path = format!("{prefix}.{policy}");
    if let Err(error) = rate.policy(policy) {
        findings.error(path.as_str(), error.to_string());
    }
    let heaviest = limits::heaviest();
    let message = format!("must be at least {heaviest}, what the heaviest call weighs, or it could never be made");
    findings.require(rate.at_once >= heaviest, format!("{path}.at_once"), message);
}

fn audit_quotas(day: Option<QuotaSettings>, month: Option<QuotaSettings>, prefix: &str, findings: &mut Findings) {
    let heaviest = u64::from(limits::heaviest().get());
    for (name, quota) in [("day", day), ("month", month)] {
        let fits = quota.is_none_or(|quota| (heaviest..=MAX_QUOTA).contains(&quota.units.get()));
        let message = format!("must be from {heaviest}, what the heaviest call weighs, to {MAX_QUOTA}");
        findings.require(fits, format!("{prefix}.{name}.units"), message);
    }
}
