//! The home screen.

use std::time::Duration;

use sandbox::chaos::{Fault, Rule};
use serde_json::json;

use crate::harness::{Stage, assert_body, states};

/// The parts that the screen can do without, each with its service.
const OPTIONAL: [(&str, &str); 4] =
    [("balance", "accounts"), ("lastOrder", "orders"), ("promotions", "promotions"), ("unread", "notifications")];

/// The services behind the screen.
const BEHIND: [&str; 5] = ["accounts", "notifications", "orders", "promotions", "users"];

/// An error that makes the call fail at once, without a retry.
fn failing(service: &str) -> Rule {
    if service == "notifications" { Rule::grpc_status(13) } else { Rule::status(500) }
}

#[actix_web::test]
async fn home_is_one_small_screen() {
    let stage = Stage::new().await;
    let home = stage.get("/v1/home").await;
    assert_eq!(home.status, 200);
    assert_body!("home", home);
    assert!(home.body.len() < 1024, "{} bytes", home.body.len());
    assert_eq!(home.header("cache-control"), Some("private, no-cache"));
}

#[actix_web::test]
async fn home_belongs_to_the_user_who_asks() {
    let stage = Stage::new().await;
    let bob = stage.get_with("/v1/home", &stage.token("bob")).await.json();
    let alice = stage.get("/v1/home").await.json();
    assert_eq!((&alice["name"], &bob["name"]), (&json!("Alice"), &json!("Bob")));
    assert_ne!(alice["balance"], bob["balance"]);
    assert_ne!(alice["lastOrder"]["id"], bob["lastOrder"]["id"]);
}

#[actix_web::test]
async fn the_parts_of_home_are_fetched_at_once() {
    let stage = Stage::new().await;
    for service in BEHIND {
        stage.disturb(service, Rule::barrier("home", BEHIND.len()));
    }
    let home = stage.get("/v1/home").await;
    assert_eq!(home.status, 200);
    assert!(states(&home.json()).iter().all(|(_, state)| state == "live"), "{}", home.text());
}

#[actix_web::test]
async fn home_is_there_without_each_of_its_optional_parts() {
    for (part, service) in OPTIONAL {
        let stage = Stage::new().await;
        stage.disturb(service, failing(service));
        let home = stage.get("/v1/home").await;
        assert_eq!(home.status, 200, "without {service}");
        let lost = if part == "promotions" { "fallback" } else { "missing" };
        for (name, state) in states(&home.json()) {
            assert_eq!(state, if name == part { lost } else { "live" }, "{name} without {service}");
        }
        assert_eq!(home.json()["receipt"][part]["reason"], "server-error", "without {service}");
    }
}

#[actix_web::test]
async fn home_is_there_when_nothing_but_the_user_is() {
    let stage = Stage::new().await;
    for (_, service) in OPTIONAL {
        stage.disturb(service, failing(service));
    }
    let home = stage.get("/v1/home").await;
    assert_eq!(home.status, 200);
    assert_body!("home_when_nothing_but_the_user_is_there", home);
}

#[actix_web::test]
async fn an_optional_part_that_answers_nonsense_is_left_out() {
    let faults = [
        (Fault::MalformedJson, "invalid-response"),
        (Fault::WrongContentType, "invalid-response"),
        (Fault::Empty, "invalid-response"),
        (Fault::OversizedBody, "too-large"),
    ];
    for (fault, reason) in faults {
        let stage = Stage::new().await;
        stage.disturb("accounts", Rule::fault(fault));
        let home = stage.get("/v1/home").await;
        assert_eq!(home.status, 200, "{fault:?}");
        let part = &home.json()["receipt"]["balance"];
        assert_eq!(part, &json!({"state": "missing", "reason": reason}), "{fault:?}");
    }
}

#[actix_web::test]
async fn home_fails_truthfully_without_the_user() {
    let stage = Stage::new().await;
    stage.disturb("users", Rule::status(500));
    let home = stage.get("/v1/home").await;
    assert_eq!(home.status, 502);
    assert_body!("home_without_the_user", home);
    assert_eq!(home.header("content-type"), Some("application/problem+json"));
}

#[actix_web::test]
async fn home_says_when_to_come_back_while_users_are_away() {
    let stage = Stage::with(&[("BFF_MOBILE__DOWNSTREAMS__USERS__RETRY__MAX_ATTEMPTS", "1")]).await;
    stage.disturb("users", Rule::status(503).header("retry-after", "7"));
    let home = stage.get("/v1/home").await;
    assert_eq!(home.status, 503);
    assert_body!("home_while_users_are_away", home);
    assert_eq!(home.header("retry-after"), Some("7"));
}

#[actix_web::test]
async fn home_does_not_wait_for_slow_optional_parts() {
    let stage = Stage::with(&[
        ("BFF_MOBILE__DOWNSTREAMS__ACCOUNTS__TIMEOUT_MS", "100"),
        ("BFF_MOBILE__DOWNSTREAMS__ORDERS__TIMEOUT_MS", "100"),
    ])
    .await;
    stage.disturb("accounts", Rule::fault(Fault::Hang));
    stage.disturb("orders", Rule::fault(Fault::HangAfterHeaders));
    let home = stage.get("/v1/home").await;
    assert_eq!(home.status, 200);
    assert_body!("home_with_slow_optional_parts", home);
}

#[actix_web::test]
async fn home_does_not_wait_for_slow_notifications() {
    let stage = Stage::with(&[("BFF_MOBILE__DOWNSTREAMS__NOTIFICATIONS__TIMEOUT_MS", "100")]).await;
    stage.disturb("notifications", Rule::fault(Fault::Hang));
    let home = stage.get("/v1/home").await;
    assert_eq!(home.status, 200);
    assert_eq!(home.json()["receipt"]["unread"]["state"], "missing");
    assert_eq!(home.json().get("unread"), None);
}

#[actix_web::test]
async fn home_fails_truthfully_when_the_user_is_slow() {
    let stage = Stage::with(&[
        ("BFF_MOBILE__DOWNSTREAMS__USERS__TIMEOUT_MS", "100"),
        ("BFF_MOBILE__DOWNSTREAMS__USERS__RETRY__MAX_ATTEMPTS", "1"),
    ])
    .await;
    stage.disturb("users", Rule::fault(Fault::Hang));
    let home = stage.get("/v1/home").await;
    assert_eq!(home.status, 504);
    assert_body!("home_when_the_user_is_slow", home);
}

#[actix_web::test]
async fn home_ends_at_its_deadline_whatever_its_parts_may_take() {
    let stage = Stage::with(&[
        ("BFF_MOBILE__SERVER__REQUEST_TIMEOUT_MS", "500"),
        ("BFF_MOBILE__DOWNSTREAMS__USERS__TIMEOUT_MS", "30000"),
    ])
    .await;
    // The exchange of the token is no part of what is slow here.
    assert_eq!(stage.get("/v1/home").await.status, 200);
    stage.disturb("users", Rule::latency(Duration::from_secs(30)));
    let home = stage.get("/v1/home").await;
    assert_eq!((home.status.as_u16(), &home.json()["code"]), (504, &json!("downstream-timeout")));
}
