//! One refresh among replicas, whichever of them dies and when.

use std::time::Duration;

use actix_web::http::StatusCode;
use bff_web::auth::session_store::{
    Lease, SessionId, SessionRecords,
    redis::{Connection, RedisRecords},
};
use futures_util::future::join_all;
use sandbox::chaos::{Fault, Rule};
use serde_json::json;
use shared_lib::testing::eventually;

use crate::harness::{Browser, PATIENCE, replicas::Replicas, settings};

const MINUTE: Duration = Duration::from_secs(60);
const DASHBOARD: &str = "/api/v2/dashboard";
const SESSION: &str = "/api/auth/session";

/// When the access token is due but still serves.
const DUE: Duration = Duration::from_millis(4 * 60_000 + 1);

impl Replicas {
    fn refreshes(&self) -> (u64, u64) {
        let counters = self.sandbox.provider().counters();
        (counters.refreshes, counters.refresh_reuses)
    }

    async fn token_call_arrives(&self) {
        let calls = || self.sandbox.chaos().calls("provider");
        let arrived = || async { calls().iter().any(|call| call.path == "/token") };
        assert!(eventually(PATIENCE, arrived).await, "the refresh token is sent");
    }

    /// What W11 promises where nobody knows whether the token was used: it serves to its end, and that session ends.
    async fn serves_to_the_end_and_no_longer(&self, lost: &Browser, other: &mut Browser, number: usize) {
        let mut lost = self.led(lost, number);
        for _ in 0..3 {
            assert_eq!(lost.get(DASHBOARD).await.status, StatusCode::OK, "the access token serves to its end");
        }
        self.hand.advance(MINUTE);
        let answer = lost.get(DASHBOARD).await;
        assert_eq!(
            (answer.status, &answer.json()["reason"], &answer.json()["endReason"]),
            (StatusCode::UNAUTHORIZED, &json!("session-ended"), &json!("tokens-ended"))
        );
        assert_eq!(lost.get(SESSION).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(other.get(DASHBOARD).await.status, StatusCode::OK, "nobody else's session is touched");
        assert_eq!(self.sandbox.provider().counters().refresh_reuses, 0);
    }
}

/// Shows: W11
#[actix_web::test]
async fn two_hundred_requests_over_two_replicas_refresh_once_and_sign_nobody_out() {
    let world = Replicas::start(2).await;
    let browser = world.signed_in("alice", 0).await;
    world.hand.advance(6 * MINUTE);
    let slow = Rule::latency(Duration::from_millis(100)).on("/token");
    world.sandbox.chaos().set("provider", vec![slow]).expect("the rule is valid");
    let mut browsers: Vec<_> = (0..200).map(|number| world.led(&browser, number % 2)).collect();
    let answers = join_all(browsers.iter_mut().map(|browser| browser.get("/api/v2/orders?size=1"))).await;
    let other: Vec<_> = answers.iter().filter(|answer| answer.status != StatusCode::OK).collect();
    assert!(other.is_empty(), "{} of 200, such as {}", other.len(), other[0].text());
    assert_eq!(world.refreshes(), (1, 0));
}

/// Shows: W11
#[actix_web::test]
async fn a_replica_that_dies_before_the_lease_leaves_the_refresh_to_another() {
    let mut world = Replicas::start(2).await;
    let browser = world.signed_in("alice", 0).await;
    world.hand.advance(6 * MINUTE);
    world.kill(0).await;
    assert_eq!(world.led(&browser, 1).get(DASHBOARD).await.status, StatusCode::OK);
    assert_eq!(world.refreshes(), (1, 0));
}

/// Shows: W11
#[actix_web::test]
async fn a_replica_that_dies_with_the_lease_before_sending_leaves_the_refresh_to_another() {
    let world = Replicas::start(1).await;
    let browser = world.signed_in("alice", 0).await;
    world.hand.advance(6 * MINUTE);
    // The test is the replica that dies: it takes the lease and is not heard of again.
    let url = world.redis.url();
    let settings = settings(&world.sandbox, &[("BFF_WEB__REDIS__URL", url.as_str())]);
    let connection = Connection::new(&settings.redis).expect("an address");
    let records = RedisRecords::new(connection, world.hand.clock(), 30 * MINUTE, 600 * MINUTE);
    let keys: Vec<String> = world.redis.ask(&["KEYS", "*}:session:*"]).await;
    let id = keys[0].rsplit(':').next().and_then(SessionId::parse).expect("an id");
    let lease = records.lease(&id, Duration::from_secs(1)).await.expect("Redis is there");
    assert!(matches!(lease, Lease::Granted { unsettled: false, .. }), "{lease:?}");

    assert_eq!(world.led(&browser, 0).get(DASHBOARD).await.status, StatusCode::OK);
    assert_eq!(world.refreshes(), (1, 0));
    let Lease::Granted { fence, .. } = lease else { return };
    assert!(!records.intend(&id, fence).await.expect("Redis is there"), "what it wakes up to do is fenced off");
}

/// Shows: W11
#[actix_web::test]
async fn a_replica_that_dies_before_the_answer_costs_one_session_its_refresh() {
    let mut world = Replicas::start(2).await;
    let (lost, mut other) = (world.signed_in("alice", 0).await, world.signed_in("bob", 1).await);
    world.hand.advance(DUE);
    // The provider takes the token, and its answer hangs.
    let hang = Rule::fault(Fault::HangAfterHeaders).on("/token").times(1);
    world.sandbox.chaos().set("provider", vec![hang]).expect("the rule is valid");
    world.sandbox.chaos().clear_calls();
    let mut waiting = lost.clone();
    let asking = actix_web::rt::spawn(async move { waiting.get(DASHBOARD).await });
    world.token_call_arrives().await;
    world.kill(0).await;
    asking.abort();
    let before = world.sandbox.provider().counters().token_calls;
    world.serves_to_the_end_and_no_longer(&lost, &mut other, 1).await;
    let others = 1;
    assert_eq!(world.sandbox.provider().counters().token_calls, before + others, "only bob's was sent since");
}

/// Shows: W11
#[actix_web::test]
async fn a_replica_that_dies_before_the_write_costs_one_session_its_refresh() {
    let mut world = Replicas::start(2).await;
    let (lost, mut other) = (world.signed_in("alice", 0).await, world.signed_in("bob", 1).await);
    world.hand.advance(DUE);
    let held = Rule::barrier("held", 2).on("/token");
    world.sandbox.chaos().set("provider", vec![held]).expect("the rule is valid");
    world.sandbox.chaos().clear_calls();
    let mut waiting = lost.clone();
    let asking = actix_web::rt::spawn(async move { waiting.get(DASHBOARD).await });
    world.token_call_arrives().await;
    // The answer comes, and the write waits for as long as Redis takes none.
    let _: String = world.redis.ask(&["CLIENT", "PAUSE", "60000", "WRITE"]).await;
    world.sandbox.chaos().clear();
    let answered = eventually(PATIENCE, || async { world.refreshes() == (1, 0) });
    assert!(answered.await, "the provider has given new tokens");
    world.kill(0).await;
    asking.abort();
    let _: String = world.redis.ask(&["CLIENT", "UNPAUSE"]).await;
    world.serves_to_the_end_and_no_longer(&lost, &mut other, 1).await;
    assert_eq!(world.refreshes(), (2, 0), "one for each session");
}

/// Shows: W11
#[actix_web::test]
async fn a_refresh_that_takes_longer_than_a_lease_is_still_one() {
    let world = Replicas::start(2).await;
    let browser = world.signed_in("alice", 0).await;
    world.hand.advance(6 * MINUTE);
    let slow = Rule::latency(Duration::from_millis(1500)).on("/token");
    world.sandbox.chaos().set("provider", vec![slow]).expect("the rule is valid");
    let (mut first, mut second) = (world.led(&browser, 0), world.led(&browser, 1));
    let (first, second) = futures_util::join!(first.get(DASHBOARD), second.get(DASHBOARD));
    assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(world.refreshes(), (1, 0));
}
