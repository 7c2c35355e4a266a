//! The cache's second tier: a real Redis between two replicas.

use serde_json::{Value, json};
use shared_lib::{
    downstream::{Fetched, Freshness},
    settings::Secret,
    testing::{Answer, FakeDownstream, RedisServer, eventually},
};

use crate::harness::{PATIENCE, Process, request, request_of};

fn replica(fake: &FakeDownstream, redis: &RedisServer) -> Process {
    let url = redis.url();
    Process::new(&[fake.url()], |settings| {
        settings.cache.fresh_ms = 60_000;
        settings.cache.shared_url = Some(Secret::from(url));
    })
}

async fn ask(process: &Process) -> Fetched<Value> {
    process.downstream.get(&request(), &["thing"]).cached().json().await.expect("an answer")
}

async fn has_keys(redis: &RedisServer, count: usize) -> bool {
    eventually(PATIENCE, || async { redis.ask::<usize>(&["DBSIZE"]).await == count }).await
}

/// Shows: S6
#[actix_web::test]
async fn what_one_replica_has_asked_for_another_is_given_from_redis() {
    let fake = FakeDownstream::start(Answer::json(&json!({"version": 1})));
    let redis = RedisServer::start().await;
    let (one, two) = (replica(&fake, &redis), replica(&fake, &redis));
    let first = ask(&one).await;
    assert_eq!(first.freshness, Freshness::Live);
    assert!(has_keys(&redis, 1).await, "the answer is left for others");

    let second = ask(&two).await;
    assert_eq!((second.value, second.freshness), (json!({"version": 1}), Freshness::Cached));
    assert_eq!(second.as_of, first.as_of, "it says when it was true");
    assert_eq!(fake.calls(), 1);

    // From now on the replica has it by itself.
    redis.ask::<()>(&["FLUSHALL"]).await;
    assert_eq!(ask(&two).await.freshness, Freshness::Cached);
    assert_eq!(fake.calls(), 1);
}

/// Shows: S6
#[actix_web::test]
async fn an_answer_for_somebody_never_leaves_the_process() {
    let fake = FakeDownstream::start(Answer::json(&json!({"version": 1})));
    let redis = RedisServer::start().await;
    let (one, two) = (replica(&fake, &redis), replica(&fake, &redis));
    let alice = request_of("alice", "token-of-alice");
    for process in [&one, &two] {
        let call = process.downstream.get(&alice, &["thing"]).as_caller().cached();
        assert_eq!(call.json::<Value>().await.expect("an answer").freshness, Freshness::Live);
    }
    // A public answer after it shows that writing works.
    ask(&one).await;
    assert!(has_keys(&redis, 1).await);
    assert_eq!(fake.calls(), 3);
}

/// Shows: S6
#[actix_web::test]
async fn without_redis_the_cache_goes_on_with_its_first_tier() {
    let fake = FakeDownstream::start(Answer::json(&json!({"version": 1})));
    let mut redis = RedisServer::start().await;
    let process = replica(&fake, &redis);
    redis.stop();
    assert_eq!(ask(&process).await.freshness, Freshness::Live);
    assert_eq!(ask(&process).await.freshness, Freshness::Cached);
    assert_eq!(fake.calls(), 1);
}

/// Shows: S6
#[actix_web::test]
async fn what_in_redis_is_no_answer_counts_as_none() {
    let fake = FakeDownstream::start(Answer::json(&json!({"version": 1})));
    let redis = RedisServer::start().await;
    ask(&replica(&fake, &redis)).await;
    assert!(has_keys(&redis, 1).await);
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]).await;
    redis.ask::<()>(&["SET", &keys[0], "not an answer"]).await;
    assert_eq!(ask(&replica(&fake, &redis)).await.freshness, Freshness::Live);
    assert_eq!(fake.calls(), 2);
}
