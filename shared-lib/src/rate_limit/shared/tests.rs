//! The tier that replicas share, on a real Redis.

mod replicas;

use std::{num::NonZeroU32, time::Duration};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::*;
use crate::{
    rate_limit::{RatePolicy, local::LocalLimiter},
    testing::RedisServer,
};

pub(super) fn units(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("not zero")
}

pub(super) fn policy(name: &str, quota: u32, window_s: u64, at_once: u32) -> RatePolicy {
    RatePolicy::new(name, units(quota), Duration::from_secs(window_s), units(at_once)).expect("a policy")
}

/// Long time-outs: these tests are about what is decided, on machines that are busy.
pub(super) fn settings(redis: &RedisServer) -> SharedSettings {
    SharedSettings {
        url: Secret::from(redis.url()),
        key_prefix: "trifront-test".to_owned(),
        connect_timeout: Duration::from_secs(20),
        response_timeout: Duration::from_secs(20),
        retry: Duration::from_millis(20),
    }
}

fn tier(redis: &RedisServer) -> SharedTier {
    SharedTier::new(&settings(redis), Clock::system()).expect("an address")
}

fn rules(rates: Vec<RatePolicy>, quotas: Vec<QuotaPolicy>) -> Rules {
    Rules::new(rates, quotas, &LocalLimiter::new(16, Clock::system()), Clone::clone)
}

fn charge(key: &str, cost: u32) -> Charge<'_> {
    Charge { key, cost: units(cost), owner: key, quota_cost: cost, known: &[] }
}

/// A Thursday, long before midnight.
fn noon() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().expect("a time")
}

/// Shows: P4
#[actix_web::test]
async fn never_more_than_the_quota_is_admitted_in_any_window_of_the_shared_clock() {
    let redis = RedisServer::start().await;
    let tier = tier(&redis);
    let mut runner = TestRunner::deterministic();
    let calls = prop::collection::vec((0..400_000_u64, 1..4_u32), 1..120);
    let cases = (1..40_u32, 1..40_u32, 1..5_u64, 1..60_u32, calls);
    for case in 0..25 {
        let (quota, at_once, window_s, sustained, calls) = cases.new_tree(&mut runner).expect("a case").current();
        let rates =
            vec![policy("burst", quota, window_s, at_once.min(quota)), policy("sustained", sustained, 60, sustained)];
        let rules = rules(rates, Vec::new());
        let key = format!("case {case}");
        let (mut now, mut admitted) = (1_767_225_600_000_000_u64, Vec::new());
        for (pause, cost) in calls {
            now += pause;
            let found = tier.charge_at(&rules, &charge(&key, cost), noon(), Some(now)).await.expect("Redis answers");
            if found.admitted {
                admitted.extend(std::iter::repeat_n(now, cost as usize));
            } else {
                let wait = found.rates.iter().filter_map(|rate| rate.wait).max().expect("somebody refused");
                assert!(wait > Duration::ZERO);
            }
        }
        for rate in rules.rates() {
            let window = u64::try_from(rate.window().as_micros()).expect("a window");
            let within = |from: u64| admitted.iter().filter(|at| (from..=from + window).contains(*at)).count();
            let most = admitted.iter().map(|from| within(*from)).max().unwrap_or(0);
            assert!(most <= rate.quota().get() as usize, "{most} in a window of {rate:?}");
        }
    }
}

/// Shows: P3, P4
#[actix_web::test]
async fn a_refused_call_costs_nothing_and_who_waits_as_long_as_told_is_admitted() {
    let redis = RedisServer::start().await;
    let tier = tier(&redis);
    let quotas = vec![QuotaPolicy::new(Period::Day, 100)];
    let rules = rules(vec![policy("burst", 10, 1, 5), policy("sustained", 6, 60, 6)], quotas);
    let mut now = 1_767_225_600_000_000_u64;
    let ask = async |cost: u32, now: u64| {
        tier.charge_at(&rules, &charge("a", cost), noon(), Some(now)).await.expect("Redis answers")
    };
    assert!(ask(5, now).await.admitted);
    now += 1_000_000;
    for _ in 0..20 {
        let refused = ask(2, now).await;
        assert!(!refused.admitted && refused.rates[0].wait.is_none() && refused.rates[1].wait.is_some());
        assert_eq!((refused.rates[0].used, refused.quotas[0].used), (Duration::ZERO, 5), "nobody was charged");
    }
    let wait = ask(2, now).await.rates[1].wait.expect("it is refused");
    let wait = u64::try_from(wait.as_micros()).expect("a wait");
    assert!(!ask(2, now + wait - 1).await.admitted, "the wait is not longer than needed");
    assert!(ask(2, now + wait).await.admitted);
    assert!(!ask(7, now + 3_600_000_000).await.admitted, "more than may come at once never fits");
}

/// Shows: P3
#[actix_web::test]
async fn quotas_go_on_from_what_is_known_and_what_is_given_back_is_there_again() {
    let redis = RedisServer::start().await;
    let tier = tier(&redis);
    let quotas = vec![QuotaPolicy::new(Period::Day, 10), QuotaPolicy::new(Period::Month, 100)];
    let rules = rules(Vec::new(), quotas);
    let ask = async |cost: u32, known: &[u64]| {
        let charge = Charge { known, ..charge("a", cost) };
        let found = tier.charge(&rules, &charge, noon()).await.expect("Redis answers");
        (found.admitted, found.quotas.iter().map(|quota| quota.used).collect::<Vec<_>>())
    };
    assert_eq!(ask(2, &[5, 50]).await, (true, vec![7, 52]), "the record knows of five before");
    assert_eq!(ask(2, &[5, 50]).await, (true, vec![9, 54]));
    assert_eq!(ask(2, &[5, 50]).await, (false, vec![9, 54]));
    tier.give_back("a", rules.quotas(), noon(), 2).await.expect("Redis answers");
    assert_eq!(ask(2, &[5, 50]).await, (true, vec![9, 54]));
    redis.ask::<()>(&["FLUSHALL"]).await;
    assert_eq!(ask(1, &[9, 54]).await, (true, vec![10, 55]), "a Redis that has lost its data goes on from the record");
    tier.give_back("b", rules.quotas(), noon(), 2).await.expect("Redis answers");
    let left: i64 = redis.ask(&["PTTL", "{trifront-test}:quota:day:2026-01-01:a"]).await;
    let hours = 12 * 3_600_000 + 1..=13 * 3_600_000;
    assert!(hours.contains(&left), "a counter goes an hour after its day: {left} ms are left");
}

/// Shows: P3
#[actix_web::test]
async fn a_policy_in_shadow_refuses_nobody_and_charges_what_it_would_have_admitted() {
    let redis = RedisServer::start().await;
    let tier = tier(&redis);
    let quotas = vec![QuotaPolicy::new(Period::Day, 4).in_shadow()];
    let rules = rules(vec![policy("burst", 3, 60, 3).in_shadow()], quotas);
    let mut seen = Vec::new();
    for _ in 0..6 {
        let found = tier.charge(&rules, &charge("a", 1), noon()).await.expect("Redis answers");
        assert!(found.admitted);
        seen.push((found.rates[0].wait.is_some(), found.quotas[0].refused));
    }
    let expected = [(false, false), (false, false), (false, false), (true, false), (true, true), (true, true)];
    assert_eq!(seen, expected);
}
