//! How often a key may call, and how often at the same time: the limits of its plan, and what a call of each route
//! weighs.
//!
//! Rates are per key. Replicas count them together where Redis is configured; [`shared_lib::rate_limit`] states what is
//! promised then, and while Redis is away. Calls at the same time are counted by each process for itself.

mod concurrency;

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use actix_web::http::StatusCode;
use shared_lib::{
    clock::Clock,
    problem::{Problem, ProblemKind, kinds},
    rate_limit::{Charge, Decision, Limiter, PolicyError, Rules, Share, SharedAddressError},
    server::Route,
};

use self::concurrency::Concurrency;
pub use self::concurrency::Place;
use crate::{keys::KeyRecord, settings::PartnerSettings, views};

/// How long who has too many calls under way is told to wait; nobody knows when one of them ends.
const CONCURRENCY_WAIT: Duration = Duration::from_secs(1);

/// Too many requests: a limit of the plan is used up.
pub static RATE_LIMITED: ProblemKind = ProblemKind {
    code: "rate-limited",
    status: StatusCode::TOO_MANY_REQUESTS,
    title: "A limit of the plan is used up",
    remedy: "Wait for the time in `Retry-After`; `violated-policies` names the limits. The refused call cost nothing.",
};

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[&RATE_LIMITED];

/// A call that may be made.
pub struct Charged {
    /// What was decided, for the answer's headers.
    pub decision: Decision,
    /// The call's place among those at the same time; dropping it gives the place back.
    pub place: Place,
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
}

/// The limits of every plan. Cheap to clone; crosses threads.
#[derive(Clone)]
pub struct Limits {
    limiter: Arc<Limiter>,
    plans: Arc<BTreeMap<String, Plan>>,
}

impl Limits {
    /// The limits of these settings. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`LimitsError`].
    pub fn new(settings: &PartnerSettings, clock: &Clock) -> Result<Self, LimitsError> {
        let max_keys = settings.limits.max_keys;
        let limiter = match settings.redis.shared_tier() {
            Some(redis) => {
                let share = Share { replicas: settings.limits.replicas, heaviest: heaviest() };
                Limiter::shared(&redis, share, max_keys, clock.clone())?
            }
            None => Limiter::local(max_keys, clock.clone()),
        };
        let mut plans = BTreeMap::new();
        for (name, plan) in &settings.plans {
            let rules = limiter.rules(plan.rate_policies()?, Vec::new());
            plans.insert(name.clone(), Plan { rules, concurrency: Concurrency::new(plan.concurrency) });
        }
        Ok(Self { limiter: Arc::new(limiter), plans: Arc::new(plans) })
    }

    /// Charges a call of this route to the key. A plan that is no longer configured has no limits to keep, and nobody is
    /// let in without any, so it admits nothing.
    ///
    /// # Errors
    /// [`RATE_LIMITED`], with both header fields and `Retry-After`.
    pub async fn charge(&self, key: &KeyRecord, route: &Route) -> Result<Charged, Problem> {
        let Some(plan) = self.plans.get(&key.plan) else {
            let cause = format!("the plan `{}` of key {} is not configured", key.plan, key.id);
            return Err(Problem::new(&kinds::INTERNAL_ERROR).caused_by(cause));
        };
        // The place first: it is given back when the rates refuse, so a refused call costs nothing either way.
        let place = plan.concurrency.take(&key.id).map_err(|full| refused(&full, CONCURRENCY_WAIT))?;
        let cost = weight(route);
        let charge = Charge { key: &key.id, cost, owner: &key.partner, quota_cost: cost.get(), known: &[] };
        let (decision, _) = self.limiter.charge(&plan.rules, &charge).await;
        let decision = decision.and(place.decision());
        if decision.is_admitted() {
            Ok(Charged { decision, place })
        } else {
            Err(refused(&decision, decision.retry_after()))
        }
    }
}

/// What the heaviest call is charged.
#[must_use]
pub fn heaviest() -> NonZeroU32 {
    let weights = views::WEIGHTS.iter().filter_map(|(_, _, weight)| NonZeroU32::new(*weight));
    weights.max().unwrap_or(NonZeroU32::MIN)
}

/// What a call of this route is charged.
fn weight(route: &Route) -> NonZeroU32 {
    let entry = views::WEIGHTS.iter().find(|(method, path, _)| route.method == *method && route.path == *path);
    entry.and_then(|(_, _, weight)| NonZeroU32::new(*weight)).unwrap_or(NonZeroU32::MIN)
}

fn refused(decision: &Decision, wait: Duration) -> Problem {
    // Whole seconds rounded up, so it is at least the `t` of every policy that refused.
    let problem = Problem::new(&RATE_LIMITED).extension("violated-policies", decision.violated()).retry_after(wait);
    decision.headers().into_iter().fold(problem, |problem, (name, value)| problem.header(name, value))
}
