//! What holds over every history of picks, results, new sets and time; and with many threads.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::{addresses, balancer};
use crate::circuit_breaker::Outcome;
use crate::downstream::balance::{BalanceSettings, Lease};

#[derive(Clone, Debug)]
enum Step {
    Pick,
    Avoid(u8),
    Return(usize, Option<Outcome>),
    Wait(u64),
    Replace(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        2 => Just(Some(Outcome::Success)),
        4 => Just(Some(Outcome::Failure)),
        1 => Just(Some(Outcome::Ignored)),
        1 => Just(None),
    ];
    prop_oneof![
        10 => Just(Step::Pick),
        2 => (0_u8..6).prop_map(Step::Avoid),
        10 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Step::Return(which, outcome)),
        3 => (0_u64..500).prop_map(Step::Wait),
        1 => (500_u64..40_000).prop_map(Step::Wait),
        1 => btree_set(0_u8..6, 0..6).prop_map(|set| Step::Replace(set.into_iter().collect())),
    ]
}

fn names(set: &[u8]) -> Vec<Arc<str>> {
    set.iter().map(|number| Arc::from(format!("i{number}"))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Shows: S4
    #[test]
    fn calls_in_flight_are_conserved_and_ejection_keeps_its_limits(
        steps in vec(step(), 1..150), consecutive in 1_u32..4, max_percent in 0_u32..=100, panic_percent in 0_u32..=100,
    ) {
        let mut settings = BalanceSettings::default();
        settings.outlier.consecutive_failures = consecutive;
        settings.outlier.max_ejection_percent = max_percent;
        settings.outlier.panic_threshold_percent = panic_percent;
        settings.outlier.success_rate_request_volume = 2;
        let (balancer, hand) = balancer(&settings, &["i0", "i1", "i2"]);
        let mut set = addresses(&["i0", "i1", "i2"]);
        // Each lease with whether its instance has been in the set ever since.
        let mut leases: Vec<(Lease, bool)> = Vec::new();
        for step in steps {
            let before = balancer.snapshot();
            match step {
                Step::Pick | Step::Avoid(_) => {
                    let avoid = match &step {
                        Step::Avoid(number) => Some(format!("i{number}")),
                        _ => None,
                    };
                    let lease = match &avoid {
                        Some(avoid) => balancer.pick_avoiding(avoid),
                        None => balancer.pick(),
                    };
                    prop_assert_eq!(lease.is_none(), set.is_empty());
                    if let Some(lease) = lease {
                        let picked = before.instances.iter().find(|instance| &*instance.address == lease.address());
                        let picked = picked.expect("only members of the set are picked");
                        prop_assert!(before.panicking || picked.ejected_for_ms.is_none());
                        let usable = before.instances.iter().filter(|instance| before.panicking || instance.ejected_for_ms.is_none());
                        if usable.count() > 1 {
                            prop_assert_ne!(Some(lease.address()), avoid.as_deref());
                        }
                        leases.push((lease, true));
                    }
                }
                Step::Return(which, outcome) if !leases.is_empty() => {
                    let (lease, _) = leases.swap_remove(which % leases.len());
                    match outcome {
                        Some(outcome) => lease.record(outcome),
                        None => drop(lease),
                    }
                }
                Step::Return(..) => {}
                Step::Wait(ms) => hand.advance(Duration::from_millis(ms)),
                Step::Replace(numbers) => {
                    set = names(&numbers);
                    balancer.replace(&set);
                    for (lease, in_set) in &mut leases {
                        *in_set &= set.iter().any(|address| **address == *lease.address());
                    }
                }
            }
            let after = balancer.snapshot();
            let members: Vec<_> = after.instances.iter().map(|instance| Arc::clone(&instance.address)).collect();
            prop_assert_eq!(&members, &set);
            let mut out = 0;
            for instance in &after.instances {
                let mine = leases.iter().filter(|(lease, in_set)| *in_set && lease.address() == &*instance.address);
                prop_assert_eq!(instance.in_flight as usize, mine.count());
                prop_assert!(instance.latency_ms.is_finite() && instance.latency_ms >= 0.0);
                prop_assert!((10.0..=100.0).contains(&instance.slow_start_percent));
                out += usize::from(instance.ejected_for_ms.is_some());
            }
            let out_before = before.instances.iter().filter(|instance| instance.ejected_for_ms.is_some()).count();
            let allowed = match (set.len(), max_percent as usize) {
                (0 | 1, _) | (_, 0) => 0,
                (number, percent) => (number * percent / 100).max(1),
            };
            prop_assert!(out <= allowed.max(out_before), "a smaller set may exceed the limit, but nothing adds to it");
        }
    }
}

/// Shows: S4
#[test]
fn threads_that_share_a_balancer_give_every_place_back() {
    let (balancer, hand) = balancer(&BalanceSettings::default(), &["i0", "i1", "i2"]);
    std::thread::scope(|scope| {
        for thread in 0..8_usize {
            let (balancer, hand) = (&balancer, &hand);
            scope.spawn(move || {
                for number in 0..1_000_usize {
                    let lease = balancer.pick().expect("there are instances");
                    match (number + thread) % 5 {
                        0 => lease.record(Outcome::Failure),
                        1 => drop(lease),
                        _ => lease.record(Outcome::Success),
                    }
                    if thread == 0 && number % 100 == 0 {
                        hand.advance(Duration::from_secs(1));
                        balancer.replace(&addresses(if number % 200 == 0 {
                            &["i0", "i1"]
                        } else {
                            &["i0", "i1", "i2"]
                        }));
                    }
                }
            });
        }
    });
    let snapshot = balancer.snapshot();
    assert!(snapshot.instances.iter().all(|instance| instance.in_flight == 0));
}
