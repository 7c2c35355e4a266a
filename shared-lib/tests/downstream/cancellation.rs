//! A caller that leaves takes its call along, down to the wire, and leaves nothing behind.

use std::time::Duration;

use actix_web::http::Method;
use serde_json::{Value, json};
use shared_lib::{
    circuit_breaker::State,
    clock::Clock,
    testing::{Answer, FakeDownstream, eventually},
};

use crate::harness::{PATIENCE, Process, request};

/// Shows: S2, S5
#[actix_web::test]
async fn a_cancelled_caller_cancels_its_call_on_the_wire_and_gives_its_places_back() {
    for method in [Method::GET, Method::POST] {
        let fake = FakeDownstream::start(Answer::json(&json!({})));
        let process = Process::new(&[fake.url()], |_| {});
        let hold = fake.hold();
        let call = process.downstream.call(&request(), method.clone(), &["thing"]).json::<Value>();
        let call = actix_web::rt::spawn(call);
        fake.arrived(1).await;
        let load = process.load();
        assert_eq!((load.calls_under_way, load.attempts_in_flight), (1, 1), "{method}");

        call.abort();
        fake.idle().await;
        process.assert_idle(method.as_str()).await;
        assert_eq!(process.breaker().calls, 0, "a caller that goes away says nothing about the service");
        drop(hold);
        assert_eq!(fake.calls(), 1, "{method}: nothing is sent again");
    }
}

/// Shows: S2
#[actix_web::test]
async fn a_cancelled_trial_call_gives_its_trial_place_back() {
    let fake = FakeDownstream::start(Answer::status(503));
    let (clock, hand) = Clock::manual();
    let process = Process::with_clock(&[fake.url()], &clock, |settings| {
        settings.circuit_breaker.minimum_calls = 1;
        settings.circuit_breaker.permitted_calls_in_half_open = 1;
        settings.retry.max_attempts = 1;
    });
    process.get(&["thing"]).await.expect_err("the service fails");
    assert_eq!(process.breaker().state, State::Open);
    hand.advance(Duration::from_secs(6));
    fake.answer(Answer::json(&json!({})));

    let hold = fake.hold();
    let call = actix_web::rt::spawn(process.downstream.get(&request(), &["thing"]).send());
    fake.arrived(2).await;
    process.get(&["other"]).await.expect_err("the one trial place is taken");
    call.abort();
    fake.idle().await;
    process.assert_idle("after the trial call left").await;
    drop(hold);
    process.get(&["thing"]).await.expect("the place is free again");
    assert_eq!((process.breaker().state, fake.calls()), (State::Closed, 3));
}

/// Shows: S2
#[actix_web::test]
async fn a_shared_call_ends_with_the_last_of_its_callers() {
    let fake = FakeDownstream::start(Answer::json(&json!({})));
    let process = Process::new(&[fake.url()], |_| {});
    let _hold = fake.hold();
    let callers: Vec<_> =
        (0..3).map(|_| actix_web::rt::spawn(process.downstream.get(&request(), &["thing"]).json::<Value>())).collect();
    fake.arrived(1).await;
    assert!(eventually(PATIENCE, || async { process.load().waiting_callers == 3 }).await);
    callers[0].abort();
    callers[1].abort();
    assert!(eventually(PATIENCE, || async { process.load().waiting_callers == 1 }).await);
    assert_eq!((fake.calls(), fake.in_flight()), (1, 1), "one caller still waits for it");
    callers[2].abort();
    fake.idle().await;
    process.assert_idle("after the last caller left").await;
}

/// Shows: S2
#[actix_web::test]
async fn a_fan_out_that_is_given_up_gives_up_every_part() {
    let fake = FakeDownstream::start(Answer::json(&json!({})));
    let process = Process::new(&[fake.url()], |_| {});
    let _hold = fake.hold();
    let parts = ["a", "b", "c", "d"].map(|part| process.downstream.get(&request(), &[part]).json::<Value>());
    let page = actix_web::rt::spawn(futures_util::future::join_all(parts));
    fake.arrived(4).await;
    page.abort();
    fake.idle().await;
    process.assert_idle("after the page was given up").await;
}
