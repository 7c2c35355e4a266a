//! The semantics that are kept from Resilience4j, one by one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{breaker, call, calls, half_open, open, small};
use crate::circuit_breaker::{
    CircuitBreaker, CircuitBreakerSettings, InitialState, Outcome, Reason, State, TransitionEvent, WindowType,
};
use crate::clock::Clock;

/// Shows: S2
#[test]
fn nothing_is_judged_before_the_minimum_of_calls() {
    let (breaker, _hand) = breaker(&small());
    calls(&breaker, Outcome::Failure, 3);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().failure_rate, None);
    call(&breaker, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().failure_rate, Some(100.0));
}

/// Shows: S2
#[test]
fn a_rate_that_reaches_the_threshold_opens_and_one_below_does_not() {
    let (breaker, _hand) = breaker(&small());
    calls(&breaker, Outcome::Success, 5);
    calls(&breaker, Outcome::Failure, 3);
    assert_eq!(breaker.state(), State::Closed, "3 of 8");
    call(&breaker, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open, "4 of the last 8");
}

/// Shows: S2
#[test]
fn slow_calls_open_although_they_succeed() {
    let (breaker, hand) = breaker(&small());
    for _ in 0..4 {
        let permit = breaker.try_acquire().expect("closed");
        hand.advance(Duration::from_millis(101));
        permit.record(Outcome::Success);
    }
    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.state, State::Open);
    assert_eq!((snapshot.slow_calls, snapshot.failed_calls, snapshot.slow_call_rate), (4, 0, Some(100.0)));
}

/// Shows: S2
#[test]
fn a_call_that_takes_exactly_the_slow_duration_is_not_slow() {
    let (breaker, hand) = breaker(&small());
    let permit = breaker.try_acquire().expect("closed");
    hand.advance(Duration::from_millis(100));
    permit.record(Outcome::Success);
    assert_eq!(breaker.snapshot().slow_calls, 0);
}

/// Shows: S2
#[test]
fn a_time_window_forgets_whole_seconds() {
    let settings =
        CircuitBreakerSettings { window_type: WindowType::Time, window_ms: 3_000, minimum_calls: 100, ..small() };
    let (breaker, hand) = breaker(&settings);
    for expected in [1, 2, 3, 3, 3] {
        call(&breaker, Outcome::Failure);
        assert_eq!(breaker.snapshot().calls, expected);
        hand.advance(Duration::from_secs(1));
    }
    hand.advance(Duration::from_secs(1_000));
    assert_eq!(breaker.snapshot().calls, 0);
}

/// Shows: S2
#[test]
fn half_open_admits_the_permitted_calls_and_their_results_decide() {
    let (breaker, hand) = breaker(&small());
    half_open(&breaker, &hand);
    let trials: Vec<_> = (0..3).map(|_| breaker.try_acquire().expect("a trial place is free")).collect();
    let rejected = breaker.try_acquire().expect_err("only three");
    assert_eq!(rejected.state, State::HalfOpen);
    assert_eq!(rejected.retry_after, Duration::from_millis(100));
    for trial in trials {
        assert_eq!(breaker.state(), State::HalfOpen);
        trial.record(Outcome::Success);
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().calls, 0, "closed begins with an empty window");
}

/// Shows: S2
#[test]
fn an_ignored_outcome_gives_its_trial_place_back() {
    let (breaker, hand) = breaker(&small());
    half_open(&breaker, &hand);
    calls(&breaker, Outcome::Ignored, 20);
    assert_eq!(breaker.snapshot().calls, 0);
    calls(&breaker, Outcome::Success, 3);
    assert_eq!(breaker.state(), State::Closed);
}

/// Shows: S2
#[test]
fn the_wait_doubles_up_to_the_cap_and_starts_anew_after_closing() {
    let (breaker, hand) = breaker(&small());
    open(&breaker);
    for wait_ms in [1_000, 2_000, 4_000, 4_000] {
        assert_eq!(breaker.snapshot().retry_after_ms, Some(wait_ms));
        hand.advance(Duration::from_millis(wait_ms - 1));
        assert!(breaker.try_acquire().is_err(), "one millisecond too early");
        hand.advance(Duration::from_millis(1));
        calls(&breaker, Outcome::Failure, 3);
        assert_eq!(breaker.state(), State::Open);
    }
    hand.advance(Duration::from_secs(4));
    calls(&breaker, Outcome::Success, 3);
    open(&breaker);
    assert_eq!(breaker.snapshot().retry_after_ms, Some(1_000));
}

