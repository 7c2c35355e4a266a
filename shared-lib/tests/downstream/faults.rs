//! Everything that a service can do to us, against a real one: what the caller gets, what the service sees, and that
//! nothing stays taken.

use std::time::Duration;

use sandbox::{
    Sandbox,
    chaos::{Fault, Rule},
};
use shared_lib::{
    circuit_breaker::State,
    clock::Clock,
    downstream::{DownstreamSettings, Failure},
};

use crate::harness::{Process, reason};

/// A fault, and what is to come of it.
struct Case {
    name: &'static str,
    rule: Rule,
    /// What the caller gets, by [`Failure::reason`].
    reason: &'static str,
    /// What the service sees of one idempotent call with two attempts.
    wire_calls: usize,
    /// How many of those the breaker takes for failures.
    failed: u64,
}

fn case(name: &'static str, rule: Rule, reason: &'static str, wire_calls: usize, failed: u64) -> Case {
    Case { name, rule, reason, wire_calls, failed }
}

fn cases() -> Vec<Case> {
    vec![
        case("no answer in time", Rule::latency(Duration::from_secs(30)), "timeout", 2, 2),
        case("no answer at all", Rule::fault(Fault::Hang), "timeout", 2, 2),
        case("hang after the headers", Rule::fault(Fault::HangAfterHeaders), "timeout", 2, 2),
        case("a body that drips", Rule::fault(Fault::SlowDrip), "timeout", 2, 2),
        case("reset before the answer", Rule::fault(Fault::Reset), "broken", 2, 2),
        case("reset within the body", Rule::fault(Fault::ResetMidBody), "broken", 2, 2),
        case("an error that will not pass", Rule::status(500), "server-error", 1, 1),
        case("an error that may pass", Rule::status(503), "server-error", 2, 2),
        case("a refusal", Rule::status(404), "refused", 1, 0),
        case("too many requests", Rule::status(429), "refused", 2, 0),
        case("too many for long", Rule::status(429).header("retry-after", "60"), "refused", 1, 0),
        case("away for long", Rule::status(503).header("retry-after", "60"), "server-error", 1, 1),
        case("malformed JSON", Rule::fault(Fault::MalformedJson), "invalid-response", 1, 1),
        case("an endless body", Rule::fault(Fault::OversizedBody), "too-large", 1, 1),
        case("HTML for JSON", Rule::fault(Fault::WrongContentType), "invalid-response", 1, 1),
        case("an empty body", Rule::fault(Fault::Empty), "invalid-response", 1, 1),
    ]
}

async fn catalog() -> Sandbox {
    Sandbox::builder().only(["catalog"]).start().await.expect("a catalog")
}

fn two_attempts(settings: &mut DownstreamSettings) {
    settings.timeout_ms = 250;
    settings.retry.max_attempts = 2;
}

async fn each_fault_over(h2c: bool) {
    let sandbox = catalog().await;
    for case in cases() {
        let process = Process::new(&[sandbox.url("catalog")], |settings| {
            two_attempts(settings);
            settings.h2c = h2c;
            // A connection that was not given back would be missed by the next attempt.
            settings.max_connections = 1;
            settings.max_concurrent = 1;
        });
        sandbox.chaos().set("catalog", vec![case.rule]).expect("a rule");
        sandbox.chaos().clear_calls();
        let outcome = process.get(&["products"]).await;
        assert_eq!(reason(&outcome), case.reason, "{}: {outcome:?}", case.name);
        let seen = sandbox.chaos().calls("catalog").len();
        // Over HTTP/2 the second attempt may find the connection that the first one lost, and never leave.
        let least = if h2c && case.reason == "broken" { 1 } else { case.wire_calls };
        assert!((least..=case.wire_calls).contains(&seen), "{}: {seen} wire calls", case.name);
        process.assert_idle(case.name).await;
        assert_eq!(process.load().wire_attempts, case.wire_calls as u64, "{}: attempts", case.name);
        let breaker = process.breaker();
        assert_eq!((breaker.calls, breaker.failed_calls), (case.wire_calls as u64, case.failed), "{}", case.name);

        sandbox.chaos().clear();
        let outcome = process.get(&["products"]).await;
        assert_eq!(reason(&outcome), "success", "after {}: {outcome:?}", case.name);
    }
}

/// Shows: S3, S7
#[actix_web::test]
async fn each_fault_is_told_apart_and_gives_everything_back() {
    each_fault_over(false).await;
}

