//! Both tiers behind one question.
//!
//! # What is promised
//! For `n` replicas, a policy `q` per `w`, and [`Share::replicas`] and [`Share::heaviest`] as configured, with
//! `part = max(floor(q / replicas), min(heaviest, at_once))`:
//! - windows in which every replica reaches Redis: at most `q`, over all replicas together;
//! - windows in which none does: at most `n · part`, which is at most `q` when `replicas` is right and `q / replicas` is
//!   at least the heaviest call;
//! - any window whatever, however often Redis comes and goes in it with its data: at most `q + n · part`, and `q` more for
//!   each time that it comes back empty.
//!
//! Redis is back for a replica with the first call that it answers, at most [`SharedSettings::retry`] after it is there
//! and is asked. Without Redis configured there is one tier, which holds this process to the whole policy.

use std::{num::NonZeroU32, sync::Arc};

use jiff::Timestamp;
use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, ObservableGauge},
};

use super::{
    decision::{Decision, Tier},
    local::LocalLimiter,
    policy::RatePolicy,
    quota::QuotaPolicy,
    rules::{Charge, Found, Rules},
    shared::{Away, SharedAddressError, SharedSettings, SharedTier},
};
use crate::clock::Clock;

/// This process's part of a policy while Redis is away; see [`RatePolicy::share`].
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// How many replicas there are.
    pub replicas: NonZeroU32,
    /// What the heaviest call costs.
    pub heaviest: NonZeroU32,
}

/// Admits calls within their rules. Share it between workers.
pub struct Limiter {
    local: LocalLimiter,
    shared: Option<(Arc<SharedTier>, Share)>,
    clock: Clock,
    calls: Counter<u64>,
    refusals: Counter<u64>,
    _gauge: Option<ObservableGauge<u64>>,
}

/// Units of quotas that a call was charged, for giving them back.
#[derive(Debug, Clone)]
pub struct QuotaReceipt {
    owner: String,
    units: u32,
    /// When they were charged, which says in which periods.
    at: Timestamp,
}

impl QuotaReceipt {
    /// Units of each quota; none for a call that was refused.
    #[must_use]
    pub fn units(&self) -> u32 {
        self.units
    }

    /// When they were charged.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl Limiter {
    /// A limiter of this process alone. It remembers at most `max_keys` keys and as many owners, in at most 400 bytes for a
    /// key and an owner with names of some 20 letters. Those beyond share what one has, for up to a second after a place
    /// has become free, so that what a new name costs does not grow with `max_keys`. Who gets the place goes on from what
    /// was shared, so no key has more than its rates promise.
    #[must_use]
    pub fn local(max_keys: usize, clock: Clock) -> Self {
        Self::new(LocalLimiter::new(max_keys, clock.clone()), None, clock)
    }

    /// A limiter that shares what it counts with other replicas, and goes on with its own part while Redis is away. Must
    /// be called within a tokio runtime; a Redis that is away is no error.
    ///
    /// # Errors
    /// [`SharedAddressError`].
    pub fn shared(
        settings: &SharedSettings,
        share: Share,
        max_keys: usize,
        clock: Clock,
    ) -> Result<Self, SharedAddressError> {
        let tier = SharedTier::new(settings, clock.clone())?;
        Ok(Self::new(LocalLimiter::new(max_keys, clock.clone()), Some((Arc::new(tier), share)), clock))
    }

    fn new(local: LocalLimiter, shared: Option<(Arc<SharedTier>, Share)>, clock: Clock) -> Self {
        let meter = global::meter("trifront");
        let gauge = shared.as_ref().map(|(tier, _)| {
            let tier = Arc::clone(tier);
            meter
                .u64_observable_gauge("trifront.rate_limit.shared")
                .with_description("Whether limits are shared through Redis (1), or each replica keeps its own part (0)")
                .with_callback(move |gauge| gauge.observe(u64::from(tier.is_there()), &[]))
                .build()
        });
        Self {
            local,
            shared,
            clock,
            calls: meter
                .u64_counter("trifront.rate_limit.calls")
                .with_description("Calls that a limit was asked about, by the tier that decided")
                .build(),
            refusals: meter
                .u64_counter("trifront.rate_limit.refusals")
                .with_description("Refusals by policy; in shadow, those that would have been")
                .build(),
            _gauge: gauge,
        }
    }

