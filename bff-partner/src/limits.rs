//! How often a key may call, how often at the same time, and how much its partner may use in a day and a month: the limits
//! of its plan, or what its partner has other than the plan says, and what a call of each route weighs.
//!
//! Rates are per key. Replicas count them together where Redis is configured; [`shared_lib::rate_limit`] states what is
//! promised then, and while Redis is away. Calls at the same time are counted by each process for itself. Quotas are those of
//! all keys of a partner in one environment, and go on after a restart from the record in the database.

#[cfg(test)]
mod agreement;
mod concurrency;
mod usage;

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use actix_web::http::StatusCode;
use jiff::Timestamp;
use shared_lib::{
    clock::Clock,
    problem::{Problem, ProblemKind, kinds},
    rate_limit::{Charge, Decision, Limiter, Period, PolicyError, QuotaReceipt, Rules, Share, SharedAddressError},
    server::Route,
};

pub use self::concurrency::Place;
use self::{concurrency::Concurrency, usage::UsageRecord};
use crate::{
    database::Database,
    keys::KeyRecord,
    settings::{PartnerSettings, PlanSettings},
    views,
};

/// How long who has too many calls under way is told to wait; nobody knows when one of them ends.
const CONCURRENCY_WAIT: Duration = Duration::from_secs(1);

/// Too many requests: a limit of the plan is used up.
pub static RATE_LIMITED: ProblemKind = ProblemKind {
    code: "rate-limited",
    status: StatusCode::TOO_MANY_REQUESTS,
    title: "A limit of the plan is used up",
    remedy: "Wait for the time in `Retry-After`; `violated-policies` names the limits. The refused call cost nothing.",
};

/// Unprocessable: the plan never admits as much at once.
pub static TOO_HEAVY_FOR_PLAN: ProblemKind = ProblemKind {
    code: "too-heavy-for-plan",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The call weighs more than the plan ever admits at once",
    remedy: "Send fewer items in one call: `units` is what this one weighs, and `maxUnits` what the plan admits at once.",
};

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[&RATE_LIMITED, &TOO_HEAVY_FOR_PLAN];

/// A call that may be made.
pub struct Charged {
    /// What was decided, for the answer's headers.
    pub decision: Decision,
    /// The call's place among those at the same time; dropping it gives the place back.
    pub place: Place,
    /// What it was charged.
    pub bill: Bill,
}

/// What quotas were charged for a call.
pub struct Bill {
    limits: Limits,
    plan: Arc<Plan>,
    owner: String,
    receipt: QuotaReceipt,
}

impl Bill {
    /// Units of each quota.
    #[must_use]
    pub fn units(&self) -> u32 {
        self.receipt.units()
    }

    /// Gives it back, for a call that turned out to cost no quota.
    pub async fn give_back(&self) {
        self.limits.usage.add(&self.owner, self.receipt.at(), -i64::from(self.receipt.units()));
        self.limits.limiter.give_back(&self.plan.rules, &self.receipt).await;
    }
}

