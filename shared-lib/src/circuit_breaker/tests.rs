//! Tests of the breaker: against a naive model, of each known fault, and with many threads.

mod faults;
mod model;
mod semantics;
mod threads;

use std::time::Duration;

use super::{CircuitBreaker, CircuitBreakerSettings, Outcome, WindowType};
use crate::clock::{Clock, ManualClock};

/// Judges after 4 of the last 8 calls, tries with 3, waits 1 s, then 2 s, at most 4 s.
fn small() -> CircuitBreakerSettings {
    CircuitBreakerSettings {
        window_type: WindowType::Count,
        window_size: 8,
        minimum_calls: 4,
        permitted_calls_in_half_open: 3,
        slow_call_duration_ms: 100,
        wait_in_open_ms: 1_000,
        wait_in_open_cap_ms: 4_000,
        ..CircuitBreakerSettings::default()
    }
}

fn breaker(settings: &CircuitBreakerSettings) -> (CircuitBreaker, ManualClock) {
    let (clock, hand) = Clock::manual();
    (CircuitBreaker::new("catalog", settings.clone(), clock), hand)
}

fn call(breaker: &CircuitBreaker, outcome: Outcome) {
    breaker.try_acquire().expect("the breaker admits this call").record(outcome);
}

fn calls(breaker: &CircuitBreaker, outcome: Outcome, number: usize) {
    for _ in 0..number {
        call(breaker, outcome);
    }
}

/// Opens a closed breaker with [`small`] settings.
fn open(breaker: &CircuitBreaker) {
    calls(breaker, Outcome::Failure, 4);
}

/// Opens a closed breaker with [`small`] settings and waits until it may try.
fn half_open(breaker: &CircuitBreaker, hand: &ManualClock) {
    open(breaker);
    hand.advance(Duration::from_secs(1));
}
