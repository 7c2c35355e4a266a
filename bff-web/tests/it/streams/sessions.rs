//! Streams last as long as their session, on whatever replica, and no longer.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use sandbox::{Sandbox, provider::SessionSelector};
use serde_json::json;
use shared_lib::testing::eventually;
use tokio::time::timeout;

use super::world_with;
use crate::harness::{
    PATIENCE, Tab, World,
    notification_service::NotificationLog,
    replicas::{OPERATOR_TOKEN, Replicas},
};

const MINUTE: Duration = Duration::from_secs(60);

/// What is promised.
const SOON: Duration = Duration::from_secs(1);

/// Waits until so many replicas hear of the ends of sessions.
pub async fn replicas_listen(world: &Replicas, count: i64) {
    let listening = || async {
        let counts: Vec<redis::Value> = world.redis.ask(&["PUBSUB", "NUMSUB", "{bff-web}:session-ends"]).await;
        counts.get(1) == Some(&redis::Value::Int(count))
    };
    assert!(eventually(PATIENCE, listening).await, "all replicas listen");
}

/// The stream ends with the reason, and a tab that comes back is told to stop for good.
async fn ends(tab: &mut Tab, within: Duration, reason: &str) {
    timeout(within, tab.read_to_end()).await.expect("in time");
    assert_eq!(tab.last(), ("session-ended", json!({ "reason": reason })));
    assert_eq!(tab.connect().await, 204);
}

/// Shows: W17, W10, W12
#[actix_web::test]
async fn a_stream_ends_within_a_second_of_its_session_on_another_replica_and_says_why() {
    let world = Replicas::start(2).await;
    let stream = async |user: &str| {
        let mut browser = world.signed_in(user, 0).await;
        let id = browser.get("/api/v2/dashboard").await.json()["lastEventId"].as_str().expect("an id").to_owned();
        let mut tab = Tab::at(&world.led(&browser, 1), &id);
        assert_eq!(tab.connect().await, 200);
        (browser, tab)
    };
    let (mut alice, mut alices) = stream("alice").await;
    let (mut elsewhere, mut elsewheres) = stream("alice").await;
    let (_bob, mut bobs) = stream("bob").await;
    replicas_listen(&world, 2).await;

    assert_eq!(alice.fetch(Method::POST, "/api/auth/logout").await.status, StatusCode::OK);
    ends(&mut alices, SOON, "signed-out").await;

    let sessions = world.service(0).management_url("/admin/subjects/usr_bob/sessions");
    let ended = world.service(0).client().delete(sessions).bearer_auth(OPERATOR_TOKEN).send().await;
    assert_eq!(ended.expect("it answers").status(), StatusCode::OK);
    ends(&mut bobs, SOON, "ended-by-operator").await;

    // Her other session is not touched by any of it.
    let dashboard = elsewhere.get("/api/v2/dashboard").await;
    assert_eq!(dashboard.status, StatusCode::OK);
    let own = elsewhere.get("/api/auth/sessions").await.json();
    let id = own["content"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        elsewhere.fetch(Method::DELETE, &format!("/api/auth/sessions/{id}")).await.status,
        StatusCode::NO_CONTENT
    );
    ends(&mut elsewheres, SOON, "ended-by-user").await;
}

/// Shows: W17, W10
#[actix_web::test]
async fn a_stream_ends_when_the_provider_says_that_the_session_has() {
    let world = Replicas::start(2).await;
    let uri = world.service(0).url("/api/auth/backchannel-logout");
    let changed = world.sandbox.provider().change_client("bff-web", |client| client.backchannel_logout_uri = Some(uri));
    changed.expect("the client is known");
    let alice = world.signed_in("alice", 0).await;
    let mut tab = Tab::at(&world.led(&alice, 1), "1");
    assert_eq!(tab.connect().await, 200);
    replicas_listen(&world, 2).await;
    let (ended, _) = world.sandbox.provider().end_session(&SessionSelector::Subject("usr_alice".to_owned())).await;
    assert_eq!(ended, 1);
    ends(&mut tab, SOON, "signed-out-at-provider").await;
}

/// Shows: W17, W6
#[actix_web::test]
async fn a_stream_and_its_coming_back_do_not_prolong_an_idle_session() {
    let world = Replicas::start(1).await;
    let alice = world.signed_in("alice", 0).await;
    let mut tab = Tab::at(&alice, "1");
    assert_eq!(tab.connect().await, 200);
    for _ in 0..5 {
        world.hand.advance(5 * MINUTE);
        assert_eq!(tab.connect().await, 200, "the session has not ended yet");
    }
    world.hand.advance(5 * MINUTE);
    ends(&mut tab, 2 * SOON, "expired").await;
}

/// Shows: W17, W11
#[actix_web::test]
async fn a_stream_outlives_its_access_token_without_loss_and_ends_when_the_provider_refuses_another() {
    let provider = sandbox::provider::ProviderSettings {
        access_token_lifetime: Duration::from_secs(2),
        ..sandbox::provider::ProviderSettings::default()
    };
    let sandbox = Sandbox::builder().provider(provider).start().await.expect("the sandbox starts");
    let log = NotificationLog::start();
    let world = World::in_front_of(sandbox, &[("BFF_WEB__DOWNSTREAMS__NOTIFICATIONS__URLS", &log.url())]).await;
    let alice = world.signed_in("alice").await;
    let mut tab = Tab::at(&alice, "0");
    assert_eq!(tab.connect().await, 200);
    for id in 1.. {
        log.publish("usr_alice", 1);
        assert!(tab.read_to(id).await);
        if log.watched() == 3 {
            break;
        }
    }
    let seen = tab.ids();
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
    assert!(world.sandbox.provider().counters().refreshes >= 1);
    assert_eq!(world.sandbox.provider().revoke_grants("usr_alice"), 1);
    tab.read_to_end().await;
    assert_eq!(tab.last(), ("session-ended", json!({ "reason": "refresh-refused" })));
}

/// Shows: W17
#[actix_web::test]
async fn when_one_session_of_a_user_ends_the_stream_of_another_goes_on_without_loss() {
    let log = NotificationLog::start();
    let world = world_with(&log, &[]).await;
    let (mut here, there) = (world.signed_in("alice").await, world.signed_in("alice").await);
    let (mut first, mut second) = (Tab::at(&here, "0"), Tab::at(&there, "0"));
    assert_eq!((first.connect().await, second.connect().await), (200, 200));
    log.publish("usr_alice", 3);
    assert!(first.read_to(3).await && second.read_to(3).await);
    assert_eq!(log.watched(), 1, "they share it");
    assert_eq!(here.fetch(Method::POST, "/api/auth/logout").await.status, StatusCode::OK);
    log.publish("usr_alice", 3);
    ends(&mut first, PATIENCE, "signed-out").await;
    assert!(second.read_to(6).await);
    assert_eq!(second.ids(), [1, 2, 3, 4, 5, 6]);
}
