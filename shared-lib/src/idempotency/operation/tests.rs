//! Operations and their repetitions, on the store in memory.

use std::{cell::Cell, rc::Rc};

use futures_util::FutureExt;
use tokio::sync::Notify;

use super::*;
use crate::idempotency::{IdempotencyKey, MemoryStore};

const LEASE: Duration = Duration::from_secs(30);
const KEEP: Duration = Duration::from_secs(24 * 3600);

struct Bench {
    idempotency: Idempotency,
    hand: crate::clock::ManualClock,
    runs: Rc<Cell<u32>>,
}

impl Bench {
    fn new() -> Self {
        let (clock, hand) = Clock::manual();
        let store = Arc::new(MemoryStore::new(3));
        let settings = IdempotencySettings { lease: LEASE, keep: KEEP };
        Self { idempotency: Idempotency::new(store, settings, clock), hand, runs: Rc::default() }
    }

    /// Runs an operation that counts, and answers with the count or fails.
    async fn run(&self, key: &str, body: &str, succeeds: bool) -> Result<(u16, bool), &'static str> {
        let runs = Rc::clone(&self.runs);
        let operation = async move {
            runs.set(runs.get() + 1);
            let answer = KeptAnswer::json(StatusCode::CREATED, None, &runs.get());
            if succeeds { answer } else { Err(Problem::new(&kinds::DOWNSTREAM_TIMEOUT)) }
        };
        let answer = self.idempotency.run(scope(key), body.as_bytes(), operation).await;
        answer
            .map(|outcome| {
                let (status, replayed) = (outcome.answer.status, outcome.replayed);
                let response = outcome.into_response();
                assert_eq!(response.headers().contains_key(REPLAYED), replayed, "it is marked");
                (status, replayed)
            })
            .map_err(|problem| problem.kind().code)
    }
}

fn scope(key: &str) -> Scope {
    Scope::new("acme", "test", "POST", "/orders", &IdempotencyKey::parse(key).expect("a key"))
}

/// Shows: P6
#[actix_web::test]
async fn a_repetition_gets_the_kept_answer_and_another_body_is_refused() {
    let bench = Bench::new();
    assert_eq!(bench.run("k", "a", true).await, Ok((201, false)));
    assert_eq!(bench.run("k", "a", true).await, Ok((201, true)));
    assert_eq!(bench.run("\"k\"", "a", true).await, Ok((201, true)));
    assert_eq!(bench.run("k", "b", true).await, Err("idempotency-key-reused"));
    assert_eq!(bench.runs.get(), 1);
    bench.hand.advance(KEEP - Duration::from_secs(1));
    assert_eq!(bench.run("k", "a", true).await, Ok((201, true)));
    bench.hand.advance(Duration::from_secs(1));
    assert_eq!(bench.run("k", "b", true).await, Ok((201, false)), "after a day it is a new operation");
}

/// Shows: P6
#[actix_web::test]
async fn a_failed_operation_can_be_tried_again_at_once() {
    let bench = Bench::new();
    assert_eq!(bench.run("k", "a", false).await, Err("downstream-timeout"));
    assert_eq!(bench.run("k", "a", true).await, Ok((201, false)));
    assert_eq!(bench.runs.get(), 2);
}

/// Shows: P6
#[actix_web::test]
async fn who_comes_while_it_runs_waits_and_a_lapsed_claim_is_taken_over() {
    let bench = Bench::new();
    let stuck = std::future::pending::<Result<KeptAnswer, Problem>>();
    let first = bench.idempotency.run(scope("k"), b"a", stuck);
    let mut first = Box::pin(first);
    assert!(first.as_mut().now_or_never().is_none());
    assert_eq!(bench.run("k", "a", true).await, Err("idempotency-in-flight"));
    assert_eq!(bench.run("k", "b", true).await, Err("idempotency-key-reused"));
    bench.hand.advance(LEASE);
    assert_eq!(bench.run("k", "b", true).await, Err("idempotency-key-reused"), "the body is still the first one's");
    assert_eq!(bench.run("k", "a", true).await, Ok((201, false)));
}

/// Shows: P6
#[actix_web::test]
async fn an_operation_whose_caller_leaves_is_carried_out_and_its_answer_kept() {
    let bench = Bench::new();
    let (go, done) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
    let (waits, says) = (Rc::clone(&go), Rc::clone(&done));
    let operation = async move {
        waits.notified().await;
        says.notify_one();
        KeptAnswer::json(StatusCode::CREATED, None, &"late")
    };
    let mut caller = Box::pin(bench.idempotency.run(scope("k"), b"a", operation));
    assert!(caller.as_mut().now_or_never().is_none());
    drop(caller);
    go.notify_one();
    done.notified().await;
    // Nothing is awaited between the operation's end and its record in this store.
    assert_eq!(bench.run("k", "a", true).await, Ok((201, true)));
    assert_eq!(bench.runs.get(), 0);
}

/// Shows: P6
#[actix_web::test]
async fn a_claim_that_was_taken_over_writes_nothing() {
    let store = MemoryStore::new(10);
    let (clock, hand) = Clock::manual();
    let claim = |lease| {
        let now = clock.wall();
        let (lease_ends, forget_at) = (now + LEASE, now + KEEP);
        Claim { scope: scope("k"), fingerprint: Fingerprint::of(b"a"), lease, now, lease_ends, forget_at }
    };
    let (old, new) = (Lease(Uuid::from_u128(1)), Lease(Uuid::from_u128(2)));
    assert_eq!(store.begin(claim(old)).await.expect("memory"), Begun::Claimed);
    hand.advance(LEASE);
    assert_eq!(store.begin(claim(new)).await.expect("memory"), Begun::Claimed);
    let answer = KeptAnswer { status: 201, location: None, body: "1".to_owned() };
    store.complete(scope("k"), old, &answer).await.expect("memory");
    store.release(scope("k"), old).await.expect("memory");
    assert!(matches!(store.begin(claim(old)).await, Ok(Begun::InFlight { .. })));
}

#[actix_web::test]
async fn a_full_store_refuses_rather_than_forgets() {
    let bench = Bench::new();
    for key in ["a", "b", "c"] {
        assert_eq!(bench.run(key, "", true).await, Ok((201, false)));
    }
    assert_eq!(bench.run("d", "", true).await, Err("idempotency-unavailable"));
    assert_eq!(bench.run("a", "", true).await, Ok((201, true)));
    bench.hand.advance(KEEP);
    assert_eq!(bench.run("d", "", true).await, Ok((201, false)));
}
