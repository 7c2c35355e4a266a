//! What a caller is held to, and one call that asks.

use std::{num::NonZeroU32, time::Duration};

use super::{
    decision::{Decision, Measure, PolicyState, Tier},
    local::{LocalLimiter, LocalRate},
    policy::RatePolicy,
    quota::QuotaPolicy,
};

/// Rates and quotas that are asked together: a call is admitted by all or costs nothing in any.
pub struct Rules {
    pub(super) rates: Vec<Rate>,
    pub(super) quotas: Vec<QuotaPolicy>,
}

/// A rate as both tiers hold it.
pub(super) struct Rate {
    /// The promise.
    pub(super) policy: RatePolicy,
    /// This process's part of it.
    pub(super) local: LocalRate,
}

/// One call that asks to be admitted.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    /// Whose rates: any text that names the caller.
    pub key: &'a str,
    /// What it costs in each rate.
    pub cost: NonZeroU32,
    /// Whose quotas: callers may share them.
    pub owner: &'a str,
    /// What it costs in each quota; what costs nothing is never refused by one.
    pub quota_cost: u32,
    /// Units of each quota, in their order, that are known to be used, from a record that outlives both tiers. A tier
    /// that knows of fewer begins there.
    pub known: &'a [u64],
}

/// What a tier found, in the order of the rules.
pub(super) struct Found {
    pub(super) admitted: bool,
    pub(super) rates: Vec<FoundRate>,
    pub(super) quotas: Vec<FoundQuota>,
}

pub(super) struct FoundRate {
    /// How much time has to pass until nothing of what was admitted counts any more.
    pub(super) used: Duration,
    /// How long a refused call has to wait.
    pub(super) wait: Option<Duration>,
}

pub(super) struct FoundQuota {
    pub(super) used: u64,
    pub(super) refused: bool,
}

impl Rules {
    pub(super) fn new(
        rates: Vec<RatePolicy>,
        quotas: Vec<QuotaPolicy>,
        local: &LocalLimiter,
        share: impl Fn(&RatePolicy) -> RatePolicy,
    ) -> Self {
        let rate = |policy: RatePolicy| Rate { local: local.rate(share(&policy)), policy };
        Self { rates: rates.into_iter().map(rate).collect(), quotas }
    }

    /// The rates.
    pub fn rates(&self) -> impl Iterator<Item = &RatePolicy> {
        self.rates.iter().map(|rate| &rate.policy)
    }

    /// The quotas.
    #[must_use]
    pub fn quotas(&self) -> &[QuotaPolicy] {
        &self.quotas
    }

    /// Whether a call could be admitted at all: no rate that refuses admits fewer units at the same moment.
    #[must_use]
    pub fn most_at_once(&self) -> Option<NonZeroU32> {
        self.rates().filter(|rate| !rate.is_shadow()).map(RatePolicy::at_once).min()
    }

    pub(super) fn decide(&self, found: Found, tier: Tier, now: jiff::Timestamp) -> Decision {
        let mut decision = Decision { tier: Some(tier), ..Decision::default() };
        for (rate, found) in self.rates.iter().zip(found.rates) {
            if rate.policy.is_shadow() {
                if found.wait.is_some() {
                    decision.shadowed.push(rate.policy.name().to_owned());
                }
                continue;
            }
            let held = if tier == Tier::Shared { &rate.policy } else { rate.local.policy() };
            let refill = held.refill().as_nanos().max(1);
            let room = refill.saturating_mul(u128::from(held.at_once().get())).saturating_sub(found.used.as_nanos());
            decision.states.push(PolicyState {
                name: rate.policy.name().to_owned(),
                quota: u64::from(rate.policy.quota().get()),
                measure: Measure::Window(rate.policy.window()),
                remaining: u64::try_from(room / refill).unwrap_or(u64::MAX),
                reset: found.wait.unwrap_or(found.used),
                violated: found.wait.is_some(),
            });
        }
        for (quota, found) in self.quotas.iter().zip(found.quotas) {
            if quota.is_shadow() {
                if found.refused {
                    decision.shadowed.push(quota.period().name().to_owned());
                }
                continue;
            }
            decision.states.push(PolicyState {
                name: quota.period().name().to_owned(),
                quota: quota.units(),
                measure: Measure::Calendar,
                remaining: quota.units().saturating_sub(found.used),
                reset: quota.period().rest(now),
                violated: found.refused,
            });
        }
        decision
    }
}
