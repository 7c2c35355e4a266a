//! How often a key may call, and how often at the same time: the limits of its plan, and what a call of each route
//! weighs.
//!
//! Limits are per key. Each process counts for itself, so `n` replicas admit at most `n` times what a plan promises.

mod concurrency;

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use actix_web::http::StatusCode;
use shared_lib::{
    clock::Clock,
    problem::{Problem, ProblemKind, kinds},
    rate_limit::{Decision, LocalLimiter, PolicyError},
    server::Route,
};

use self::concurrency::Concurrency;
pub use self::concurrency::Place;
use crate::{keys::KeyRecord, settings::PlansSettings, views};

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

struct Plan {
    rates: LocalLimiter,
    concurrency: Concurrency,
}

/// The limits of every plan. Cheap to clone; crosses threads.
#[derive(Clone)]
pub struct Limits {
    plans: Arc<BTreeMap<String, Plan>>,
}

impl Limits {
    /// The limits of these plans, each for at most `max_keys` keys at a time.
    ///
    /// # Errors
    /// When the numbers of a plan make no policy; the audit of the settings finds that first.
    pub fn new(plans: &PlansSettings, max_keys: usize, clock: &Clock) -> Result<Self, PolicyError> {
        let limiter = |(name, plan): (&String, &crate::settings::PlanSettings)| {
            let rates = LocalLimiter::new(plan.rate_policies()?, max_keys, clock.clone());
            Ok((name.clone(), Plan { rates, concurrency: Concurrency::new(plan.concurrency) }))
        };
        Ok(Self { plans: Arc::new(plans.iter().map(limiter).collect::<Result<_, _>>()?) })
    }

    /// Charges a call of this route to the key. A plan that is no longer configured has no limits to keep, and nobody is
    /// let in without any, so it admits nothing.
    ///
    /// # Errors
    /// [`RATE_LIMITED`], with both header fields and `Retry-After`.
    pub fn charge(&self, key: &KeyRecord, route: &Route) -> Result<Charged, Problem> {
        let Some(plan) = self.plans.get(&key.plan) else {
            let cause = format!("the plan `{}` of key {} is not configured", key.plan, key.id);
            return Err(Problem::new(&kinds::INTERNAL_ERROR).caused_by(cause));
        };
        // The place first: it is given back when the rates refuse, so a refused call costs nothing either way.
        let place = plan.concurrency.take(&key.id).map_err(|full| refused(&full, CONCURRENCY_WAIT))?;
        let decision = plan.rates.check(&key.id, weight(route)).and(place.decision());
        if decision.is_admitted() {
            Ok(Charged { decision, place })
        } else {
            Err(refused(&decision, decision.retry_after()))
        }
    }
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
