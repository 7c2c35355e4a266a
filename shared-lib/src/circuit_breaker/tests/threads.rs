//! The handle under many threads: no permit is lost, and half-open never admits more than it may.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::{breaker, call, half_open, small};
use crate::circuit_breaker::{CircuitBreaker, CircuitBreakerSettings, Outcome, State, WindowType};
use crate::clock::Clock;

const THREADS: usize = 8;

/// Shows: S2
#[test]
fn many_threads_that_all_record_lose_no_sample() {
    let settings = CircuitBreakerSettings {
        window_type: WindowType::Count,
        window_size: 10_000,
        minimum_calls: 10_000,
        failure_rate_threshold: 100.0,
        ..CircuitBreakerSettings::default()
    };
    let (breaker, _hand) = breaker(&settings);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let breaker = &breaker;
            scope.spawn(move || {
                for number in 0..1_000 {
                    call(breaker, if (number + thread) % 4 == 0 { Outcome::Failure } else { Outcome::Success });
                }
            });
        }
    });
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.calls, snapshot.failed_calls), (8_000, 2_000));
}

/// Shows: S2
#[test]
fn half_open_never_has_more_trials_under_way_than_permitted() {
    let (breaker, hand) = breaker(&small());
    for _ in 0..50 {
        breaker.reset();
        half_open(&breaker, &hand);
        let (under_way, most, admitted) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let barrier = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    for _ in 0..100 {
                        let Ok(permit) = breaker.try_acquire() else {
                            continue;
                        };
                        admitted.fetch_add(1, Ordering::SeqCst);
                        let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        under_way.fetch_sub(1, Ordering::SeqCst);
                        drop(permit);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 3, "three are permitted");
        assert!(admitted.load(Ordering::SeqCst) >= 3);
        let free = (0..10).map(|_| breaker.try_acquire()).collect::<Vec<_>>();
        assert_eq!(free.iter().filter(|permit| permit.is_ok()).count(), 3, "every place came back, and none was added");
    }
}

/// Shows: S2
#[test]
fn half_open_admits_exactly_the_permitted_calls_when_all_threads_rush_in() {
    for _ in 0..200 {
        let (breaker, hand) = breaker(&small());
        half_open(&breaker, &hand);
        let barrier = Barrier::new(THREADS);
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let permit = breaker.try_acquire();
                        let admitted = usize::from(permit.is_ok());
                        // Nobody gives a place back before everybody has asked.
                        barrier.wait();
                        admitted
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
        });
        assert_eq!(admitted, 3);
    }
}

/// Shows: S2
#[test]
fn threads_that_cross_every_state_agree_with_the_listener_and_never_lose_a_place() {
    let transitions = std::sync::Arc::new(AtomicU64::new(0));
    let counter = std::sync::Arc::clone(&transitions);
    let (clock, hand) = Clock::manual();
    let breaker = CircuitBreaker::with_listener(
        "catalog",
        small(),
        clock,
        std::sync::Arc::new(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        }),
    );
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (breaker, hand) = (&breaker, &hand);
            scope.spawn(move || {
                for number in 0..2_000_usize {
                    if thread == 0 && number % 5 == 0 {
                        hand.advance(Duration::from_millis(400));
                    }
                    let Ok(permit) = breaker.try_acquire() else {
                        continue;
                    };
                    match (number / 200 + thread) % 3 {
                        0 => permit.record(Outcome::Failure),
                        1 => permit.record(Outcome::Success),
                        _ => drop(permit),
                    }
                }
            });
        }
    });
    assert_eq!(breaker.snapshot().generation, transitions.load(Ordering::SeqCst), "each transition was told once");
    breaker.reset();
    half_open(&breaker, &hand);
    for _ in 0..3 {
        call(&breaker, Outcome::Success);
    }
    assert_eq!(breaker.state(), State::Closed);
}
