//! Tests of balancing: choice and slow start, ejection and panic, and properties over random histories.

mod choice;
mod ejection;
mod properties;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{BalanceSettings, Balancer, InstanceSnapshot, Lease, OutlierSettings};
use crate::circuit_breaker::Outcome;
use crate::clock::{Clock, ManualClock};

fn addresses(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

fn balancer(settings: &BalanceSettings, names: &[&str]) -> (Balancer, ManualClock) {
    let (clock, hand) = Clock::manual();
    let balancer = Balancer::with_seed("catalog", settings, &addresses(names), clock, 42);
    (balancer, hand)
}

fn pick(balancer: &Balancer) -> Lease {
    balancer.pick().expect("there is an instance")
}

/// Calls one after the other; `answer` says how long the instance takes and how it ends. Returns the calls of each.
fn calls(
    balancer: &Balancer,
    hand: &ManualClock,
    number: usize,
    answer: impl Fn(&str) -> (u64, Outcome),
) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..number {
        let lease = pick(balancer);
        let (millis, outcome) = answer(lease.address());
        *counts.entry(lease.address().to_owned()).or_default() += 1;
        hand.advance(Duration::from_millis(millis));
        lease.record(outcome);
    }
    counts
}

fn instance(balancer: &Balancer, address: &str) -> InstanceSnapshot {
    let instances = balancer.snapshot().instances;
    let found = instances.into_iter().find(|instance| &*instance.address == address);
    found.expect("it is in the set")
}

#[test]
fn the_defaults_are_valid_and_each_wrong_value_is_named() {
    assert_eq!(BalanceSettings::default().validate(), vec![]);
    let wrong = BalanceSettings {
        decay_ms: 0,
        outlier: OutlierSettings {
            success_rate_margin_percent: f64::NAN,
            max_ejection_ms: 1,
            ..OutlierSettings::default()
        },
        ..BalanceSettings::default()
    };
    let keys: Vec<String> = wrong.validate().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["decay_ms", "outlier.success_rate_margin_percent", "outlier.max_ejection_ms"]);
    assert!(toml::from_str::<BalanceSettings>("[outlier]\nconsecutive_failure = 3").is_err());
}

#[test]
fn the_snapshot_is_camel_case() {
    let (balancer, _hand) = balancer(&BalanceSettings::default(), &["a"]);
    let _lease = pick(&balancer);
    let json = serde_json::to_value(balancer.snapshot()).expect("it serializes");
    assert_eq!(
        json,
        serde_json::json!({
            "panicking": false,
            "instances": [{
                "address": "a",
                "inFlight": 1,
                "latencyMs": 30.0,
                "ejectedForMs": null,
                "ejections": 0,
                "slowStartPercent": 100.0,
            }],
        })
    );
}
