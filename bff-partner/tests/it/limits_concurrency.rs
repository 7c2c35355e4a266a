//! How many calls of a key may be under way at the same time over replicas: each holds it to the plan by itself, so `n`
//! replicas let `n` times as many in at most. The same with a Redis and without one.

use std::time::Duration;

use futures_util::{
    future::{join, join_all},
    stream::{self, StreamExt as _},
};
use sandbox::chaos::Rule;
use serde_json::json;
use shared_lib::testing::{Received, RedisServer, TestService, eventually, receive};

use crate::harness::{Stage, new_key};

const LIMIT: usize = 2;
const REPLICAS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(30);

const VARIABLES: [(&str, &str); 5] = [
    ("BFF_PARTNER__PLANS__GOLD__CONCURRENCY", "2"),
    // As long as the calls are held.
    ("BFF_PARTNER__SERVER__REQUEST_TIMEOUT_MS", "25000"),
    ("BFF_PARTNER__DOWNSTREAMS__CATALOG__TIMEOUT_MS", "20000"),
    ("BFF_PARTNER__REDIS__CONNECT_TIMEOUT_MS", "10000"),
    ("BFF_PARTNER__REDIS__RESPONSE_TIMEOUT_MS", "10000"),
];

/// Each call asks for a page of its own size, so that none waits for another one's answer.
async fn ask(replica: &TestService, key: &str, size: usize) -> Received {
    let url = replica.url(&format!("/v1/products?size={size}"));
    receive(replica.client().get(url).bearer_auth(key).send()).await
}

/// Shows: P4
#[actix_web::test]
async fn three_replicas_let_three_times_the_limit_be_under_way_and_each_no_more_than_the_limit() {
    for with_redis in [true, false] {
        let redis = if with_redis { Some(RedisServer::start().await) } else { None };
        let url = redis.as_ref().map(RedisServer::url);
        let mut variables = VARIABLES.to_vec();
        variables.extend(url.as_deref().map(|url| ("BFF_PARTNER__REDIS__URL", url)));
        let stage = Stage::with(&variables).await;
        let others = [stage.another_replica(&variables).await, stage.another_replica(&variables).await];
        let replicas = [&stage.service, &others[0], &others[1]];
        let other = stage.another_key(new_key("bolt")).await;
        // The catalog answers when one more has come than the key may have under way: that of another key.
        stage.disturb("catalog", Rule::barrier("all of them", LIMIT * REPLICAS + 1).times(LIMIT as u32 * 3 + 1));

        let held = join_all((0..LIMIT * REPLICAS).map(|call| ask(replicas[call % REPLICAS], &stage.key, call + 1)));
        let beyond = async {
            let came = || async { stage.sandbox.chaos().calls("catalog").len() == LIMIT * REPLICAS };
            assert!(eventually(PATIENCE, came).await, "three times the limit is let in, with Redis: {with_redis}");
            let calls = (0..4 * REPLICAS).map(|call| ask(replicas[call % REPLICAS], &stage.key, call + 10));
            let refused: Vec<Received> = stream::iter(calls).buffer_unordered(REPLICAS).collect().await;
            let came = stage.sandbox.chaos().calls("catalog").len();
            (refused, came, ask(replicas[0], other.key.expose(), 50).await)
        };
        let (held, (refused, came, last)) = join(held, beyond).await;
        for refused in refused {
            assert_eq!((refused.status.as_u16(), &refused.json()["violated-policies"]), (429, &json!(["concurrency"])));
        }
        assert_eq!(came, LIMIT * REPLICAS, "and nothing beyond, with Redis: {with_redis}");
        assert_eq!(last.status, 200, "the other key has places of its own");
        assert!(held.iter().all(|answer| answer.status == 200));
        for replica in replicas {
            assert_eq!(ask(replica, &stage.key, 60).await.status, 200, "places come back");
        }
    }
}
