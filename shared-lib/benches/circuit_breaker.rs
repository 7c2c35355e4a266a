//! What one attempt on the wire pays for its breaker: acquire and record, alone and with two threads at one breaker.
//!
//! Run with `cargo bench -p shared-lib --bench circuit_breaker`. Times are per pair of acquire and record.

use divan::Bencher;
use shared_lib::circuit_breaker::{CircuitBreaker, CircuitBreakerSettings, Outcome, WindowType};
use shared_lib::clock::Clock;

fn main() {
    divan::main();
}

fn breaker(window_type: WindowType, clock: Clock) -> CircuitBreaker {
    let settings = CircuitBreakerSettings { window_type, ..CircuitBreakerSettings::default() };
    CircuitBreaker::new("bench", settings, clock)
}

fn acquire_and_record(breaker: &CircuitBreaker) {
    if let Ok(permit) = breaker.try_acquire() {
        permit.record(Outcome::Success);
    }
}

/// The worst case: two threads that do nothing but use one breaker.
#[divan::bench(threads = [1, 2], sample_count = 50, sample_size = 100_000)]
fn nothing_else_time_window(bencher: Bencher<'_, '_>) {
    let breaker = breaker(WindowType::Time, Clock::system());
    bencher.bench(|| acquire_and_record(&breaker));
}

#[divan::bench(threads = [1, 2], sample_count = 50, sample_size = 100_000)]
fn nothing_else_count_window(bencher: Bencher<'_, '_>) {
    let breaker = breaker(WindowType::Count, Clock::system());
    bencher.bench(|| acquire_and_record(&breaker));
}

/// A manual clock costs one atomic load: the difference to the above is what reading the system's clock costs.
#[divan::bench(threads = [1, 2], sample_count = 50, sample_size = 100_000)]
fn nothing_else_without_the_systems_clock(bencher: Bencher<'_, '_>) {
    let (clock, _hand) = Clock::manual();
    let breaker = breaker(WindowType::Count, clock);
    bencher.bench(|| acquire_and_record(&breaker));
}

#[divan::bench(threads = [1, 2], sample_count = 50, sample_size = 100_000)]
fn refused_while_forced_open(bencher: Bencher<'_, '_>) {
    let breaker = breaker(WindowType::Time, Clock::system());
    breaker.force_open();
    bencher.bench(|| acquire_and_record(&breaker));
}

/// Stands for the rest of an attempt; a real one costs ten times as much.
fn work() {
    for number in 0..5_000_u64 {
        divan::black_box(number);
    }
}

#[divan::bench(threads = [1, 2], sample_count = 50, sample_size = 10_000)]
fn work_alone(bencher: Bencher<'_, '_>) {
    bencher.bench(work);
}

/// The difference to `work_alone` is what the breaker costs in a process that does something.
#[divan::bench(threads = [1, 2], sample_count = 50, sample_size = 10_000)]
fn work_with_a_breaker(bencher: Bencher<'_, '_>) {
    let breaker = breaker(WindowType::Time, Clock::system());
    bencher.bench(|| {
        if let Ok(permit) = breaker.try_acquire() {
            work();
            permit.record(Outcome::Success);
        }
    });
}
