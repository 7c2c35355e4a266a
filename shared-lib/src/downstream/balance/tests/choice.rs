//! Which instance is chosen.

use std::time::Duration;

use super::{addresses, balancer, calls, instance, pick};
use crate::circuit_breaker::Outcome;
use crate::downstream::balance::BalanceSettings;

fn well(_address: &str) -> (u64, Outcome) {
    (10, Outcome::Success)
}

#[test]
fn without_instances_nothing_is_picked() {
    let (balancer, _hand) = balancer(&BalanceSettings::default(), &[]);
    assert!(balancer.pick().is_none());
    assert!(balancer.pick_avoiding("a").is_none());
}

/// Shows: S4
#[test]
fn equal_instances_get_equal_shares() {
    let (balancer, hand) = balancer(&BalanceSettings::default(), &["a", "b", "c", "d"]);
    let counts = calls(&balancer, &hand, 4_000, well);
    for (address, count) in counts {
        assert!((800..=1_200).contains(&count), "{address}: {count}");
    }
}

/// Shows: S4
#[test]
fn a_slow_instance_gets_little_and_is_found_again_when_it_recovers() {
    let (balancer, hand) = balancer(&BalanceSettings::default(), &["a", "b", "c"]);
    let slow_a = |address: &str| match address {
        "a" => (300, Outcome::Success),
        _ => (10, Outcome::Success),
    };
    let sick = calls(&balancer, &hand, 3_000, slow_a);
    let share = sick.get("a").copied().unwrap_or_default();
    assert!((1..60).contains(&share), "it is tried now and then: {share}");
    hand.advance(Duration::from_secs(60));
    let recovered = calls(&balancer, &hand, 3_000, well);
    assert!(recovered["a"] > 700, "{recovered:?}");
}

/// Shows: S4
#[test]
fn with_two_instances_the_one_with_fewer_calls_in_flight_is_taken() {
    let (balancer, _hand) = balancer(&BalanceSettings::default(), &["a", "b"]);
    let first = pick(&balancer);
    let second = pick(&balancer);
    assert_ne!(first.address(), second.address());
    let (a, b) = (instance(&balancer, "a"), instance(&balancer, "b"));
    assert_eq!((a.in_flight, b.in_flight), (1, 1));
    drop((first, second));
    let (a, b) = (instance(&balancer, "a"), instance(&balancer, "b"));
    assert_eq!((a.in_flight, b.in_flight), (0, 0));
}

/// Shows: S4
#[test]
fn two_choices_keep_the_fullest_instance_near_the_mean() {
    let names: Vec<String> = (0..50).map(|number| format!("i{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (balancer, _hand) = balancer(&BalanceSettings::default(), &names);
    let _leases: Vec<_> = (0..1_000).map(|_| pick(&balancer)).collect();
    let snapshot = balancer.snapshot();
    let most = snapshot.instances.iter().map(|instance| instance.in_flight).max();
    // The mean is 20. One random choice would reach about 31.
    assert!(most <= Some(24), "{most:?}");
}

/// Shows: S4
#[test]
fn a_call_given_up_after_a_long_wait_is_remembered_as_latency() {
    let (balancer, hand) = balancer(&BalanceSettings::default(), &["a"]);
    let lease = pick(&balancer);
    hand.advance(Duration::from_millis(1_500));
    drop(lease);
    assert_eq!(instance(&balancer, "a").latency_ms, 1_500.0);
    let lease = pick(&balancer);
    drop(lease);
    assert_eq!(instance(&balancer, "a").latency_ms, 1_500.0, "a short one says nothing");
}

/// Shows: S4
#[test]
fn a_retry_goes_to_another_instance_if_there_is_one() {
    let settings = BalanceSettings::default();
    let (two, _hand) = balancer(&settings, &["a", "b"]);
    for _ in 0..20 {
        assert_eq!(two.pick_avoiding("a").map(|lease| lease.address().to_owned()), Some("b".to_owned()));
    }
    let (one, _hand) = balancer(&settings, &["a"]);
    assert!(one.pick_avoiding("a").is_some());
}

/// Shows: S4
#[test]
fn a_new_instance_ramps_up_to_its_share() {
    let (balancer, hand) = balancer(&BalanceSettings::default(), &["a", "b"]);
    calls(&balancer, &hand, 100, well);
    balancer.replace(&addresses(&["a", "b", "new"]));
    let share = |counts: std::collections::BTreeMap<String, usize>| counts.get("new").copied().unwrap_or_default();
    let mut shares = Vec::new();
    // 30 seconds of slow start in six parts of 500 calls, then one after it.
    for _ in 0..7 {
        shares.push(share(calls(&balancer, &hand, 500, well)));
    }
    assert!(shares[0] < 50, "{shares:?}");
    assert!(shares[2] < shares[5], "{shares:?}");
    assert!((110..=230).contains(&shares[6]), "{shares:?}");
}

/// Shows: S4
#[test]
fn when_all_are_new_nobody_starts_slowly() {
    let (balancer, _hand) = balancer(&BalanceSettings::default(), &["a", "b"]);
    balancer.replace(&addresses(&["c", "d"]));
    for address in ["c", "d"] {
        assert_eq!(instance(&balancer, address).slow_start_percent, 100.0);
    }
}

/// Shows: S4
#[test]
fn survivors_of_a_new_set_keep_their_state_and_newcomers_begin_with_the_average() {
    let (balancer, hand) = balancer(&BalanceSettings::default(), &["a", "b"]);
    let (first, second) = (pick(&balancer), pick(&balancer));
    hand.advance(Duration::from_millis(100));
    let (kept, gone) = if first.address() == "a" { (first, second) } else { (second, first) };
    kept.record(Outcome::Success);
    let held = balancer.pick_avoiding("b").expect("a is there");

    balancer.replace(&addresses(&["new", "a", "a"]));
    let names: Vec<_> = balancer.snapshot().instances.into_iter().map(|instance| instance.address).collect();
    assert_eq!(names, addresses(&["new", "a"]), "in the new order, each once");
    let (a, new) = (instance(&balancer, "a"), instance(&balancer, "new"));
    assert_eq!((a.in_flight, a.latency_ms, a.slow_start_percent), (1, 100.0, 100.0));
    assert_eq!((new.in_flight, new.latency_ms, new.slow_start_percent), (0, 100.0, 10.0));

    gone.record(Outcome::Failure);
    drop(held);
    balancer.replace(&addresses(&["a", "b"]));
    let b = instance(&balancer, "b");
    assert_eq!((b.in_flight, b.slow_start_percent), (0, 10.0), "b was forgotten and is new");
}
