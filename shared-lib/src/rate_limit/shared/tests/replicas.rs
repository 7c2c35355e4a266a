//! Several replicas on one Redis, which comes and goes.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::{policy, settings, units};
use crate::{
    clock::Clock,
    rate_limit::{Charge, Limiter, Rules, Share, Tier},
    testing::{RedisServer, eventually},
};

const REPLICAS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// A replica, as a process of its own would be: nothing is shared but Redis.
struct Replica {
    limiter: Limiter,
    rules: Rules,
}

impl Replica {
    fn new(redis: &RedisServer, configured: u32, rates: &[(u32, u64, u32)]) -> Self {
        let share = Share { replicas: units(configured), heaviest: units(1) };
        let limiter = Limiter::shared(&settings(redis), share, 1_000, Clock::system()).expect("an address");
        let named = rates
            .iter()
            .enumerate()
            .map(|(at, (quota, window_s, at_once))| policy(&format!("policy-{at}"), *quota, *window_s, *at_once));
        let rules = limiter.rules(named.collect(), Vec::new());
        Self { limiter, rules }
    }

    async fn ask(&self) -> (bool, Tier) {
        let charge = Charge { key: "key", cost: units(1), owner: "owner", quota_cost: 1, known: &[] };
        let (decision, _) = self.limiter.charge(&self.rules, &charge).await;
        (decision.is_admitted(), decision.tier.expect("a tier was asked"))
    }
}

fn replicas(redis: &RedisServer, configured: u32, rates: &[(u32, u64, u32)]) -> Vec<Arc<Replica>> {
    (0..REPLICAS).map(|_| Arc::new(Replica::new(redis, configured, rates))).collect()
}

/// So many calls at once, spread over the replicas: how many were admitted, and which tiers decided.
async fn storm(replicas: &[Arc<Replica>], calls: usize) -> (usize, HashSet<Tier>) {
    let asked = (0..calls).map(|call| {
        let replica = Arc::clone(&replicas[call % replicas.len()]);
        tokio::spawn(async move { replica.ask().await })
    });
    let asked: Vec<_> = join_all(asked).await.into_iter().map(|asked| asked.expect("no call panics")).collect();
    (asked.iter().filter(|(admitted, _)| *admitted).count(), asked.iter().map(|(_, tier)| *tier).collect())
}

/// Until Redis decides for every replica again.
async fn all_have_noticed(replicas: &[Arc<Replica>]) {
    let noticed = eventually(PATIENCE, || async {
        let asked = join_all(replicas.iter().map(|replica| replica.ask())).await;
        asked.iter().all(|(_, tier)| *tier == Tier::Shared)
    });
    assert!(noticed.await, "every replica asks Redis again");
}

/// Shows: P4
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_thousand_calls_at_once_over_three_replicas_admit_exactly_the_limit() {
    let redis = RedisServer::start().await;
    let replicas = replicas(&redis, REPLICAS, &[(100, 3_600, 100)]);
    let (admitted, tiers) = storm(&replicas, 2_000).await;
    assert_eq!(tiers, HashSet::from([Tier::Shared]), "no call fell back to its replica's own part");
    assert_eq!(admitted, 100);
}

/// Shows: P4
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_redis_replicas_together_admit_at_most_the_stated_bound() {
    // Configured right: a third each. Configured as one: the whole each.
    for (configured, bound) in [(REPLICAS, 99), (1, 300)] {
        let mut redis = RedisServer::start().await;
        let replicas = replicas(&redis, configured, &[(100, 3_600, 100)]);
        redis.stop();
        let (admitted, tiers) = storm(&replicas, 2_000).await;
        assert_eq!(tiers, HashSet::from([Tier::Local]));
        assert_eq!(admitted, bound, "configured for {configured}");
    }
}

/// Shows: P4
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_window_with_and_without_redis_admits_at_most_the_limit_and_the_parts() {
    let mut redis = RedisServer::start().await;
    let replicas = replicas(&redis, REPLICAS, &[(100, 3_600, 100)]);
    assert_eq!(storm(&replicas, 500).await.0, 100);
    let mut without = 0;
    for _ in 0..2 {
        redis.stop();
        let (admitted, tiers) = storm(&replicas, 500).await;
        assert!(!tiers.contains(&Tier::Shared));
        without += admitted;
        redis.start_again().await;
        all_have_noticed(&replicas).await;
        assert_eq!(storm(&replicas, 500).await, (0, HashSet::from([Tier::Shared])), "Redis has kept what was used");
    }
    assert_eq!(without, 99, "the parts are had once, however often Redis goes");
}

/// Shows: P4
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_window_that_began_after_the_return_of_redis_admits_more_than_its_limit() {
    let mut redis = RedisServer::start().await;
    let (quota, window) = (40_u32, Duration::from_secs(1));
    let replicas = replicas(&redis, REPLICAS, &[(quota, window.as_secs(), 20)]);
    redis.stop();
    storm(&replicas, 300).await;
    redis.start_again().await;
    all_have_noticed(&replicas).await;

    // Every replica hammers for three windows. A call is admitted between its sending and its answer, so a window that
    // holds both ends of its calls holds them for certain.
    let clock = Clock::system();
    let until = clock.now() + 3 * window;
    let hammer = |replica: Arc<Replica>, clock: Clock| async move {
        let mut admitted = Vec::new();
        while clock.now() < until {
            let sent = clock.now();
            let (is_admitted, tier) = replica.ask().await;
            assert_eq!(tier, Tier::Shared);
            if is_admitted {
                admitted.push((sent, clock.now()));
            }
        }
        admitted
    };
    let hammers = replicas.iter().map(|replica| tokio::spawn(hammer(Arc::clone(replica), clock.clone())));
    let admitted: Vec<_> =
        join_all(hammers).await.into_iter().flat_map(|admitted| admitted.expect("no hammer panics")).collect();
    let within =
        |from: Instant| admitted.iter().filter(|(sent, answered)| *sent >= from && *answered <= from + window).count();
    let most = admitted.iter().map(|(sent, _)| within(*sent)).max().unwrap_or(0);
    assert!(most <= quota as usize, "{most} in a window");
    assert!(admitted.len() > quota as usize, "what was used comes back: {}", admitted.len());
}
