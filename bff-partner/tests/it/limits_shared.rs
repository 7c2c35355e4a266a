//! What replicas that count together let a key do, on a real Redis.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use shared_lib::testing::{Received, RedisServer, TestService, eventually, receive};

use crate::harness::{Stage, new_key};

const PRODUCTS: &str = "/v1/products?size=1";

/// A hundred an hour, all of them at once if need be; patience with machines that are busy.
fn variables(redis: &RedisServer) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("BFF_PARTNER__REDIS__URL", redis.url()),
        ("BFF_PARTNER__REDIS__CONNECT_TIMEOUT_MS", "10000".to_owned()),
        ("BFF_PARTNER__REDIS__RESPONSE_TIMEOUT_MS", "10000".to_owned()),
        ("BFF_PARTNER__REDIS__RETRY_MS", "20".to_owned()),
        ("BFF_PARTNER__LIMITS__REPLICAS", "3".to_owned()),
    ];
    let rates = [
        ("BFF_PARTNER__PLANS__GOLD__BURST__QUOTA", "1000"),
        ("BFF_PARTNER__PLANS__GOLD__BURST__AT_ONCE", "1000"),
        ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__QUOTA", "100"),
        ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__WINDOW_S", "3600"),
        ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__AT_ONCE", "100"),
    ];
    variables.extend(rates.map(|(name, value)| (name, value.to_owned())));
    variables
}

fn borrowed<'a>(variables: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

async fn ask(replica: &TestService, key: &str) -> Received {
    receive(replica.client().get(replica.url(PRODUCTS)).bearer_auth(key).send()).await
}

/// What is left of the hour.
fn left(answer: &Received) -> Option<u32> {
    let (_, left) = answer.header("ratelimit")?.split_once("\"sustained\";r=")?;
    left.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// Shows: P4
#[actix_web::test]
async fn replicas_hold_a_key_to_its_plan_together_and_each_to_a_part_while_redis_is_away() {
    let mut redis = RedisServer::start().await;
    let variables = variables(&redis);
    let stage = Stage::with(&borrowed(&variables)).await;
    let others =
        [stage.another_replica(&borrowed(&variables)).await, stage.another_replica(&borrowed(&variables)).await];
    let replicas = [&stage.service, &others[0], &others[1]];
    let storm = async |calls: usize| {
        let asked = (0..calls).map(|call| ask(replicas[call % 3], &stage.key));
        let answers: Vec<Received> = stream::iter(asked).buffer_unordered(20).collect().await;
        let admitted = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 429));
        admitted
    };
    assert_eq!(storm(240).await, 100);

    redis.stop();
    assert_eq!(storm(240).await, 99, "a third of a hundred each");

    redis.start_again().await;
    let fresh = stage.another_key(new_key("bolt")).await;
    for replica in replicas {
        // More than a third is left, so it is not this replica's part that decides.
        let is_back = || async { left(&ask(replica, fresh.key.expose()).await).is_some_and(|left| left > 33) };
        assert!(eventually(Duration::from_secs(20), is_back).await);
    }
    assert_eq!(storm(60).await, 0, "Redis has kept what was used");
}