/// Shows: S2
#[test]
fn without_the_automatic_transition_open_lasts_until_the_next_call() {
    let settings = CircuitBreakerSettings { automatic_transition_to_half_open: false, ..small() };
    let (breaker, hand) = breaker(&settings);
    open(&breaker);
    hand.advance(Duration::from_secs(100));
    assert_eq!(breaker.state(), State::Open);
    let _trial = breaker.try_acquire().expect("the wait is over");
    assert_eq!(breaker.state(), State::HalfOpen);
}

/// Shows: S2
#[test]
fn the_orders_of_an_operator_hold_whatever_the_calls_say() {
    let (breaker, hand) = breaker(&small());
    breaker.force_open();
    hand.advance(Duration::from_secs(10_000));
    let rejected = breaker.try_acquire().expect_err("forced open");
    assert_eq!((rejected.state, rejected.retry_after), (State::ForcedOpen, Duration::from_secs(1)));

    breaker.disable();
    calls(&breaker, Outcome::Failure, 50);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.calls), (State::Disabled, 0));

    breaker.metrics_only();
    calls(&breaker, Outcome::Failure, 50);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.failure_rate, snapshot.calls), (State::MetricsOnly, Some(100.0), 8));

    breaker.reset();
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.calls), (State::Closed, 0));
    open(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

/// Shows: S2
#[test]
fn a_breaker_starts_in_the_configured_state() {
    for (initial_state, state) in [
        (InitialState::Closed, State::Closed),
        (InitialState::Disabled, State::Disabled),
        (InitialState::MetricsOnly, State::MetricsOnly),
        (InitialState::ForcedOpen, State::ForcedOpen),
    ] {
        let settings = CircuitBreakerSettings { initial_state, ..small() };
        assert_eq!(breaker(&settings).0.state(), state);
    }
}

/// Shows: S2
#[test]
fn the_listener_is_told_each_transition_with_its_reason_and_may_use_the_breaker() {
    let (clock, hand) = Clock::manual();
    let told: Arc<Mutex<Vec<TransitionEvent>>> = Arc::default();
    let itself: Arc<Mutex<Option<CircuitBreaker>>> = Arc::default();
    let (sink, back) = (Arc::clone(&told), Arc::clone(&itself));
    let breaker = CircuitBreaker::with_listener(
        "catalog",
        small(),
        clock,
        Arc::new(move |event| {
            let breaker = back.lock().expect("one thread").clone();
            assert_eq!(breaker.expect("it is set").state(), event.to);
            sink.lock().expect("one thread").push(event.clone());
        }),
    );
    *itself.lock().expect("one thread") = Some(breaker.clone());
    half_open(&breaker, &hand);
    calls(&breaker, Outcome::Success, 3);
    breaker.force_open();

    let told = told.lock().expect("one thread");
    let changes: Vec<_> = told.iter().map(|event| (event.from, event.to, event.reason, event.generation)).collect();
    assert_eq!(
        changes,
        [
            (State::Closed, State::Open, Reason::FailureRate(100.0), 1),
            (State::Open, State::HalfOpen, Reason::WaitElapsed, 2),
            (State::HalfOpen, State::Closed, Reason::TrialsPassed, 3),
            (State::Closed, State::ForcedOpen, Reason::Operator, 4),
        ]
    );
    assert_eq!(told[1].at.to_string(), "2026-01-01T00:00:01Z");
}

/// Shows: S2
#[test]
fn the_snapshot_is_camel_case_and_complete() {
    let (breaker, hand) = breaker(&small());
    call(&breaker, Outcome::Success);
    hand.advance(Duration::from_secs(1));
    calls(&breaker, Outcome::Failure, 3);
    assert!(breaker.try_acquire().is_err());
    hand.advance(Duration::from_millis(250));
    let json = serde_json::to_value(breaker.snapshot()).expect("it serializes");
    assert_eq!(
        json,
        serde_json::json!({
            "name": "catalog",
            "state": "open",
            "since": "2026-01-01T00:00:01Z",
            "generation": 1,
            "failureRate": 75.0,
            "slowCallRate": 0.0,
            "calls": 4,
            "failedCalls": 3,
            "slowCalls": 0,
            "slowFailedCalls": 0,
            "notPermittedCalls": 1,
            "notPermittedCallsTotal": 1,
            "retryAfterMs": 750,
        })
    );
}
