//! The life of a cached answer.

use std::time::Duration;

use serde_json::{Value, json};
use shared_lib::{
    clock::{Clock, ManualClock},
    context::RequestContext,
    downstream::{DownstreamError, DownstreamSettings, Fetched, Freshness},
    testing::{Answer, FakeDownstream, eventually},
};

use crate::harness::{PATIENCE, Process, request, request_of};

fn cached() -> (FakeDownstream, Process, ManualClock) {
    cached_with(|_| {})
}

fn cached_with(change: impl FnOnce(&mut DownstreamSettings)) -> (FakeDownstream, Process, ManualClock) {
    let fake = FakeDownstream::start(Answer::json(&json!({"version": 1})));
    let (clock, hand) = Clock::manual();
    let process = Process::with_clock(&[fake.url()], &clock, |settings| {
        settings.retry.max_attempts = 1;
        settings.cache.fresh_ms = 5_000;
        settings.cache.stale_while_revalidate_ms = 30_000;
        settings.cache.stale_if_error_ms = 600_000;
        change(settings);
    });
    (fake, process, hand)
}

async fn ask_as(process: &Process, context: &RequestContext) -> Result<Fetched<Value>, DownstreamError> {
    process.downstream.get(context, &["thing"]).as_caller().cached().json().await
}

