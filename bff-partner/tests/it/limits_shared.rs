//! What replicas that count together let a key do: three processes of the built binary over one real Redis.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use awc::{Client, Connector};
use bff_partner::keys::NewKey;
use futures_util::future::join_all;
use shared_lib::{
    clock::Clock,
    testing::{Received, RedisServer, eventually, receive},
};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    harness::{Stage, new_key},
    process::Process,
};

const REPLICAS: usize = 3;
const PRODUCTS: &str = "/v1/products?size=1";

/// It only ends tests that hang; all calls are sent at once and wait for each other.
const PATIENCE: Duration = Duration::from_secs(120);

/// The window of the plan `silver`, and what it promises.
const WINDOW: Duration = Duration::from_secs(2);
const IN_WINDOW: usize = 20;

/// `gold`: a hundred an hour, all of them at once if need be. `silver`: twenty in two seconds, ten of them at once.
const PLANS: [(&str, &str); 14] = [
    ("BFF_PARTNER__LIMITS__REPLICAS", "3"),
    ("BFF_PARTNER__REDIS__CONNECT_TIMEOUT_MS", "10000"),
    ("BFF_PARTNER__REDIS__RESPONSE_TIMEOUT_MS", "10000"),
    ("BFF_PARTNER__REDIS__RETRY_MS", "20"),
    ("BFF_PARTNER__SERVER__ADAPTIVE_LIMIT__ENABLED", "false"),
    ("BFF_PARTNER__PLANS__GOLD__CONCURRENCY", "1000000"),
    ("BFF_PARTNER__PLANS__GOLD__BURST__QUOTA", "1000000"),
    ("BFF_PARTNER__PLANS__GOLD__BURST__AT_ONCE", "1000000"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__QUOTA", "100"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__WINDOW_S", "3600"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__AT_ONCE", "100"),
    ("BFF_PARTNER__PLANS__SILVER__SUSTAINED__QUOTA", "20"),
    ("BFF_PARTNER__PLANS__SILVER__SUSTAINED__WINDOW_S", "2"),
    ("BFF_PARTNER__PLANS__SILVER__SUSTAINED__AT_ONCE", "10"),
];

struct World {
    stage: Stage,
    redis: RedisServer,
    replicas: Vec<Process>,
    client: Client,
}

impl World {
    async fn new() -> Self {
        let redis = RedisServer::start().await;
        let url = redis.url();
        let mut variables = PLANS.to_vec();
        variables.push(("BFF_PARTNER__REDIS__URL", &url));
        let stage = Stage::new().await;
        let mut replicas = Vec::new();
        for _ in 0..REPLICAS {
            replicas.push(Process::start(&stage.sandbox, &stage.database_url, &variables).await);
        }
        let connector = Connector::new().timeout(PATIENCE);
        let client = Client::builder().connector(connector).timeout(PATIENCE).disable_redirects().finish();
        Self { stage, redis, replicas, client }
    }

    async fn ask(&self, replica: usize, key: &str) -> Received {
        receive(self.client.get(self.replicas[replica % REPLICAS].url(PRODUCTS)).bearer_auth(key).send()).await
    }

    /// Sends so many calls at once, to all replicas alike, and says how many were admitted.
    async fn storm(&self, calls: usize, key: &str) -> usize {
        let answers = join_all((0..calls).map(|call| self.ask(call, key))).await;
        let admitted = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 429));
        admitted
    }

    /// How many calls the replicas have decided by this tier.
    async fn decided(&self, tier: &str) -> u64 {
        let label = format!("tier=\"{tier}\"");
        let name = "trifront_rate_limit_calls_total";
        let counts = self.replicas.iter().map(|replica| replica.metric_sum(&self.client, name, &label));
        join_all(counts).await.into_iter().sum()
    }

    /// Waits until every replica lets the shared tier decide.
    async fn all_share(&self) {
        let fresh = self.stage.another_key(new_key("bolt")).await;
        for replica in 0..REPLICAS {
            // More than a third is left, so it is not this replica's part that decides.
            let is_back = || async { left(&self.ask(replica, fresh.key.expose()).await).is_some_and(|left| left > 33) };
            assert!(eventually(PATIENCE, is_back).await);
        }
    }
}

/// What is left of the hour.
fn left(answer: &Received) -> Option<u32> {
    let (_, left) = answer.header("ratelimit")?.split_once("\"sustained\";r=")?;
    left.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// Shows: P4
#[actix_web::test]
async fn of_2000_calls_at_once_three_replicas_admit_a_hundred_together_and_each_a_third_while_redis_is_away() {
    let mut world = World::new().await;
    let key = world.stage.key.clone();
    assert_eq!(world.storm(2000, &key).await, 100);
    assert_eq!((world.decided("shared").await, world.decided("local").await), (2000, 0), "Redis decided every call");

    world.redis.stop();
    assert_eq!(world.storm(2000, &key).await, 99, "a third of a hundred each");
    assert_eq!((world.decided("shared").await, world.decided("local").await), (2000, 2000));

    world.redis.start_again().await;
    world.all_share().await;
    assert_eq!(world.storm(60, &key).await, 0, "Redis has kept what was used");
}

/// An admitted call: it was decided at some moment in between.
#[derive(Clone, Copy)]
struct Admitted {
    sent: Instant,
    answered: Instant,
}

/// Shows: P4
#[actix_web::test]
async fn no_window_that_began_after_the_return_of_redis_admits_more_than_its_limit() {
    let mut world = World::new().await;
    let silver = NewKey { plan: "silver".to_owned(), ..new_key("acme") };
    let key = world.stage.another_key(silver).await.key.expose().to_owned();
    // All have admitted some with Redis and some without when it comes back.
    world.storm(60, &key).await;
    world.redis.stop();
    assert!(world.storm(60, &key).await > 0, "each admits its part");
    world.redis.start_again().await;
    world.all_share().await;

    let alone = world.decided("local").await;
    let clock = Clock::system();
    let admitted = RefCell::new(Vec::new());
    let began = clock.now();
    let asks = (0..REPLICAS).map(|replica| {
        let (world, clock, key, admitted) = (&world, &clock, &key, &admitted);
        async move {
            let mut ticks = interval(Duration::from_millis(20));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while clock.now().saturating_duration_since(began) < 3 * WINDOW {
                ticks.tick().await;
                let sent = clock.now();
                let answer = world.ask(replica, key).await;
                if answer.status == 200 {
                    admitted.borrow_mut().push(Admitted { sent, answered: clock.now() });
                }
            }
        }
    });
    join_all(asks).await;
    assert_eq!(world.decided("local").await, alone, "since its return Redis decides");
    let mut admitted = admitted.into_inner();
    admitted.sort_unstable_by_key(|call| call.sent);
    assert!(admitted.len() > IN_WINDOW, "{} calls say something of windows", admitted.len());
    for calls in admitted.windows(IN_WINDOW + 1) {
        let last = calls.iter().map(|call| call.answered).max().expect("there are calls");
        let took = last.saturating_duration_since(calls[0].sent);
        assert!(took >= WINDOW, "{} calls were admitted within {took:?}", calls.len());
    }
}
