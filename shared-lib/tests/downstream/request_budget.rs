//! One budget of time and attempts over everything that a request asks for.

use std::time::Duration;

use serde_json::{Value, json};
use shared_lib::{
    circuit_breaker::InitialState,
    clock::Clock,
    context::RequestContext,
    downstream::budget::RequestBudget,
    testing::{Answer, FakeDownstream},
};

use crate::harness::{Process, reason};

/// A request on a clock of the test's own.
fn request(clock: &Clock, timeout: Duration, attempts: u32) -> RequestContext {
    RequestContext::background(RequestBudget::new(clock.clone(), timeout, attempts))
}

/// Shows: S3
#[actix_web::test]
async fn attempts_are_bounded_over_a_whole_fan_out() {
    let fake = FakeDownstream::start(Answer::status(503));
    let process = Process::new(&[fake.url()], |settings| {
        settings.circuit_breaker.initial_state = InitialState::Disabled;
        settings.retry.budget_floor_per_second = 1_000.0;
    });
    let context = request(&Clock::system(), Duration::from_secs(5), 7);
    let parts = ["a", "b", "c", "d"].map(|part| process.downstream.get(&context, &[part]).json::<Value>());
    let outcomes = futures_util::future::join_all(parts).await;
    assert!(outcomes.iter().all(Result::is_err));
    assert_eq!((fake.calls(), context.budget().attempts_spent()), (7, 7), "12 would be allowed call by call");
    process.assert_idle("after the fan-out").await;
}

/// Shows: S3
#[actix_web::test]
async fn a_budget_that_is_used_up_fails_at_once_and_sends_nothing() {
    let fake = FakeDownstream::start(Answer::json(&json!({})));
    let (clock, hand) = Clock::manual();
    let process = Process::new(&[fake.url()], |_| {});
    let late = request(&clock, Duration::from_secs(1), 8);
    hand.advance(Duration::from_secs(1));
    let spent = request(&clock, Duration::from_secs(1), 0);
    for context in [late, spent] {
        let shared = process.downstream.get(&context, &["thing"]).json::<Value>().await;
        let own = process.downstream.post(&context, &["thing"]).send().await;
        assert_eq!((reason(&shared), reason(&own)), ("budget-exhausted", "budget-exhausted"));
    }
    assert_eq!((fake.calls(), process.breaker().calls), (0, 0));
    process.assert_idle("after the refusals").await;
}

/// Shows: S3
#[actix_web::test]
async fn the_time_that_is_left_goes_on_and_shrinks() {
    let fake = FakeDownstream::start(Answer::json(&json!({})));
    let (clock, hand) = Clock::manual();
    let process = Process::new(&[fake.url()], |settings| settings.timeout_ms = 2_000);
    let context = request(&clock, Duration::from_millis(3_000), 8);
    for _ in 0..3 {
        process.downstream.get(&context, &["thing"]).send().await.expect("an answer");
        hand.advance(Duration::from_millis(900));
    }
    let told: Vec<_> =
        fake.seen().iter().map(|seen| seen.header("x-request-timeout-ms").map(ToOwned::to_owned)).collect();
    let told: Vec<_> = told.iter().map(Option::as_deref).collect();
    // First the attempt's own time-out is the lesser, then what is left of the request.
    assert_eq!(told, [Some("2000"), Some("2000"), Some("1200")]);
}

/// Shows: S3
#[actix_web::test]
async fn no_retry_is_begun_whose_wait_would_not_end_before_the_deadline() {
    let fake = FakeDownstream::start(Answer::status(503).header("retry-after", "2"));
    let process = Process::new(&[fake.url()], |_| {});
    let context = request(&Clock::system(), Duration::from_secs(1), 8);
    let outcome = process.downstream.get(&context, &["thing"]).send().await;
    assert_eq!((reason(&outcome), fake.calls()), ("server-error", 1));
    assert!(context.budget().remaining().is_some(), "the caller learns of it while there is time");
}