/// Shows: S3, S7
#[actix_web::test]
async fn each_fault_is_told_apart_and_gives_everything_back_over_cleartext_http2() {
    each_fault_over(true).await;
}

/// Shows: S7
#[actix_web::test]
async fn an_error_names_the_service_and_neither_its_address_nor_its_answer() {
    let sandbox = catalog().await;
    let process = Process::new(&[sandbox.url("catalog")], two_attempts);
    for rule in [Rule::fault(Fault::MalformedJson), Rule::status(500), Rule::fault(Fault::Reset)] {
        sandbox.chaos().set("catalog", vec![rule]).expect("a rule");
        let error = process.get(&["products"]).await.expect_err("a fault");
        let text = error.to_string();
        assert!(text.starts_with("shop: "), "{text}");
        assert!(!text.contains("127.0.0.1") && !text.contains("items"), "{text}");
    }
}

/// Shows: S3
#[actix_web::test]
async fn a_service_that_asks_to_wait_is_left_alone_that_long() {
    let sandbox = catalog().await;
    let process = Process::new(&[sandbox.url("catalog")], two_attempts);
    let rule = Rule::status(429).header("retry-after", "1").times(1);
    sandbox.chaos().set("catalog", vec![rule]).expect("a rule");
    let clock = Clock::system();
    let begun = clock.now();
    process.get(&["products"]).await.expect("the second attempt succeeds");
    assert!(clock.now() - begun >= Duration::from_secs(1));
    assert_eq!(sandbox.chaos().calls("catalog").len(), 2);
}

/// Shows: S2
#[actix_web::test]
async fn a_burst_of_errors_opens_the_breaker_and_the_service_is_found_again() {
    let sandbox = catalog().await;
    let (clock, hand) = Clock::manual();
    let process = Process::with_clock(&[sandbox.url("catalog")], &clock, |settings| {
        settings.retry.max_attempts = 1;
    });
    sandbox.chaos().set("catalog", vec![Rule::status(503)]).expect("a rule");
    let mut reasons = Vec::new();
    for _ in 0..30 {
        reasons.push(reason(&process.get(&["products"]).await));
    }
    assert_eq!(reasons[..10], ["server-error"; 10]);
    assert_eq!(reasons[10..], ["breaker-open"; 20]);
    assert_eq!(sandbox.chaos().calls("catalog").len(), 10, "an open breaker sends nothing");

    sandbox.chaos().clear();
    hand.advance(Duration::from_secs(6));
    for _ in 0..5 {
        process.get(&["products"]).await.expect("a trial call succeeds");
    }
    assert_eq!(process.breaker().state, State::Closed);
    process.assert_idle("after the burst").await;
}

/// Shows: S3
#[actix_web::test]
async fn calls_that_the_breaker_refuses_save_up_no_retries() {
    let sandbox = catalog().await;
    let (clock, _hand) = Clock::manual();
    let process = Process::with_clock(&[sandbox.url("catalog")], &clock, |_| {});
    process.registry.breaker("shop").expect("the downstream").force_open();
    let before = process.load().retry_budget;
    for _ in 0..50 {
        let error = process.get(&["products"]).await.expect_err("refused");
        assert!(matches!(error.failure, Failure::BreakerOpen { .. }), "{error}");
    }
    assert_eq!(process.load().retry_budget, before);
    assert!(sandbox.chaos().calls("catalog").is_empty());
}

/// Shows: S5
#[actix_web::test]
async fn a_full_bulkhead_refuses_at_once_and_its_places_come_back() {
    let sandbox = catalog().await;
    let process = Process::new(&[sandbox.url("catalog")], |settings| {
        settings.max_concurrent = 2;
        settings.max_wait_ms = 0;
        settings.retry.max_attempts = 1;
    });
    sandbox.chaos().set("catalog", vec![Rule::barrier("full", 2)]).expect("a rule");
    let calls = ["1", "2", "3", "4"].map(|sku| {
        let call = process.downstream.get(&crate::harness::request(), &["products"]).query(&[("offset", sku)]);
        actix_web::rt::spawn(call.send())
    });
    let mut reasons = Vec::new();
    for call in calls {
        reasons.push(reason(&call.await.expect("the call ends")));
    }
    assert_eq!(reasons, ["success", "success", "bulkhead-full", "bulkhead-full"]);
    assert_eq!(sandbox.chaos().calls("catalog").len(), 2, "what found no place was not sent");
    process.assert_idle("after the bulkhead was full").await;
    assert_eq!(process.breaker().failed_calls, 0, "our own limit says nothing about the service");
}
