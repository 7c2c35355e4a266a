//! The dashboard: whole, with an optional part down, with the needed part down, and slow.

use std::time::Duration;

use sandbox::chaos::{Fault, Rule};
use serde_json::json;

use crate::harness::{World, shown};

const PATH: &str = "/api/v2/dashboard";

#[actix_web::test]
async fn the_dashboard_shows_user_orders_balance_and_notifications() {
    let world = World::start().await;
    let answer = world.signed_in("alice").await.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.receipt.*.asOf" => "[time]" });
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
}

#[actix_web::test]
async fn without_notifications_the_dashboard_says_why_they_are_missing() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    world.disturb("notifications", Rule::grpc_status(14));
    let answer = alice.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.receipt.*.asOf" => "[time]" });
}

#[actix_web::test]
async fn without_the_user_there_is_a_problem_that_names_the_part_and_no_address() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    for (rule, status, reason) in [
        (Rule::status(500), 502, "server-error"),
        (Rule::status(503), 503, "server-error"),
        (Rule::fault(Fault::MalformedJson), 502, "invalid-response"),
    ] {
        world.disturb("users", rule);
        let answer = alice.get(PATH).await;
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let problem = answer.json();
        assert_eq!(
            (&problem["status"], &problem["part"], &problem["reason"]),
            (&json!(status), &json!("user"), &json!(reason))
        );
        let text = answer.text();
        for secret in ["127.0.0.1", "localhost", "http:", "/users"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    world.disturb("users", Rule::status(503));
    let answer = alice.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
}

#[actix_web::test]
async fn a_slow_part_is_left_out_and_the_slow_user_is_a_timeout() {
    let quick = [
        ("BFF_WEB__DOWNSTREAMS__ACCOUNTS__TIMEOUT_MS", "300"),
        ("BFF_WEB__DOWNSTREAMS__ACCOUNTS__RETRY__MAX_ATTEMPTS", "1"),
        ("BFF_WEB__DOWNSTREAMS__USERS__TIMEOUT_MS", "300"),
        ("BFF_WEB__DOWNSTREAMS__USERS__RETRY__MAX_ATTEMPTS", "1"),
    ];
    let world = World::start_with(&quick).await;
    let mut alice = world.signed_in("alice").await;
    world.disturb("accounts", Rule::fault(Fault::Hang));
    let answer = alice.get(PATH).await;
    insta::assert_json_snapshot!("slow_accounts", shown(&answer), { ".body.receipt.*.asOf" => "[time]" });
    // Nothing is kept of Bob yet that could stand in.
    let mut bob = world.signed_in("bob").await;
    world.disturb("users", Rule::fault(Fault::HangAfterHeaders));
    let answer = bob.get(PATH).await;
    insta::assert_json_snapshot!("slow_users", shown(&answer), { ".body.requestId" => "[id]" });
}

/// Shows: S6
#[actix_web::test]
async fn what_was_known_of_the_user_stands_in_while_the_service_is_away_and_the_receipt_says_so() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let live = alice.get(PATH).await.json();
    world.disturb("users", Rule::status(503));
    let page = alice.get(PATH).await.json();
    assert_eq!(page["user"], live["user"]);
    assert_eq!(
        (&page["receipt"]["user"]["state"], &page["receipt"]["user"]["reason"]),
        (&json!("stale"), &json!("server-error"))
    );
    // It is hers alone: for Bob there is nothing.
    assert_eq!(world.signed_in("bob").await.get(PATH).await.status, 503);
}

#[actix_web::test]
async fn the_dashboard_makes_its_four_calls_at_once() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    // Nobody is answered before all four have asked; one call after the other would wait for ever.
    for service in ["users", "orders", "accounts", "notifications"] {
        world.disturb(service, Rule::barrier("dashboard", 4));
    }
    let page = alice.get(PATH).await.json();
    for part in ["user", "recentOrders", "balance", "unreadNotifications"] {
        assert_eq!(page["receipt"][part]["state"], "live", "{part}");
    }
}

#[actix_web::test]
async fn each_user_sees_their_own_dashboard_only() {
    let world = World::start().await;
    let mut users = [world.signed_in("alice").await, world.signed_in("bob").await];
    for service in ["users", "accounts"] {
        world.disturb(service, Rule::latency(Duration::from_millis(20)));
    }
    for _ in 0..10 {
        let [alice, bob] = &mut users;
        let (alices, bobs) = futures_util::join!(alice.get(PATH), bob.get(PATH));
        let (alices, bobs) = (alices.json(), bobs.json());
        assert_eq!((&alices["user"]["id"], &bobs["user"]["id"]), (&json!("usr_alice"), &json!("usr_bob")));
        assert_ne!(alices["recentOrders"], bobs["recentOrders"]);
        assert_ne!(alices["balance"], bobs["balance"]);
    }
    let subjects: std::collections::BTreeSet<_> =
        world.sandbox.chaos().calls("accounts").into_iter().map(|call| call.subject).collect();
    assert_eq!(subjects, [Some("usr_alice".to_owned()), Some("usr_bob".to_owned())].into());
}
