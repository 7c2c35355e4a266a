//! One test for each known fault of the breakers in use elsewhere.

use std::time::Duration;

use super::{breaker, call, calls, half_open, open, small};
use crate::circuit_breaker::{CancelledCalls, CircuitBreakerSettings, Outcome, State};

/// Shows: S2
/// Fault: trial calls that are cancelled leave half-open without places, and the breaker refuses for ever.
#[test]
fn cancelled_trial_calls_do_not_leave_half_open_stuck() {
    let (breaker, hand) = breaker(&small());
    half_open(&breaker, &hand);
    for _ in 0..50 {
        let permits: Vec<_> = (0..3).map(|_| breaker.try_acquire().expect("a trial place is free")).collect();
        assert!(breaker.try_acquire().is_err(), "all three places are taken");
        drop(permits);
    }
    assert_eq!(breaker.snapshot().calls, 0, "they counted as nothing");
    calls(&breaker, Outcome::Success, 3);
    assert_eq!(breaker.state(), State::Closed);
}

/// Shows: S2
/// Fault: a panic between acquire and record loses the permit.
#[test]
fn a_panic_between_acquire_and_record_gives_the_place_back() {
    let (breaker, hand) = breaker(&small());
    half_open(&breaker, &hand);
    for _ in 0..5 {
        let clone = breaker.clone();
        let thread = std::thread::spawn(move || {
            let _permit = clone.try_acquire().expect("a trial place is free");
            panic!("the mapping of the answer failed");
        });
        assert!(thread.join().is_err());
    }
    calls(&breaker, Outcome::Success, 3);
    assert_eq!(breaker.state(), State::Closed);
}

/// Shows: S2
/// Fault: a slow call from before the opening fails (or passes) a trial that it was no part of.
#[test]
fn a_late_result_of_an_earlier_state_counts_as_nothing_in_half_open() {
    let (breaker, hand) = breaker(&small());
    let late: Vec<_> = (0..6).map(|_| breaker.try_acquire().expect("closed")).collect();
    half_open(&breaker, &hand);
    let _trial = breaker.try_acquire().expect("the first trial");
    let generation = breaker.snapshot().generation;
    for (number, permit) in late.into_iter().enumerate() {
        permit.record(if number % 2 == 0 { Outcome::Failure } else { Outcome::Success });
    }
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.calls, snapshot.generation), (State::HalfOpen, 0, generation));
}

/// Shows: S2
/// Fault: a late cancellation of an earlier state adds a trial place that never existed.
#[test]
fn a_late_cancellation_of_an_earlier_state_frees_no_trial_place() {
    let (breaker, hand) = breaker(&small());
    let late: Vec<_> = (0..6).map(|_| breaker.try_acquire().expect("closed")).collect();
    half_open(&breaker, &hand);
    let _trials: Vec<_> = (0..3).map(|_| breaker.try_acquire().expect("a trial place is free")).collect();
    drop(late);
    assert!(breaker.try_acquire().is_err(), "still three places in all");
}

/// Shows: S2
/// Fault: the results of one half-open phase leak into the next.
#[test]
fn a_trial_of_an_earlier_half_open_counts_as_nothing_in_the_next() {
    let settings = CircuitBreakerSettings { minimum_calls: 2, ..small() };
    let (breaker, hand) = breaker(&settings);
    calls(&breaker, Outcome::Failure, 2);
    hand.advance(Duration::from_secs(1));
    let straggler = breaker.try_acquire().expect("the first trial");
    calls(&breaker, Outcome::Failure, 2);
    assert_eq!(breaker.state(), State::Open, "the other two decided");
    hand.advance(Duration::from_secs(2));
    call(&breaker, Outcome::Success);
    straggler.record(Outcome::Failure);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.calls, snapshot.failed_calls), (State::HalfOpen, 1, 0));
}

/// Shows: S2
/// Fault: a refusal looks like any failure, and a retry layer hammers the open breaker.
#[test]
fn a_refusal_says_that_it_is_not_to_be_retried_and_when_to_come_back() {
    let (breaker, hand) = breaker(&small());
    open(&breaker);
    hand.advance(Duration::from_millis(300));
    let rejected = breaker.try_acquire().expect_err("open");
    assert!(!rejected.is_retryable());
    assert_eq!(rejected.state, State::Open);
    assert_eq!(rejected.retry_after, Duration::from_millis(700));
    assert_eq!(rejected.to_string(), "the circuit breaker is open and did not let the call through");
}

/// Shows: S2
/// Fault: the usual minimum of 100 calls never judges a pod that sees one call in some seconds.
#[test]
fn a_quiet_pod_is_protected_by_the_defaults() {
    let (breaker, hand) = breaker(&CircuitBreakerSettings::default());
    for _ in 0..10 {
        call(&breaker, Outcome::Failure);
        hand.advance(Duration::from_secs(6));
    }
    assert_eq!(breaker.state(), State::HalfOpen, "it opened 6 seconds ago");
    assert_eq!(breaker.snapshot().generation, 2);
}

/// Shows: S2
/// Fault: with a count window, failures of last night open the breaker this morning.
#[test]
fn old_failures_do_not_open_a_quiet_pods_breaker() {
    let (breaker, hand) = breaker(&CircuitBreakerSettings::default());
    calls(&breaker, Outcome::Failure, 9);
    hand.advance(Duration::from_secs(61));
    call(&breaker, Outcome::Failure);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.calls), (State::Closed, 1));
    assert_eq!(snapshot.failure_rate, None, "too few to judge");
}

/// Shows: S2
/// Fault: callers whose own time-out drops the call hide a downstream that hangs.
#[test]
fn a_call_given_up_when_slow_can_count_as_a_failure() {
    let settings = CircuitBreakerSettings { cancelled_calls: CancelledCalls::FailureIfSlow, ..small() };
    let (breaker, hand) = breaker(&settings);
    for _ in 0..4 {
        drop(breaker.try_acquire().expect("closed"));
    }
    assert_eq!(breaker.snapshot().calls, 0, "given up at once: nothing");
    for _ in 0..4 {
        let permit = breaker.try_acquire().expect("closed");
        hand.advance(Duration::from_millis(101));
        drop(permit);
    }
    assert_eq!(breaker.state(), State::Open);
}

/// Shows: S2
/// Fault: half-open holds its trial places for a call that never ends.
#[test]
fn a_trial_that_never_ends_can_be_bounded_in_time() {
    let settings = CircuitBreakerSettings { max_wait_in_half_open_ms: 500, ..small() };
    let (breaker, hand) = breaker(&settings);
    half_open(&breaker, &hand);
    let hanging: Vec<_> = (0..3).map(|_| breaker.try_acquire().expect("a trial place is free")).collect();
    hand.advance(Duration::from_millis(460));
    let rejected = breaker.try_acquire().expect_err("no place left");
    assert_eq!(rejected.state, State::HalfOpen);
    assert_eq!(rejected.retry_after, Duration::from_millis(40));
    hand.advance(Duration::from_millis(40));
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().retry_after_ms, Some(2_000), "the second wait in a row");
    drop(hanging);
    hand.advance(Duration::from_secs(2));
    calls(&breaker, Outcome::Success, 3);
    assert_eq!(breaker.state(), State::Closed);
}
