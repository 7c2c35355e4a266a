//! Notifications as they come, in real tabs of real sessions.

mod schedules;
pub mod sessions;
mod slow_readers;
mod store_away;

use actix_web::http::{StatusCode, header::ACCEPT};
use serde_json::json;
use shared_lib::testing::{eventually, receive};

use crate::harness::{Browser, PATIENCE, Tab, World, notification_service::NotificationLog, tab::STREAM, urls_of};

const DASHBOARD: &str = "/api/v2/dashboard";

/// The service in front of a log of notifications that outlives its server.
pub async fn world_with(log: &NotificationLog, variables: &[(&str, &str)]) -> World {
    let (name, url) = (urls_of("notifications"), log.url());
    let mut all = vec![(name.as_str(), url.as_str())];
    all.extend(variables);
    World::start_with(&all).await
}

/// Calls of the sandbox's service that opened a stream.
fn watches(world: &World) -> usize {
    world.sandbox.chaos().calls("notifications").iter().filter(|call| call.path.ends_with("/Watch")).count()
}

async fn publish(world: &World, user: &str, title: &str) {
    let url = world.sandbox.url("users").replace("/users", "/notifications/publish");
    let body = json!({ "user": user, "title": title, "body": "…" });
    let answer = receive(world.service.client().post(url).send_json(&body)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

/// Loads the dashboard: the count of unread notifications, and where the stream goes on.
async fn load(browser: &mut Browser) -> (u64, String) {
    let page = browser.get(DASHBOARD).await.json();
    let unread = page["unreadNotifications"].as_u64().expect("a number");
    (unread, page["lastEventId"].as_str().expect("an id").to_owned())
}

/// Shows: W17
#[actix_web::test]
async fn every_tab_gets_each_notification_over_one_stream_of_the_service() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let (unread, id) = load(&mut alice).await;
    let mut tabs: Vec<_> = (0..4).map(|_| Tab::at(&alice, &id)).collect();
    for tab in &mut tabs {
        assert_eq!(tab.connect().await, 200);
    }
    publish(&world, "alice", "first").await;
    let next: u64 = id.parse::<u64>().expect("a number") + 1;
    for tab in &mut tabs {
        assert!(tab.read_to(next).await);
        let (name, data) = tab.last();
        assert_eq!((name, &data["title"]), ("notification", &json!("first")));
        assert_eq!(data["unreadNotifications"], json!(unread + 1));
        assert_eq!(tab.retry(), Some(3_000));
    }
    assert_eq!(watches(&world), 1);
    // Read in one tab, seen in all.
    let created = tabs[0].last().1["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v2/notifications/{created}/read");
    assert_eq!(alice.fetch(actix_web::http::Method::POST, &path).await.status, StatusCode::OK);
    for tab in &mut tabs {
        assert!(tab.read_to(next + 1).await);
        assert_eq!(tab.last(), ("notification-read", json!({ "id": created, "unreadNotifications": unread })));
    }
}

/// Shows: W17
#[actix_web::test]
async fn what_happens_between_the_page_and_its_stream_is_told_and_the_counters_agree() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let (unread, id) = load(&mut alice).await;
    publish(&world, "alice", "between").await;
    let mut tab = Tab::at(&alice, &id);
    // As a script says it that makes a new EventSource: in the query.
    let mut by_query = alice.open(&format!("{STREAM}?lastEventId={id}"), &[]).await.expect("it answers");
    assert_eq!(tab.connect().await, 200);
    assert!(tab.read_until(|events| !events.is_empty()).await);
    assert_eq!(tab.last().1["unreadNotifications"], json!(unread + 1));
    assert_eq!(load(&mut alice).await.0, unread + 1);
    let mut text = String::new();
    while !text.contains("between") {
        let bytes = futures_util::StreamExt::next(&mut by_query).await.expect("it goes on").expect("it does not break");
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
}

/// Shows: W17
#[actix_web::test]
async fn a_user_hears_of_nobody_elses_notifications() {
    let world = World::start().await;
    let (mut alice, mut bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let (_, alices) = load(&mut alice).await;
    let (_, bobs) = load(&mut bob).await;
    let (mut alices, mut bobs) = (Tab::at(&alice, &alices), Tab::at(&bob, &bobs));
    assert_eq!((alices.connect().await, bobs.connect().await), (200, 200));
    publish(&world, "alice", "for alice").await;
    publish(&world, "bob", "for bob").await;
    assert!(alices.read_until(|events| !events.is_empty()).await);
    assert!(bobs.read_until(|events| !events.is_empty()).await);
    assert_eq!((&alices.last().1["title"], &bobs.last().1["title"]), (&json!("for alice"), &json!("for bob")));
    assert_eq!((alices.events().len(), bobs.events().len()), (1, 1));
}

/// Shows: W17
#[actix_web::test]
async fn the_stream_of_the_service_is_left_with_the_last_tab() {
    let log = NotificationLog::start();
    let world = world_with(&log, &[]).await;
    let alice = world.signed_in("alice").await;
    let (mut first, mut second) = (Tab::at(&alice, "0"), Tab::at(&alice, "0"));
    assert_eq!((first.connect().await, second.connect().await), (200, 200));
    assert!(eventually(PATIENCE, || async { log.watching() == 1 }).await);
    first.disconnect();
    log.publish("usr_alice", 1);
    assert!(second.read_to(1).await, "the tab that is left goes on");
    second.disconnect();
    assert!(eventually(PATIENCE, || async { log.watching() == 0 }).await, "nobody listens any more");
}

/// Shows: W17
#[actix_web::test]
async fn an_id_that_the_service_cannot_go_on_from_is_a_gap_that_is_told() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let (_, now) = load(&mut alice).await;
    let mut tab = Tab::at(&alice, "999999");
    assert_eq!(tab.connect().await, 200);
    assert!(tab.read_until(|events| !events.is_empty()).await);
    assert_eq!(tab.last(), ("gap", json!({ "resumesAfter": now.parse::<u64>().expect("a number") })));
    publish(&world, "alice", "after the gap").await;
    assert!(tab.read_until(|events| events.len() == 2).await);
    assert_eq!(tab.last().1["title"], json!("after the gap"));
}

/// Shows: W17
#[actix_web::test]
async fn a_tab_too_many_is_told_to_try_later_and_takes_nothing_from_the_others() {
    let world = World::start_with(&[("BFF_WEB__STREAMS__MAX_STREAMS_PER_KEY", "1")]).await;
    let mut alice = world.signed_in("alice").await;
    let (_, id) = load(&mut alice).await;
    let (mut first, mut second) = (Tab::at(&alice, &id), Tab::at(&alice, &id));
    assert_eq!((first.connect().await, second.connect().await), (200, 200));
    second.read_to_end().await;
    assert_eq!(second.last(), ("try-later", json!({ "reason": "too-many-streams" })));
    assert_eq!(second.retry(), Some(30_000));
    publish(&world, "alice", "still here").await;
    assert!(first.read_until(|events| !events.is_empty()).await);
}

/// Shows: W8
#[actix_web::test]
async fn nobody_gets_a_stream_without_a_session() {
    let world = World::start().await;
    let fresh = world.service.client().get(world.service.url(STREAM)).insert_header((ACCEPT, "text/event-stream"));
    let answer = receive(fresh.send()).await;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthenticated")));
}

/// Shows: S9, W17
#[actix_web::test]
async fn a_service_that_leaves_ends_its_streams_with_a_time_to_come_back_and_does_not_wait_for_them() {
    let variables = [
        ("BFF_WEB__SERVER__DRAIN_TIMEOUT_MS", "600000"),
        ("BFF_WEB__STREAMS__DRAIN_RETRY_MIN_MS", "700"),
        ("BFF_WEB__STREAMS__DRAIN_RETRY_MAX_MS", "900"),
    ];
    let world = World::start_with(&variables).await;
    let alice = world.signed_in("alice").await;
    let mut tab = Tab::at(&alice, "");
    assert_eq!(tab.connect().await, 200);
    let left = actix_web::rt::spawn(world.service.drain());
    tab.read_to_end().await;
    assert!(tab.retry().is_some_and(|retry| (700..=900).contains(&retry)), "{:?}", tab.retry());
    tab.disconnect();
    // Much less than what requests in flight may take.
    tokio::time::timeout(PATIENCE, left).await.expect("it does not wait for the stream").expect("it leaves");
}
