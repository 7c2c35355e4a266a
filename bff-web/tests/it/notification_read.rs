//! Marking a notification as read.

use actix_web::http::Method;
use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};
use shared_lib::testing::Received;

use crate::harness::{Browser, World};

async fn mark(browser: &mut Browser, id: &str) -> Received {
    browser.fetch_json(Method::POST, &format!("/api/v2/notifications/{id}/read"), &[], &Value::Null).await
}

/// Publishes one by the sandbox's own address, because no screen lists them; their ids are numbered.
async fn published(world: &World) -> String {
    let url = format!("{}/notifications/publish", world.sandbox.chaos_url().trim_end_matches("/chaos"));
    let body = json!({ "user": "alice", "title": "New", "body": "For Alice" });
    let mut answer = awc::Client::default().post(url).send_json(&body).await.expect("the sandbox answers");
    let made: Value = answer.json().await.expect("JSON");
    made["id"].as_str().expect("an id").to_owned()
}

#[actix_web::test]
async fn a_notification_is_read_once() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let id = published(&world).await;
    let unread =
        async |browser: &mut Browser| browser.get("/api/v2/dashboard").await.json()["unreadNotifications"].as_u64();
    let before = unread(&mut alice).await.expect("a number");
    // Bob may have one of that name too; it is his own that he marks.
    mark(&mut world.signed_in("bob").await, &id).await;
    assert_eq!(unread(&mut alice).await, Some(before));
    for _ in 0..2 {
        let answer = mark(&mut alice, &id).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "unreadNotifications": before - 1 })));
    }
    assert_eq!(unread(&mut alice).await, Some(before - 1));
}

#[actix_web::test]
async fn a_notification_that_does_not_exist_is_not_found() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    for id in ["nothing", "%2e%2e", &"x".repeat(65)] {
        assert_eq!(mark(&mut alice, id).await.status, 404, "{id}");
    }
}

#[actix_web::test]
async fn without_the_notifications_there_is_a_problem_that_names_them() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    world.disturb("notifications", Rule::grpc_status(14));
    let answer = mark(&mut alice, "x").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["part"]), (503, &json!("notifications")));
}

#[actix_web::test]
async fn slow_notifications_are_a_timeout() {
    let quick = [
        ("BFF_WEB__DOWNSTREAMS__NOTIFICATIONS__TIMEOUT_MS", "300"),
        ("BFF_WEB__DOWNSTREAMS__NOTIFICATIONS__RETRY__MAX_ATTEMPTS", "1"),
    ];
    let world = World::start_with(&quick).await;
    let mut alice = world.signed_in("alice").await;
    world.disturb("notifications", Rule::fault(Fault::Hang));
    let answer = mark(&mut alice, "x").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["part"]), (504, &json!("notifications")));
}