/// The version that comes, and how fresh it is.
async fn ask(process: &Process) -> (u64, Freshness) {
    let fetched = ask_as(process, &request()).await.expect("an answer");
    (fetched.value["version"].as_u64().expect("a version"), fetched.freshness)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Shows: S6
#[actix_web::test]
async fn a_fresh_answer_is_given_without_asking() {
    let (fake, process, hand) = cached();
    assert_eq!(ask(&process).await, (1, Freshness::Live));
    hand.advance(seconds(4));
    let fetched = ask_as(&process, &request()).await.expect("an answer");
    assert_eq!((fetched.freshness, fake.calls()), (Freshness::Cached, 1));
    assert_eq!(fetched.as_of.to_string(), "2026-01-01T00:00:00Z", "it says when it was true");
    let uncached = process.get(&["thing"]).await.expect("an answer");
    assert_eq!((uncached.freshness, fake.calls()), (Freshness::Live, 2), "who does not ask for the cache gets none");
}

/// Shows: S6
#[actix_web::test]
async fn a_stale_answer_is_given_at_once_while_one_call_renews_it() {
    for coalesce in [true, false] {
        one_call_renews(coalesce).await;
    }
}

async fn one_call_renews(coalesce: bool) {
    let (fake, process, hand) = cached_with(|settings| settings.coalesce = coalesce);
    ask(&process).await;
    fake.answer(Answer::json(&json!({"version": 2})));
    hand.advance(seconds(6));
    let hold = fake.hold();
    for _ in 0..20 {
        assert_eq!(ask(&process).await, (1, Freshness::Stale("revalidating")));
    }
    fake.arrived(2).await;
    drop(hold);
    process.assert_idle("after the renewal").await;
    assert_eq!(ask(&process).await, (2, Freshness::Cached));
    assert_eq!(fake.calls(), 2, "twenty that noticed caused one call");
}

/// Shows: S6
#[actix_web::test]
async fn an_old_answer_is_given_when_the_service_fails_and_says_why() {
    let (fake, process, hand) = cached();
    ask(&process).await;
    hand.advance(seconds(60));
    for (answer, reason) in [
        (Answer::status(503), "server-error"),
        (Answer::json(&json!({"long": "enough"})).breaking_off(), "broken"),
        (Answer::status(200).body("text/html", "<html>"), "invalid-response"),
    ] {
        fake.answer(answer);
        assert_eq!(ask(&process).await, (1, Freshness::Stale(reason)));
    }
    process.registry.breaker("shop").expect("the downstream").force_open();
    assert_eq!(ask(&process).await, (1, Freshness::Stale("breaker-open")));
    process.registry.breaker("shop").expect("the downstream").reset();

    fake.answer(Answer::status(404));
    let refused = ask_as(&process, &request()).await.expect_err("that it is gone is an answer");
    assert_eq!(refused.failure.reason(), "refused");
    fake.answer(Answer::status(503));
    hand.advance(seconds(600));
    ask_as(&process, &request()).await.expect_err("too old to be given");
}

/// Shows: S6
#[actix_web::test]
async fn an_entity_tag_renews_an_answer_without_sending_it_again() {
    let (fake, process, hand) = cached();
    fake.answer(Answer::json(&json!({"version": 1})).header("etag", "\"v1\""));
    ask(&process).await;
    fake.answer(Answer::status(304));
    hand.advance(seconds(60));
    assert_eq!(ask(&process).await, (1, Freshness::Live), "it was asked for just now");
    assert_eq!(fake.seen()[1].header("if-none-match"), Some("\"v1\""));
    hand.advance(seconds(4));
    assert_eq!(ask(&process).await, (1, Freshness::Cached));
    assert_eq!(fake.calls(), 2, "it is fresh once more");
    assert_eq!(fake.seen()[0].header("if-none-match"), None);
}

/// Shows: S6
#[actix_web::test]
async fn the_cache_is_bounded_by_bytes() {
    let (clock, _hand) = Clock::manual();
    let fake = FakeDownstream::start(Answer::json(&json!({"filling": "x".repeat(10_000)})));
    let process = Process::with_clock(&[fake.url()], &clock, |settings| settings.cache.max_bytes = 100_000);
    for number in 0..100 {
        let path = number.to_string();
        let call = process.downstream.get(&request(), &[&path]).cached().json::<Value>();
        call.await.expect("an answer");
    }
    // Its book-keeping runs behind, at the latest with a later use.
    let bounded = eventually(PATIENCE, || async {
        process.downstream.get(&request(), &["0"]).cached().json::<Value>().await.expect("an answer");
        let load = process.load();
        load.cached_bytes > 0 && load.cached_bytes <= 100_000 && load.cached_answers <= 9
    });
    assert!(bounded.await, "{:?}", process.load());
}

/// Shows: S6
#[actix_web::test]
async fn a_cache_of_no_bytes_keeps_nothing() {
    let (clock, _hand) = Clock::manual();
    let fake = FakeDownstream::start(Answer::json(&json!({"version": 1})));
    let process = Process::with_clock(&[fake.url()], &clock, |settings| settings.cache.max_bytes = 0);
    assert_eq!([ask(&process).await, ask(&process).await], [(1, Freshness::Live); 2]);
    assert_eq!(fake.calls(), 2);
}

/// Shows: S6
#[actix_web::test]
async fn what_was_fetched_for_a_subject_can_be_forgotten_and_nothing_else_is() {
    let (fake, process, hand) = cached();
    let (alice, bob) = (request_of("alice", "a"), request_of("bob", "b"));
    for context in [&alice, &bob] {
        ask_as(&process, context).await.expect("an answer");
    }
    // Renewed in the background: still hers.
    hand.advance(seconds(6));
    ask_as(&process, &alice).await.expect("an answer");
    assert!(eventually(PATIENCE, || async { fake.calls() == 3 && process.load().is_idle() }).await);
    fake.answer(Answer::json(&json!({"version": 2})));
    process.downstream.forget_subject("alice");
    let hers = ask_as(&process, &alice).await.expect("an answer");
    assert_eq!((hers.value, hers.freshness), (json!({"version": 2}), Freshness::Live));
    let his = ask_as(&process, &bob).await.expect("an answer");
    assert_eq!(his.freshness, Freshness::Stale("revalidating"));
}

/// Shows: S6
#[actix_web::test]
async fn an_answer_that_was_under_way_when_its_subject_was_forgotten_is_not_kept() {
    let (fake, process, _hand) = cached();
    let alice = request_of("alice", "a");
    let hold = fake.hold();
    let old = process.downstream.get(&alice, &["thing"]).as_caller().cached().json::<Value>();
    let old = actix_web::rt::spawn(old);
    fake.arrived(1).await;
    // She changes something: what she asks for from now on must show it.
    process.downstream.forget_subject("alice");
    fake.answer(Answer::json(&json!({"version": 2})));
    let new = process.downstream.get(&alice, &["thing"]).as_caller().cached().json::<Value>();
    let new = actix_web::rt::spawn(new);
    fake.arrived(2).await;
    drop(hold);
    let [old, new] = [old, new].map(|call| async { call.await.expect("the call ends").expect("an answer").value });
    assert_eq!((old.await, new.await), (json!({"version": 1}), json!({"version": 2})));
    let after = ask_as(&process, &alice).await.expect("an answer");
    assert_eq!((after.value, after.freshness), (json!({"version": 2}), Freshness::Cached));
}
