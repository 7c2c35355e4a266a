//! Access tokens live for five minutes; people stay signed in for longer.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use futures_util::future::join_all;
use sandbox::chaos::{Fault, Rule};
use serde_json::json;
use shared_lib::{
    clock::{Clock, ManualClock},
    testing::eventually,
};

use crate::harness::{PATIENCE, World};

const MINUTE: Duration = Duration::from_secs(60);
const DASHBOARD: &str = "/api/v2/dashboard";

async fn world_with_clock() -> (World, ManualClock) {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    (World::start_at(&[], clock).await, hand)
}

/// Shows: W11
#[actix_web::test]
async fn nobody_is_signed_out_when_their_access_token_ends() {
    let (world, hand) = world_with_clock().await;
    let mut browser = world.signed_in("alice").await;
    for round in 0..4 {
        assert_eq!(world.sandbox.provider().counters().refreshes, round);
        hand.advance(Duration::from_millis(4 * 60_000 + 1));
        assert_eq!(browser.get(DASHBOARD).await.status, StatusCode::OK);
        assert_eq!(browser.get(DASHBOARD).await.status, StatusCode::OK);
    }
    assert_eq!(world.sandbox.provider().counters().refresh_reuses, 0);
}

/// Shows: W11
#[actix_web::test]
async fn many_requests_at_once_refresh_once() {
    let (world, hand) = world_with_clock().await;
    let browser = world.signed_in("alice").await;
    hand.advance(6 * MINUTE);
    world.disturb("provider", Rule::latency(Duration::from_millis(50)).on("/token"));
    let mut browsers = vec![browser; 20];
    let answers = join_all(browsers.iter_mut().map(|browser| browser.get(DASHBOARD))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    let counters = world.sandbox.provider().counters();
    assert_eq!((counters.refreshes, counters.refresh_reuses), (1, 0));
}

/// Shows: W6
#[actix_web::test]
async fn the_session_ends_with_its_refresh_token() {
    let (world, hand) = world_with_clock().await;
    let mut browser = world.signed_in("alice").await;
    assert_eq!(world.sandbox.provider().revoke_grants("usr_alice"), 1);
    hand.advance(6 * MINUTE);
    let answer = browser.get(DASHBOARD).await;
    assert_eq!((answer.status, &answer.json()["reason"]), (StatusCode::UNAUTHORIZED, &json!("session-ended")));
    assert_eq!(browser.get("/api/auth/session").await.status, StatusCode::UNAUTHORIZED);
}

/// Shows: W11
#[actix_web::test]
async fn a_refresh_token_whose_fate_is_unknown_is_never_sent_again() {
    let (world, hand) = world_with_clock().await;
    let mut browser = world.signed_in("alice").await;
    // The provider takes the token and gives a new one, and its answer is lost.
    world.disturb("provider", Rule::fault(Fault::ResetMidBody).on("/token").times(1));
    hand.advance(Duration::from_millis(4 * 60_000 + 1));
    for _ in 0..3 {
        assert_eq!(browser.get(DASHBOARD).await.status, StatusCode::OK, "the access token serves to its end");
    }
    hand.advance(MINUTE);
    let answer = browser.get(DASHBOARD).await;
    assert_eq!((answer.status, &answer.json()["reason"]), (StatusCode::UNAUTHORIZED, &json!("session-ended")));
    let counters = world.sandbox.provider().counters();
    assert_eq!((counters.refreshes, counters.refresh_reuses), (1, 0));
}

/// Shows: W11
#[actix_web::test]
async fn a_provider_that_is_away_costs_nobody_their_session() {
    let (world, hand) = world_with_clock().await;
    let mut browser = world.signed_in("alice").await;
    hand.advance(Duration::from_millis(4 * 60_000 + 1));
    // Refused before the token was looked at.
    world.disturb("provider", Rule::status(429).on("/token").header("retry-after", "1"));
    assert_eq!(browser.get(DASHBOARD).await.status, StatusCode::OK);
    hand.advance(MINUTE);
    let away = browser.get(DASHBOARD).await;
    assert!(away.status.is_server_error(), "{}: it cannot be had, but nobody is signed out", away.status);
    world.sandbox.chaos().clear();
    assert_eq!(browser.get(DASHBOARD).await.status, StatusCode::OK);
}

/// Shows: W9, W11
#[actix_web::test]
async fn what_a_refresh_brings_after_signing_out_is_revoked() {
    let (world, hand) = world_with_clock().await;
    let browser = world.signed_in("alice").await;
    hand.advance(6 * MINUTE);
    // The refresh is held at the provider's door while the user signs out, and that sign-out's own revocation is refused.
    let rules = vec![Rule::barrier("held", 2).on("/token"), Rule::status(400).on("/revoke").times(1)];
    world.sandbox.chaos().set("provider", rules).expect("the rules are valid");
    world.sandbox.chaos().clear_calls();
    let reached = async |path: &str, calls: usize| {
        let count = || world.sandbox.chaos().calls("provider").iter().filter(|call| call.path == path).count();
        assert!(eventually(PATIENCE, || async { count() == calls }).await, "{path} is called {calls} times");
    };
    let (mut refreshing, mut leaving) = (browser.clone(), browser);
    let leave = async {
        reached("/token", 1).await;
        assert_eq!(leaving.fetch(Method::POST, "/api/auth/logout").await.status, StatusCode::OK);
        reached("/revoke", 1).await;
        world.sandbox.chaos().clear();
    };
    let (refreshed, ()) = futures_util::join!(refreshing.get(DASHBOARD), leave);
    assert_eq!(refreshed.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refreshing.get("/api/auth/session").await.status, StatusCode::UNAUTHORIZED, "it did not come back");
    reached("/revoke", 2).await;
    assert_eq!(world.sandbox.provider().counters().refreshes, 1);
}
