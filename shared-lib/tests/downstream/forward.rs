//! Calls whose bodies pass through: what is sent again, what counts, and what is given back when.

use std::time::Duration;

use actix_web::{error::PayloadError, http::Method, web::Bytes};
use futures_util::{StreamExt, stream};
use shared_lib::{
    circuit_breaker::State,
    clock::Clock,
    downstream::{Failure, ForwardError, ForwardLimits, Forwarded, Upload, UploadFault},
    testing::{Answer, FakeDownstream},
};

use crate::harness::{Process, request};

const LIMITS: ForwardLimits = ForwardLimits { timeout: Duration::from_secs(4), max_answer_bytes: 10_000_000 };

/// More than sockets and clients gather on the way.
const LARGE: usize = 8_000_000;

fn upload(bytes: &'static [u8]) -> Upload {
    Upload::new(stream::iter([Ok(Bytes::from_static(bytes))]), Some(bytes.len() as u64), 1_000)
}

async fn get(process: &Process) -> Result<Forwarded, ForwardError> {
    process.downstream.get(&request(), &["file"]).forward(None, LIMITS).await
}

fn reason(outcome: Result<Forwarded, ForwardError>) -> &'static str {
    match outcome {
        Ok(_) => "success",
        Err(ForwardError::Upload(_)) => "upload",
        Err(ForwardError::Downstream(error)) => error.failure.reason(),
    }
}

/// Shows: W14, S3
#[actix_web::test]
async fn a_call_is_sent_again_as_long_as_nothing_of_its_own_is_used_up() {
    let fake = FakeDownstream::start(Answer::status(204));
    let process = Process::new(&[fake.url()], |_| {});
    fake.push(Answer::status(503));
    assert_eq!(reason(get(&process).await), "success");
    assert_eq!(fake.calls(), 2);
    fake.push(Answer::status(503));
    let put = process.downstream.call(&request(), Method::PUT, &["file"]).forward(Some(upload(b"body")), LIMITS);
    assert_eq!(reason(put.await), "server-error");
    assert_eq!(fake.calls(), 3, "the body is gone");
    process.assert_idle("after failures").await;
}

/// Shows: W14, S2
#[actix_web::test]
async fn an_exchange_is_one_sample_which_is_taken_with_the_last_byte() {
    let fake = FakeDownstream::start(Answer::status(200).body("text/plain", vec![b'x'; LARGE]));
    let process = Process::new(&[fake.url()], |_| {});
    let mut forwarded = get(&process).await.expect("a head");
    assert_eq!((process.breaker().calls, process.load().calls_under_way), (0, 1));
    let mut received = 0;
    while let Some(chunk) = forwarded.body.next().await {
        received += chunk.expect("it comes").len();
    }
    assert_eq!(received, LARGE);
    assert_eq!((process.breaker().calls, process.breaker().failed_calls), (1, 0));
    process.assert_idle("after the last byte").await;

    fake.answer(Answer::status(200).body("text/plain", vec![b'x'; LARGE]).breaking_off());
    let mut broken = get(&process).await.expect("a head");
    let end = loop {
        match broken.body.next().await {
            Some(Ok(_)) => {}
            end => break end,
        }
    };
    assert!(matches!(end, Some(Err(Failure::Broken(_)))), "{end:?}");
    assert_eq!((process.breaker().calls, process.breaker().failed_calls), (2, 1));
}

/// Shows: W14, S5
#[actix_web::test]
async fn an_exchange_holds_its_place_until_its_end_and_no_longer() {
    let fake = FakeDownstream::start(Answer::status(200).body("text/plain", vec![b'x'; LARGE]));
    let process = Process::new(&[fake.url()], |settings| {
        settings.max_concurrent = 1;
        settings.max_wait_ms = 0;
    });
    let first = get(&process).await.expect("a head");
    assert_eq!(reason(get(&process).await), "bulkhead-full");
    drop(first);
    fake.idle().await;
    process.assert_idle("after the reader left").await;
    assert_eq!(process.breaker().calls, 0, "a reader that leaves says nothing about the service");
    assert_eq!(reason(get(&process).await), "success");
}

/// Shows: W14, S10
#[actix_web::test]
async fn a_reader_that_reads_no_further_holds_nothing_beyond_the_deadline() {
    let fake = FakeDownstream::start(Answer::status(200).body("text/plain", vec![b'x'; LARGE]));
    let process = Process::new(&[fake.url()], |_| {});
    let mut forwarded = get(&process).await.expect("a head");
    forwarded.body.next().await.expect("a chunk").expect("it comes");
    process.assert_idle("when the time is up, though nobody asks").await;
    fake.idle().await;
    assert_eq!(process.breaker().calls, 0, "the service was not slow");
    let end = forwarded.body.next().await;
    assert!(matches!(end, Some(Err(Failure::TimedOut(_)))), "{end:?}");
    assert!(forwarded.body.next().await.is_none());
}

/// Shows: W14
#[actix_web::test]
async fn what_a_client_does_with_its_body_is_not_held_against_the_service() {
    let fake = FakeDownstream::start(Answer::status(204));
    let process = Process::new(&[fake.url()], |_| {});
    let post = |upload| {
        let limits = ForwardLimits { timeout: Duration::from_secs(1), ..LIMITS };
        process.downstream.post(&request(), &["file"]).forward(Some(upload), limits)
    };
    let chunk = || Ok::<_, PayloadError>(Bytes::from_static(b"0123456789"));
    let slow = Upload::new(stream::iter([chunk()]).chain(stream::pending()), None, 1_000);
    assert_eq!(reason(post(slow).await), "timeout");
    let broken = Upload::new(stream::iter([chunk(), Err(PayloadError::Incomplete(None))]), None, 1_000);
    assert!(matches!(post(broken).await, Err(ForwardError::Upload(UploadFault::BrokenOff))));
    let short = Upload::new(stream::iter([chunk()]), Some(20), 1_000);
    assert!(matches!(post(short).await, Err(ForwardError::Upload(UploadFault::BrokenOff))));
    for longer in
        [Upload::new(stream::iter([chunk(), chunk()]), Some(10), 1_000), Upload::new(stream::iter([chunk()]), None, 9)]
    {
        assert!(matches!(post(longer).await, Err(ForwardError::Upload(UploadFault::TooLarge(_)))));
    }
    assert_eq!((process.breaker().calls, fake.calls()), (0, 0), "no service has taken a part for the whole");
    process.assert_idle("after all of that").await;
}

/// Shows: W14, S2
#[actix_web::test]
async fn a_trial_place_comes_back_from_a_reader_that_leaves() {
    let fake = FakeDownstream::start(Answer::status(500));
    let (clock, hand) = Clock::manual();
    let process = Process::with_clock(&[fake.url()], &clock, |settings| {
        settings.circuit_breaker.minimum_calls = 1;
        settings.circuit_breaker.permitted_calls_in_half_open = 1;
    });
    assert_eq!(reason(get(&process).await), "server-error");
    assert_eq!((process.breaker().state, reason(get(&process).await)), (State::Open, "breaker-open"));
    hand.advance(Duration::from_secs(6));
    fake.answer(Answer::status(200).body("text/plain", vec![b'x'; LARGE]));
    let trial = get(&process).await.expect("a head");
    assert_eq!(reason(get(&process).await), "breaker-open", "the one trial place is taken");
    drop(trial);
    fake.answer(Answer::status(204));
    assert_eq!(reason(get(&process).await), "success");
    assert_eq!(process.breaker().state, State::Closed);
}
