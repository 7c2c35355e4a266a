//! The session: its cookie, its end, and what is said of it.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use bff_web::BffWeb;
use sandbox::Sandbox;
use shared_lib::{
    clock::{Clock, ManualClock},
    testing::TestService,
};

use crate::harness::{Browser, World, settings, shown};

const MINUTE: Duration = Duration::from_secs(60);

/// A world whose service has the time in the test's hand, beginning now.
async fn world_with_clock() -> (World, ManualClock) {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    (World::start_at(&[], clock).await, hand)
}

/// Shows: W4
#[actix_web::test]
async fn over_https_the_session_cookie_is_as_strict_as_can_be() {
    const SECURE_ORIGIN: &str = "https://localhost:8443";
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let settings = settings(&sandbox, &[("BFF_WEB__SERVER__PUBLIC_ORIGIN", SECURE_ORIGIN)]);
    let service = TestService::start::<BffWeb>(settings).await;
    let mut browser = Browser::new(SECURE_ORIGIN, &service.url(""));
    let page = browser.sign_in("alice", "/").await;
    assert_eq!(page.url.as_str(), format!("{SECURE_ORIGIN}/"));
    assert_eq!(browser.get("/api/auth/session").await.status, StatusCode::OK);

    let cookie = browser.jar.iter().find(|cookie| cookie.name == "__Host-trifront-session").expect("a session");
    let mut attributes = cookie.attributes.clone();
    attributes.sort();
    assert_eq!(attributes, ["httponly", "path=/", "samesite=strict", "secure"]);
    assert!(cookie.name.len() + cookie.value.len() <= 4096);
    let csrf = browser.jar.iter().find(|cookie| cookie.name == "XSRF-TOKEN").expect("a CSRF token");
    let mut attributes = csrf.attributes.clone();
    attributes.sort();
    assert_eq!(attributes, ["path=/", "samesite=strict", "secure"], "script reads it");
}

/// Shows: W4
#[actix_web::test]
async fn each_sign_in_gives_a_new_session_and_the_old_one_is_dead() {
    let world = World::start().await;
    let mut browser = world.signed_in("alice").await;
    let mut stolen = browser.clone();
    let before = browser.cookie("trifront-session").expect("a session").to_owned();
    browser.navigate("/api/auth/login?returnTo=/").await;
    let after = browser.cookie("trifront-session").expect("a session").to_owned();
    assert_ne!(before, after);
    assert_eq!(browser.get("/api/auth/session").await.status, StatusCode::OK);
    assert_eq!(stolen.get("/api/auth/session").await.status, StatusCode::UNAUTHORIZED);
}

/// Shows: W4
#[actix_web::test]
async fn a_cookie_that_was_not_given_out_is_no_session() {
    let world = World::start().await;
    let mut browser = world.signed_in("alice").await;
    let place = browser.jar.iter().position(|cookie| cookie.name == "trifront-session").expect("a session");
    let genuine = browser.jar[place].value.clone();
    for forged in ["", "x", &genuine[..genuine.len() - 1], &format!("{genuine}A"), "AAAAAAAA"] {
        browser.jar[place].value = forged.to_owned();
        let answer = browser.fetch_with(Method::GET, "/api/auth/session", &[]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{forged}");
    }
}

/// Shows: W6
#[actix_web::test]
async fn an_idle_session_ends_and_a_used_one_ends_after_its_absolute_time() {
    let (world, hand) = world_with_clock().await;
    let (mut idle, mut used) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let mut passed = Duration::ZERO;
    while passed < 10 * 60 * MINUTE - 20 * MINUTE {
        hand.advance(20 * MINUTE);
        passed += 20 * MINUTE;
        assert_eq!(used.get("/api/v2/dashboard").await.status, StatusCode::OK, "after {passed:?}");
    }
    assert_eq!(idle.get("/api/v2/dashboard").await.status, StatusCode::UNAUTHORIZED);
    hand.advance(20 * MINUTE);
    assert_eq!(used.get("/api/v2/dashboard").await.status, StatusCode::UNAUTHORIZED);
}

/// Shows: W12
#[actix_web::test]
async fn asking_about_the_session_does_not_prolong_it() {
    let (world, hand) = world_with_clock().await;
    let mut browser = world.signed_in("alice").await;
    let first = browser.get("/api/auth/session").await;
    insta::assert_json_snapshot!(shown(&first), { ".body.idleEndsAt" => "[time]", ".body.endsAt" => "[time]" });
    for _ in 0..2 {
        hand.advance(10 * MINUTE);
        let again = browser.get("/api/auth/session").await;
        assert_eq!(again.json()["idleEndsAt"], first.json()["idleEndsAt"]);
    }
    assert_eq!(browser.get("/api/v2/dashboard").await.status, StatusCode::OK);
    assert_ne!(browser.get("/api/auth/session").await.json()["idleEndsAt"], first.json()["idleEndsAt"]);
    hand.advance(31 * MINUTE);
    assert_eq!(browser.get("/api/auth/session").await.status, StatusCode::UNAUTHORIZED);
}
