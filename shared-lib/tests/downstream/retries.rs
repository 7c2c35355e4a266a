//! What retries add to the load of a service that fails, counted on the wire.

use serde_json::{Value, json};
use shared_lib::{
    circuit_breaker::InitialState,
    clock::Clock,
    testing::{Answer, FakeDownstream, eventually},
};

use crate::harness::{PATIENCE, Process, request};

/// Requests of each run.
const REQUESTS: usize = 60;

/// Shows: S3
#[actix_web::test]
async fn when_everything_fails_retries_add_a_fifth_at_any_fan_out() {
    for fan_out in [1, 4, 16] {
        let fake = FakeDownstream::start(Answer::status(503));
        // The clock stands still, so the floor pays for exactly the one retry that it has saved up.
        let (clock, _hand) = Clock::manual();
        let process = Process::with_clock(&[fake.url()], &clock, |settings| {
            // The breaker would hide what retries do.
            settings.circuit_breaker.initial_state = InitialState::Disabled;
        });
        for number in 0..REQUESTS {
            let context = request();
            let parts = (0..fan_out).map(|part| {
                process.downstream.get(&context, &[&number.to_string(), &part.to_string()]).json::<Value>()
            });
            let outcomes = futures_util::future::join_all(parts).await;
            assert!(outcomes.iter().all(Result::is_err), "everything fails");
        }
        let first_attempts = REQUESTS * fan_out;
        let most = first_attempts * 12 / 10 + 1;
        assert!(fake.calls() <= most, "fan-out {fan_out}: {} calls, at most {most}", fake.calls());
        assert!(fake.calls() * 100 >= most * 95, "fan-out {fan_out}: {} calls: the budget is used", fake.calls());
        assert_eq!(process.load().wire_attempts, fake.calls() as u64, "every wire call is counted once");
        process.assert_idle("after the storm").await;
    }
}

/// Shows: S3
#[actix_web::test]
async fn a_call_that_is_not_idempotent_is_never_repeated() {
    let fake = FakeDownstream::start(Answer::status(503));
    let process = Process::new(&[fake.url()], |_| {});
    for _ in 0..5 {
        process.downstream.post(&request(), &["thing"]).send().await.expect_err("the service fails");
    }
    assert_eq!(fake.calls(), 5);
    process.downstream.post(&request(), &["thing"]).idempotent().send().await.expect_err("the service fails");
    assert!(fake.calls() > 6, "one that carries an idempotency key is");
}

/// Shows: S2, S3
#[actix_web::test]
async fn a_thousand_waiting_callers_are_one_sample_of_the_breaker_and_one_debit_of_the_retry_budget() {
    let fake = FakeDownstream::start(Answer::json(&json!({})));
    fake.push(Answer::status(503));
    let (clock, _hand) = Clock::manual();
    let process = Process::with_clock(&[fake.url()], &clock, |_| {});
    let hold = fake.hold();
    let callers: Vec<_> = (0..1_000)
        .map(|_| actix_web::rt::spawn(process.downstream.get(&request(), &["thing"]).json::<Value>()))
        .collect();
    fake.arrived(1).await;
    assert!(eventually(PATIENCE, || async { process.load().waiting_callers == 1_000 }).await, "{:?}", process.load());
    drop(hold);
    for caller in callers {
        caller.await.expect("the caller ends").expect("the second attempt succeeds");
    }
    let (breaker, load) = (process.breaker(), process.load());
    assert_eq!((fake.calls(), breaker.calls, breaker.failed_calls), (2, 2, 1));
    assert!((load.retry_budget - 0.2).abs() < 1e-6, "1 saved + 0.2 deposited - 1 spent: {}", load.retry_budget);
}
