//! Whatever hangs on a session learns of its end on another replica.

use std::{sync::Arc, time::Duration};

use actix_web::http::{Method, StatusCode};
use bff_web::auth::{
    Auth,
    session_ends::{EndReason, SessionEnd},
    session_store::SessionId,
};
use jiff::Timestamp;
use shared_lib::testing::eventually;
use tokio::time::timeout;

use crate::harness::{PATIENCE, replicas::Replicas, settings};

const MINUTE: Duration = Duration::from_secs(60);

/// What is promised.
const SOON: Duration = Duration::from_secs(1);

/// A replica without a server: it hears what the others say.
fn listener(world: &Replicas) -> Auth {
    let url = world.redis.url();
    let variables = [("BFF_WEB__SESSION__STORE", "redis"), ("BFF_WEB__REDIS__URL", url.as_str())];
    let settings = Arc::new(settings(&world.sandbox, &variables));
    Auth::new(settings, world.hand.clock()).expect("the settings are good")
}

/// Waits until the listener hears.
async fn hears(world: &Replicas) {
    let channels = || async {
        let counts: Vec<redis::Value> = world.redis.ask(&["PUBSUB", "NUMSUB", "{bff-web}:session-ends"]).await;
        counts.get(1) == Some(&redis::Value::Int(2))
    };
    assert!(eventually(PATIENCE, channels).await, "both replicas listen");
}

async fn only_session(world: &Replicas) -> SessionId {
    let keys: Vec<String> = world.redis.ask(&["KEYS", "*}:session:*"]).await;
    keys[0].rsplit(':').next().and_then(SessionId::parse).expect("an id")
}

async fn told(end: &mut SessionEnd) -> EndReason {
    timeout(SOON, end.ended()).await.expect("within a second")
}

/// Shows: W10, W12
#[actix_web::test]
async fn a_sign_out_is_heard_of_on_another_replica_within_a_second() {
    let world = Replicas::start(1).await;
    let mut browser = world.signed_in("alice", 0).await;
    let other = listener(&world);
    hears(&world).await;
    let mut end = other.sessions().ends().subscribe(only_session(&world).await, Timestamp::MAX);
    assert_eq!(browser.fetch(Method::POST, "/api/auth/logout").await.status, StatusCode::OK);
    assert_eq!(told(&mut end).await, EndReason::SignedOut);
}

/// Shows: S11
#[actix_web::test]
async fn an_end_whose_news_was_lost_is_found_when_redis_is_back() {
    let mut world = Replicas::start(1).await;
    world.signed_in("alice", 0).await;
    let other = listener(&world);
    hears(&world).await;
    let id = only_session(&world).await;
    let mut end = other.sessions().ends().subscribe(id, Timestamp::MAX);
    let _: i64 = world.redis.ask(&["DEL", &format!("{{bff-web}}:session:{id}")]).await;
    world.redis.stop();
    world.redis.start_again().await;
    assert_eq!(timeout(2 * SOON, end.ended()).await.expect("after the connection stands again"), EndReason::Unknown);
}

/// Shows: W6
#[actix_web::test]
async fn an_idle_end_is_noticed_by_itself() {
    let world = Replicas::start(1).await;
    world.signed_in("alice", 0).await;
    let other = listener(&world);
    let now = world.hand.clock().wall();
    let mut end = other.sessions().ends().subscribe(only_session(&world).await, now + 30 * MINUTE);
    world.hand.advance(30 * MINUTE);
    assert_eq!(timeout(2 * SOON, end.ended()).await.expect("soon"), EndReason::Expired);
}
