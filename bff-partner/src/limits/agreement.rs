//! One contract: whatever the policies and the times are, the two header fields, the problem and the wait agree.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use futures_util::FutureExt as _;
use proptest::prelude::*;
use shared_lib::{
    clock::Clock,
    problem::Problem,
    rate_limit::{Charge, Limiter, PolicyState, RATE_LIMIT, RATE_LIMIT_POLICY},
};

use super::{CONCURRENCY_WAIT, concurrency::Concurrency, refused};
use crate::settings::{PlanSettings, QuotaSettings, RateSettings};

/// One item of a field: the name, and its parameters.
type Items = BTreeMap<String, BTreeMap<String, String>>;

fn field(headers: &[(actix_web::http::header::HeaderName, actix_web::http::header::HeaderValue)], name: &str) -> Items {
    let values: Vec<_> = headers.iter().filter(|(other, _)| other == name).collect();
    assert!(values.len() <= 1, "a field is said once");
    let text = values.first().map_or("", |(_, value)| value.to_str().expect("text"));
    let items = text.split(", ").filter(|item| !item.is_empty()).map(|item| {
        let mut parts = item.split(';');
        let name = parts.next().expect("a name").trim_matches('"').to_owned();
        let parameters = parts.map(|part| part.split_once('=').expect("a value"));
        (name, parameters.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    });
    items.collect()
}

fn number(items: &Items, name: &str, parameter: &str) -> Option<u64> {
    items[name].get(parameter).map(|value| value.parse().expect("a number"))
}

/// What everything that is said about one refusal has to have in common.
fn agree(problem: &Problem, states: &[PolicyState], cost: u32) {
    let headers = problem.headers();
    let (promised, left) = (field(headers, RATE_LIMIT_POLICY.as_str()), field(headers, RATE_LIMIT.as_str()));
    assert!(promised.keys().eq(left.keys()), "the same policies stand in both: {promised:?} {left:?}");
    assert_eq!(promised.len(), states.len(), "and all of them");
    let violated = problem.extensions()["violated-policies"].as_array().expect("a list").clone();
    assert!(!violated.is_empty(), "somebody refused");
    let waits: Vec<u64> = headers
        .iter()
        .filter(|(name, _)| name == "retry-after")
        .map(|(_, value)| value.to_str().expect("text").parse().expect("whole seconds"))
        .collect();
    let [wait] = waits[..] else { panic!("one wait is said: {waits:?}") };
    assert!(wait >= 1, "nobody is told to come at once");
    for name in &violated {
        let name = name.as_str().expect("a name");
        assert!(promised.contains_key(name), "{name} stands in the fields");
        assert!(number(&left, name, "r").expect("what is left") < u64::from(cost), "{name} has too little");
        assert!(number(&left, name, "t").unwrap_or(0) <= wait, "{name} is back when the wait is over");
    }
    for state in states {
        assert_eq!(number(&promised, &state.name, "q"), Some(state.quota));
        assert!(number(&left, &state.name, "r") <= Some(state.quota));
        let said = number(&left, &state.name, "t").unwrap_or(0);
        assert!(Duration::from_secs(said) >= state.reset, "rounded up");
    }
}

fn rate() -> impl Strategy<Value = RateSettings> {
    (5..60_u32, 5..60_u32, 1..600_u64, prop::bool::weighted(0.2)).prop_map(|(quota, at_once, window_s, shadow)| {
        let units = |count| NonZeroU32::new(count).expect("not zero");
        RateSettings { quota: units(quota), window_s, at_once: units(at_once.min(quota)), shadow }
    })
}

fn quota() -> impl Strategy<Value = Option<QuotaSettings>> {
    let some = (5..90_u64, prop::bool::weighted(0.2));
    prop::option::of(
        some.prop_map(|(units, shadow)| QuotaSettings { units: NonZeroU64::new(units).expect("not zero"), shadow }),
    )
}

proptest! {
    /// Shows: P3
    #[test]
    fn the_fields_the_problem_and_the_wait_never_disagree(
        burst in rate(),
        sustained in rate(),
        (day, month) in (quota(), quota()),
        concurrency in 1..4_u32,
        calls in prop::collection::vec((0..40_000_u64, 1..6_u32, 0..5_u32), 1..80),
    ) {
        let concurrency = NonZeroU32::new(concurrency).expect("not zero");
        let plan = PlanSettings { burst, sustained, concurrency, day, month };
        let (clock, hand) = Clock::manual();
        let limiter = Limiter::local(100, clock);
        let rules = limiter.rules(plan.rate_policies().expect("policies"), plan.quota_policies());
        let places = Concurrency::new(concurrency);
        for (pause_ms, cost, others) in calls {
            hand.advance(Duration::from_millis(pause_ms));
            let _under_way: Vec<_> = (0..others).filter_map(|_| places.take("key").ok()).collect();
            let place = match places.take("key") {
                Ok(place) => place,
                Err(full) => {
                    agree(&refused(&full, CONCURRENCY_WAIT), &full.states, 1);
                    continue;
                }
            };
            let ask = |cost: u32| {
                let cost = NonZeroU32::new(cost).expect("not zero");
                let charge = Charge { key: "key", cost, owner: "owner", quota_cost: cost.get(), known: &[] };
                limiter.charge(&rules, &charge).now_or_never().expect("one process waits for nobody").0
            };
            let decision = ask(cost).and(place.decision());
            if decision.is_admitted() {
                prop_assert!(decision.violated().is_empty());
                continue;
            }
            let problem = refused(&decision, decision.retry_after());
            agree(&problem, &decision.states, cost);
            let told = problem.headers().iter().find(|(name, _)| name == "retry-after").expect("a wait");
            let told: u64 = told.1.to_str().expect("text").parse().expect("whole seconds");
            // Quotas are the calendar's; another may be used up by the time the first begins again.
            hand.advance(Duration::from_secs(told));
            let again = ask(cost);
            prop_assert!(again.is_admitted(), "who waits as long as told gets in: {:?}", again);
        }
    }
}
