//! Outlier ejection and panic.

use std::time::Duration;

use super::{addresses, balancer, calls, instance, pick};
use crate::circuit_breaker::Outcome;
use crate::clock::ManualClock;
use crate::downstream::balance::{BalanceSettings, Balancer, Lease};

/// No slow start, so that what is seen is ejection, and five failures in a row for one.
fn settings() -> BalanceSettings {
    let mut settings = BalanceSettings { slow_start_ms: 0, ..BalanceSettings::default() };
    settings.outlier.consecutive_failures = 5;
    settings
}

/// Picks until it is `address`; the others are given up.
fn pick_at(balancer: &Balancer, address: &str) -> Lease {
    std::iter::repeat_with(|| pick(balancer))
        .take(1_000)
        .find(|lease| lease.address() == address)
        .expect("it is picked sooner or later")
}

fn fail(balancer: &Balancer, address: &str, times: usize) {
    for _ in 0..times {
        pick_at(balancer, address).record(Outcome::Failure);
    }
}

fn is_out(balancer: &Balancer, address: &str) -> bool {
    instance(balancer, address).ejected_for_ms.is_some()
}

fn end_ejection(balancer: &Balancer, hand: &ManualClock, address: &str) {
    let left = instance(balancer, address).ejected_for_ms.expect("it is out");
    hand.advance(Duration::from_millis(left));
    assert!(!is_out(balancer, address));
}

/// Shows: S4
#[test]
fn consecutive_failures_take_an_instance_out_and_a_success_between_does_not() {
    let (balancer, _hand) = balancer(&settings(), &["a", "b", "c"]);
    fail(&balancer, "a", 4);
    pick_at(&balancer, "a").record(Outcome::Success);
    fail(&balancer, "a", 4);
    assert!(!is_out(&balancer, "a"));
    fail(&balancer, "a", 1);
    assert!(is_out(&balancer, "a"));
    for _ in 0..200 {
        assert_ne!(pick(&balancer).address(), "a");
    }
}

/// Shows: S4
#[test]
fn the_ejection_doubles_up_to_its_cap_and_calm_intervals_take_it_back() {
    let (balancer, hand) = balancer(&settings(), &["a", "b", "c"]);
    for seconds in [30, 60, 120, 240, 300, 300] {
        fail(&balancer, "a", 5);
        assert_eq!(instance(&balancer, "a").ejected_for_ms, Some(seconds * 1_000));
        end_ejection(&balancer, &hand, "a");
    }
    for _ in 0..10 {
        hand.advance(Duration::from_secs(10));
        assert!(!is_out(&balancer, "a"));
    }
    assert_eq!(instance(&balancer, "a").ejections, 0);
    fail(&balancer, "a", 5);
    assert_eq!(instance(&balancer, "a").ejected_for_ms, Some(30_000));
}

/// Shows: S4
#[test]
fn an_instance_that_comes_back_starts_slowly() {
    let (balancer, hand) = balancer(&BalanceSettings::default(), &["a", "b", "c"]);
    fail(&balancer, "a", 3);
    end_ejection(&balancer, &hand, "a");
    assert_eq!(instance(&balancer, "a").slow_start_percent, 10.0);
}

/// Shows: S4
#[test]
fn a_success_rate_far_below_the_others_takes_an_instance_out_even_among_two() {
    for names in [&["a", "b"][..], &["a", "b", "c"], &["a", "b", "c", "d", "e", "f"]] {
        let (balancer, hand) = balancer(&settings(), names);
        let lame = std::cell::Cell::new(0);
        calls(&balancer, &hand, 400, |address| {
            if address != "a" {
                return (1, Outcome::Success);
            }
            lame.set(lame.get() + 1);
            // Every third call fails: never five in a row.
            let outcome = if lame.get() % 3 == 0 { Outcome::Failure } else { Outcome::Success };
            (1, outcome)
        });
        assert!(!is_out(&balancer, "a"), "rates are compared at the interval's end");
        hand.advance(Duration::from_secs(10));
        assert!(is_out(&balancer, "a"), "{names:?}");
        assert!(names[1..].iter().all(|other| !is_out(&balancer, other)));
    }
}