    /// Rules that this limiter can be asked about.
    #[must_use]
    pub fn rules(&self, rates: Vec<RatePolicy>, quotas: Vec<QuotaPolicy>) -> Rules {
        Rules::new(rates, quotas, &self.local, |policy| match &self.shared {
            Some((_, share)) => policy.share(share.replicas, share.heaviest),
            None => policy.clone(),
        })
    }

    /// Charges the call in every rate and quota of the rules, or in none where one refuses.
    pub async fn charge(&self, rules: &Rules, charge: &Charge<'_>) -> (Decision, QuotaReceipt) {
        let at = self.clock.wall();
        let (found, tier) = self.ask(rules, charge, at).await;
        let units = if found.admitted { charge.quota_cost } else { 0 };
        let receipt = QuotaReceipt { owner: charge.owner.to_owned(), units, at };
        let decision = rules.decide(found, tier, at);
        self.count(&decision, tier);
        (decision, receipt)
    }

    async fn ask(&self, rules: &Rules, charge: &Charge<'_>, at: Timestamp) -> (Found, Tier) {
        if let Some((shared, _)) = &self.shared {
            match shared.charge(rules, charge, at).await {
                Ok(found) => {
                    for (quota, found) in rules.quotas.iter().zip(&found.quotas) {
                        self.local.learn(charge.owner, quota.period(), at, found.used);
                    }
                    return (found, Tier::Shared);
                }
                Err(Away::LeftAlone) => {}
                Err(Away::Asked(error)) => tracing::debug!(%error, "a call is decided without Redis"),
            }
        }
        (self.local.charge(rules, charge, at), Tier::Local)
    }

    /// Gives the quotas back what a call was charged that turned out to cost nothing. When Redis is asked for it in vain,
    /// it stays charged there.
    pub async fn give_back(&self, rules: &Rules, receipt: &QuotaReceipt) {
        if receipt.units == 0 || rules.quotas.is_empty() {
            return;
        }
        for quota in &rules.quotas {
            self.local.give_back(&receipt.owner, quota.period(), receipt.at, receipt.units);
        }
        if let Some((shared, _)) = &self.shared
            && let Err(error) = shared.give_back(&receipt.owner, &rules.quotas, receipt.at, receipt.units).await
        {
            tracing::debug!(%error, "units of a quota were not given back");
        }
    }

    /// How many keys this process remembers, and how many owners of quotas.
    #[must_use]
    pub fn remembered(&self) -> (usize, usize) {
        self.local.remembered()
    }

    /// Whether the tier in use is the shared one, as far as the last call could tell.
    #[must_use]
    pub fn tier(&self) -> Tier {
        let is_shared = self.shared.as_ref().is_some_and(|(tier, _)| tier.is_there());
        if is_shared { Tier::Shared } else { Tier::Local }
    }

    fn count(&self, decision: &Decision, tier: Tier) {
        let outcome = if decision.is_admitted() { "admitted" } else { "refused" };
        let labels = [KeyValue::new("tier", tier.as_str()), KeyValue::new("outcome", outcome)];
        self.calls.add(1, &labels);
        let refused = decision.violated().into_iter().map(|name| (name, false));
        for (name, shadow) in refused.chain(decision.shadowed.iter().map(|name| (name.as_str(), true))) {
            self.refusals.add(1, &[KeyValue::new("policy", name.to_owned()), KeyValue::new("shadow", shadow)]);
        }
    }
}

#[cfg(test)]
mod tests;
