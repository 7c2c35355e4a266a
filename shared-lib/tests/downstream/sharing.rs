//! Who shares an answer with whom.

use serde_json::{Value, json};
use shared_lib::{
    downstream::{Call, Freshness},
    testing::{Answer, FakeDownstream, eventually},
};

use crate::harness::{PATIENCE, Process, request, request_of};

/// Answers each with what they sent as `authorization`.
fn mirror() -> FakeDownstream {
    FakeDownstream::scripted(|seen| Answer::json(&json!({ "of": seen.header("authorization") })))
}

/// Shows: S2
#[actix_web::test]
async fn a_thousand_callers_on_four_workers_cause_one_wire_call() {
    const WORKERS: usize = 4;
    const CALLERS: usize = 250;
    let fake = mirror();
    let process = Process::new(&[fake.url()], |_| {});
    let hold = fake.hold();
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let registry = process.registry.clone();
            std::thread::spawn(move || {
                actix_web::rt::System::new().block_on(async move {
                    let downstream = registry.for_worker().get("shop").expect("the downstream");
                    let context = request_of("alice", "alices-token");
                    let calls = (0..CALLERS).map(|_| downstream.get(&context, &["thing"]).as_caller().json::<Value>());
                    let answers = futures_util::future::join_all(calls).await;
                    answers.into_iter().map(|answer| answer.expect("an answer").value).collect::<Vec<_>>()
                })
            })
        })
        .collect();
    let all_wait = eventually(PATIENCE, || async { process.load().waiting_callers == WORKERS * CALLERS }).await;
    assert!(all_wait, "{:?}", process.load());
    drop(hold);
    let answers = actix_web::web::block(move || {
        workers.into_iter().flat_map(|worker| worker.join().expect("no worker panics")).collect::<Vec<_>>()
    });
    let answers = answers.await.expect("the workers end");
    assert_eq!(answers.len(), WORKERS * CALLERS);
    assert!(answers.iter().all(|answer| *answer == json!({"of": "Bearer alices-token"})));
    assert_eq!((fake.calls(), process.breaker().calls), (1, 1));
    process.assert_idle("after the crowd").await;
}

/// Shows: S6
#[actix_web::test]
async fn two_users_never_share_an_answer_neither_under_way_nor_from_the_cache() {
    let fake = mirror();
    let process = Process::new(&[fake.url()], |_| {});
    let contexts = [
        request_of("alice", "alices-token"),
        request_of("bob", "bobs-token"),
        // The same subject with another token may be granted less.
        request_of("alice", "alices-other-token"),
        request(),
    ];
    let expected = [
        json!({"of": "Bearer alices-token"}),
        json!({"of": "Bearer bobs-token"}),
        json!({"of": "Bearer alices-other-token"}),
        json!({"of": null}),
    ];
    for (round, freshness) in [Freshness::Live, Freshness::Cached].into_iter().enumerate() {
        let hold = fake.hold();
        let calls = contexts
            .clone()
            .map(|context| process.downstream.get(&context, &["thing"]).as_caller().cached().json::<Value>());
        let answers = actix_web::rt::spawn(futures_util::future::join_all(calls));
        fake.arrived(4).await;
        drop(hold);
        let answers = answers.await.expect("the calls end");
        for (answer, expected) in answers.into_iter().zip(&expected) {
            let answer = answer.expect("an answer");
            assert_eq!((&answer.value, answer.freshness), (expected, freshness), "round {round}");
        }
    }
    assert_eq!(fake.calls(), 4, "everyone's second answer came from their own entry");
}

/// Shows: S6
#[actix_web::test]
async fn languages_queries_and_bodies_that_differ_are_different_calls() {
    let fake = mirror();
    let process = Process::new(&[fake.url()], |_| {});
    let get = |context| process.downstream.get(context, &["thing"]);
    let context = request();
    let header = actix_web::http::header::ACCEPT_LANGUAGE;
    let hold = fake.hold();
    let calls = [
        get(&context),
        get(&context),
        get(&context).query(&[("page", 1)]),
        get(&context).query(&[("page", 2)]),
        get(&context).header(header.clone(), "de"),
        get(&context).header(header, "en"),
        get(&context).body_json(&json!({"filter": 1})),
        get(&context).body_json(&json!({"filter": 2})),
    ];
    let calls = calls.map(Call::json::<Value>);
    let answers = actix_web::rt::spawn(futures_util::future::join_all(calls));
    assert!(eventually(PATIENCE, || async { process.load().waiting_callers == 8 }).await);
    fake.arrived(7).await;
    drop(hold);
    assert!(answers.await.expect("the calls end").iter().all(Result::is_ok));
    assert_eq!(fake.calls(), 7, "only the two that are the same share one");
}

#[actix_web::test]
async fn unsafe_calls_are_never_shared() {
    let fake = mirror();
    let process = Process::new(&[fake.url()], |_| {});
    let hold = fake.hold();
    let calls = [(); 3].map(|()| process.downstream.post(&request(), &["thing"]).json::<Value>());
    let answers = actix_web::rt::spawn(futures_util::future::join_all(calls));
    fake.arrived(3).await;
    drop(hold);
    assert!(answers.await.expect("the calls end").iter().all(Result::is_ok));
}