/// Shows: S4
#[test]
fn when_all_fail_alike_no_success_rate_stands_out() {
    let (balancer, hand) = balancer(&settings(), &["a", "b", "c"]);
    let number = std::cell::Cell::new(0);
    calls(&balancer, &hand, 600, |_| {
        number.set(number.get() + 1);
        let outcome = if number.get() % 3 == 0 { Outcome::Failure } else { Outcome::Success };
        (1, outcome)
    });
    hand.advance(Duration::from_secs(10));
    let snapshot = balancer.snapshot();
    assert!(snapshot.instances.iter().all(|instance| instance.ejected_for_ms.is_none()));
}

/// Shows: S4
#[test]
fn too_few_attempts_are_no_success_rate() {
    let (balancer, hand) = balancer(&settings(), &["a", "b"]);
    for number in 0..19 {
        let outcome = if number % 2 == 0 { Outcome::Failure } else { Outcome::Success };
        pick_at(&balancer, "a").record(outcome);
    }
    for _ in 0..40 {
        pick_at(&balancer, "b").record(Outcome::Success);
    }
    hand.advance(Duration::from_secs(10));
    assert!(!is_out(&balancer, "a"));
}

/// Shows: S4
#[test]
fn no_more_than_the_maximum_is_ever_out_and_a_sole_instance_stays() {
    let (four, hand) = balancer(&settings(), &["a", "b", "c", "d"]);
    calls(&four, &hand, 500, |_| (1, Outcome::Failure));
    let snapshot = four.snapshot();
    let out = snapshot.instances.iter().filter(|instance| instance.ejected_for_ms.is_some());
    assert_eq!(out.count(), 2, "50 % of four");
    assert!(!snapshot.panicking, "half is still in");

    let (one, hand) = balancer(&settings(), &["a"]);
    calls(&one, &hand, 100, |_| (1, Outcome::Failure));
    assert!(!is_out(&one, "a"));
}

/// Shows: S4
#[test]
fn when_too_many_are_out_ejection_is_ignored() {
    let mut settings = settings();
    settings.outlier.max_ejection_percent = 100;
    let (balancer, hand) = balancer(&settings, &["a", "b", "c", "d"]);
    fail(&balancer, "a", 5);
    fail(&balancer, "b", 5);
    assert!(!balancer.snapshot().panicking, "half is still in");
    fail(&balancer, "c", 5);
    assert!(balancer.snapshot().panicking);
    let counts = calls(&balancer, &hand, 400, |_| (1, Outcome::Success));
    assert_eq!(counts.len(), 4, "all are tried: {counts:?}");
    assert!(is_out(&balancer, "a"), "a success in panic does not shorten the ejection");
    end_ejection(&balancer, &hand, "a");
    assert!(!balancer.snapshot().panicking);
}

/// Shows: S4
#[test]
fn panic_also_follows_when_the_healthy_ones_leave_the_set() {
    let (balancer, _hand) = balancer(&settings(), &["a", "b", "c", "d"]);
    fail(&balancer, "a", 5);
    balancer.replace(&addresses(&["a"]));
    assert!(balancer.snapshot().panicking);
    assert_eq!(pick(&balancer).address(), "a");
}

/// Shows: S4
#[test]
fn ejection_can_be_turned_off() {
    let mut settings = settings();
    settings.outlier.max_ejection_percent = 0;
    let (balancer, hand) = balancer(&settings, &["a", "b"]);
    calls(&balancer, &hand, 200, |_| (1, Outcome::Failure));
    assert!(!is_out(&balancer, "a") && !is_out(&balancer, "b"));
}