/// Settings that make no limits; their audit finds most of it first.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// The numbers of a plan make no policy.
    #[error("[plans] has a rate that makes no promise")]
    Policy(#[from] PolicyError),
    /// Redis has no address.
    #[error("[redis] url cannot be used")]
    Redis(#[from] SharedAddressError),
}

struct Plan {
    rules: Rules,
    concurrency: Concurrency,
    max_at_once: u64,
}

/// What a call that has its place is charged from.
#[derive(Clone)]
pub struct Account {
    limits: Limits,
    plan: Arc<Plan>,
    key: Arc<KeyRecord>,
    /// What the place says about the calls at the same time.
    at_the_same_time: Decision,
}

/// The limits of every plan. Cheap to clone; crosses threads.
#[derive(Clone)]
pub struct Limits {
    limiter: Arc<Limiter>,
    usage: UsageRecord,
    clock: Clock,
    plans: Arc<BTreeMap<String, Arc<Plan>>>,
    /// Of partners that have something other than their plans say: by partner, then by plan.
    partners: Arc<BTreeMap<String, BTreeMap<String, Arc<Plan>>>>,
}

impl Limits {
    /// The limits of these settings, with the record of usage in this database. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`LimitsError`].
    pub fn new(settings: &PartnerSettings, database: Database, clock: &Clock) -> Result<Self, LimitsError> {
        let max_keys = settings.limits.max_keys;
        let limiter = match settings.redis.shared_tier() {
            Some(redis) => {
                let share = Share { replicas: settings.limits.replicas, heaviest: heaviest() };
                Limiter::shared(&redis, share, max_keys, clock.clone())?
            }
            None => Limiter::local(max_keys, clock.clone()),
        };
        let plan = |plan: &PlanSettings| -> Result<Arc<Plan>, LimitsError> {
            let rules = limiter.rules(plan.rate_policies()?, plan.quota_policies());
            let (concurrency, max_at_once) = (Concurrency::new(plan.concurrency), plan.max_at_once());
            Ok(Arc::new(Plan { rules, concurrency, max_at_once }))
        };
        let (mut plans, mut partners) = (BTreeMap::new(), BTreeMap::new());
        for (name, own) in &settings.plans {
            plans.insert(name.clone(), plan(own)?);
            for (partner, other) in &settings.partners {
                let of_partner: &mut BTreeMap<_, _> = partners.entry(partner.clone()).or_default();
                of_partner.insert(name.clone(), plan(&own.with(other))?);
            }
        }
        let interval = Duration::from_millis(settings.limits.record_ms);
        Ok(Self {
            usage: UsageRecord::start(database, interval, max_keys, clock.clone()),
            limiter: Arc::new(limiter),
            clock: clock.clone(),
            plans: Arc::new(plans),
            partners: Arc::new(partners),
        })
    }

    /// Gives a call of the key its place among those at the same time, and charges nothing yet. A plan that is no longer
    /// configured has no limits to keep, and nobody is let in without any, so it admits nothing.
    ///
    /// # Errors
    /// [`RATE_LIMITED`], with both header fields and `Retry-After`.
    pub fn enter(&self, key: &Arc<KeyRecord>) -> Result<(Account, Place), Problem> {
        let plans = self.partners.get(&key.partner).unwrap_or(&self.plans);
        let Some(plan) = plans.get(&key.plan).cloned() else {
            let cause = format!("the plan `{}` of key {} is not configured", key.plan, key.id);
            return Err(Problem::new(&kinds::INTERNAL_ERROR).caused_by(cause));
        };
        let place = plan.concurrency.take(&key.id).map_err(|full| refused(&full, CONCURRENCY_WAIT))?;
        let at_the_same_time = place.decision();
        Ok((Account { limits: self.clone(), plan, key: Arc::clone(key), at_the_same_time }, place))
    }

    /// Charges a call of this route to the key.
    ///
    /// # Errors
    /// [`RATE_LIMITED`], with both header fields and `Retry-After`.
    pub async fn charge(&self, key: &Arc<KeyRecord>, route: &Route) -> Result<Charged, Problem> {
        // The place first: it is given back when the rates refuse, so a refused call costs nothing either way.
        let (account, place) = self.enter(key)?;
        let cost = weight(route);
        let quota_cost = if is_without_quota(route) { 0 } else { cost.get() };
        let (decision, bill) = account.charge(cost, quota_cost).await?;
        Ok(Charged { decision, place, bill })
    }

    /// Writes down what was used and is not written yet; no call is charged any more.
    pub async fn close(&self) {
        self.usage.close().await;
    }

    /// What the key's partner has used in this day and this month, in its environment.
    pub async fn used(&self, key: &KeyRecord) -> (Timestamp, [u64; 2]) {
        let now = self.clock.wall();
        (now, self.usage.known(&key.owner(), now).await)
    }
}

impl Account {
    /// Charges so many units, and so many of the quotas.
    ///
    /// # Errors
    /// [`RATE_LIMITED`], with both header fields and `Retry-After`. It has cost nothing.
    pub async fn charge(&self, cost: NonZeroU32, quota_cost: u32) -> Result<(Decision, Bill), Problem> {
        let (limits, plan, owner) = (&self.limits, &self.plan, self.key.owner());
        let [day, month] = limits.usage.known(&owner, limits.clock.wall()).await;
        let by_period = plan.rules.quotas().iter().map(|quota| match quota.period() {
            Period::Day => day,
            Period::Month => month,
        });
        let known: Vec<u64> = by_period.collect();
        let charge = Charge { key: &self.key.id, cost, owner: &owner, quota_cost, known: &known };
        let (decision, receipt) = limits.limiter.charge(&plan.rules, &charge).await;
        let decision = decision.and(self.at_the_same_time.clone());
        if !decision.is_admitted() {
            return Err(refused(&decision, decision.retry_after()));
        }
        limits.usage.add(&owner, receipt.at(), i64::from(receipt.units()));
        Ok((decision, Bill { limits: limits.clone(), plan: Arc::clone(plan), owner, receipt }))
    }

    /// Refuses what the plan never admits, however long anybody waits.
    ///
    /// # Errors
    /// [`TOO_HEAVY_FOR_PLAN`].
    pub fn refuse_what_never_fits(&self, cost: NonZeroU32) -> Result<(), Problem> {
        let (units, most) = (u64::from(cost.get()), self.plan.max_at_once);
        if units <= most {
            return Ok(());
        }
        Err(Problem::new(&TOO_HEAVY_FOR_PLAN).extension("units", units).extension("maxUnits", most))
    }
}

/// What the heaviest call is charged, or one item of a call that is charged for each.
#[must_use]
pub fn heaviest() -> NonZeroU32 {
    let weights = views::WEIGHTS.iter().filter_map(|(_, _, weight)| NonZeroU32::new(*weight));
    weights.max().unwrap_or(NonZeroU32::MIN)
}

/// What a call of this route is charged, or each of its items.
pub(crate) fn weight(route: &Route) -> NonZeroU32 {
    weight_of(route.method.as_str(), &route.path)
}

/// [`weight`] of the route of this method and path.
pub(crate) fn weight_of(method: &str, path: &str) -> NonZeroU32 {
    let entry = views::WEIGHTS.iter().find(|(of, at, _)| *of == method && *at == path);
    entry.and_then(|(_, _, weight)| NonZeroU32::new(*weight)).unwrap_or(NonZeroU32::MIN)
}

/// Whether a call of this route is charged for each of its items.
pub(crate) fn is_per_item(route: &Route) -> bool {
    views::PER_ITEM.iter().any(|(method, path)| route.method == *method && route.path == *path)
}

/// Whether a call of this route costs no quota.
fn is_without_quota(route: &Route) -> bool {
    views::WITHOUT_QUOTA.iter().any(|(method, path)| route.method == *method && route.path == *path)
}

fn refused(decision: &Decision, wait: Duration) -> Problem {
    // Whole seconds rounded up, so it is at least the `t` of every policy that refused.
    let problem = Problem::new(&RATE_LIMITED).extension("violated-policies", decision.violated()).retry_after(wait);
    decision.headers().into_iter().fold(problem, |problem, (name, value)| problem.header(name, value))
}
