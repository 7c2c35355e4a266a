//! Streams while Redis is away: a browser's `EventSource` gives up for good after a 503, so it gets something else.

use actix_web::http::{
    StatusCode,
    header::{ACCEPT, COOKIE, HeaderName, HeaderValue},
};
use serde_json::json;
use shared_lib::testing::{eventually, receive};

use crate::harness::{PATIENCE, Tab, notification_service::NotificationLog, replicas::Replicas, tab::STREAM, urls_of};

const EVENTS: (HeaderName, &str) = (ACCEPT, "text/event-stream");

/// Shows: W17, S11
#[actix_web::test]
async fn while_redis_is_away_a_tab_is_told_to_try_later_and_then_misses_nothing() {
    let log = NotificationLog::start();
    let (name, url) = (urls_of("notifications"), log.url());
    let variables = [
        (name.as_str(), url.as_str()),
        ("BFF_WEB__STREAMS__DRAIN_RETRY_MIN_MS", "700"),
        ("BFF_WEB__STREAMS__DRAIN_RETRY_MAX_MS", "900"),
    ];
    let mut world = Replicas::start_with(1, &variables).await;
    let alice = world.signed_in("alice", 0).await;
    let (mut open, mut lost) = (Tab::at(&alice, "0"), Tab::at(&alice, "0"));
    assert_eq!((open.connect().await, lost.connect().await), (200, 200));
    log.publish("usr_alice", 1);
    assert!(open.read_to(1).await && lost.read_to(1).await);
    lost.disconnect();
    world.redis.stop();

    let answer = alice.open(STREAM, &[(EVENTS.0, EVENTS.1.to_owned())]).await.expect("it answers");
    let header = |name: &str| answer.headers().get(name).map(HeaderValue::as_bytes);
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header("content-type"), Some(&b"text/event-stream"[..]));
    assert_eq!(header("cache-control"), Some(&b"no-store"[..]));
    assert_eq!(lost.connect().await, 200);
    lost.read_to_end().await;
    assert_eq!(lost.last(), ("try-later", json!({ "reason": "sessions-unavailable" })));
    assert!(lost.retry().is_some_and(|retry| (700..=900).contains(&retry)), "{:?}", lost.retry());
    // What is open goes on.
    log.publish("usr_alice", 1);
    assert!(open.read_to(2).await);

    // Nobody else is told anything else than before: another client of the stream, and whoever claims to take events.
    for (path, accept) in [(STREAM, "*/*"), (STREAM, "application/json"), ("/api/v2/dashboard", EVENTS.1)] {
        let asking = world.service(0).client().get(alice.address(path)).insert_header((ACCEPT, accept));
        let answer = receive(asking.insert_header((COOKIE, alice.cookie_header(path))).send()).await;
        assert_eq!(
            (answer.status, &answer.json()["code"], answer.header("retry-after")),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("sessions-unavailable"), Some("1")),
            "{path} for {accept}"
        );
    }

    world.redis.start_again().await;
    log.publish("usr_alice", 1);
    let finds_redis = eventually(PATIENCE, || {
        let mut browser = alice.clone();
        async move { browser.get("/api/auth/session").await.status == StatusCode::OK }
    });
    assert!(finds_redis.await);
    assert_eq!(lost.connect().await, 200);
    assert!(lost.read_to(3).await);
    assert_eq!(lost.ids(), [1, 2, 3]);
}
