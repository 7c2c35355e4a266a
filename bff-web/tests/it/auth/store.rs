//! Sessions in Redis: what is in it, what its absence costs, and keys that are replaced.

use std::{cell::RefCell, rc::Rc, time::Duration};

use actix_web::http::{Method, StatusCode};
use bff_web::BffWeb;
use sandbox::Sandbox;
use serde_json::json;
use shared_lib::{
    clock::Clock,
    testing::{RedisServer, TestService, eventually},
};

use crate::harness::{Browser, ORIGIN, PATIENCE, replicas::Replicas, settings};

const MINUTE: Duration = Duration::from_secs(60);
const SESSION: &str = "/api/auth/session";
const DASHBOARD: &str = "/api/v2/dashboard";

/// Shows: W5, W6
#[actix_web::test]
async fn a_session_is_the_same_on_every_replica_and_ends_on_all() {
    let world = Replicas::start(2).await;
    let mut here = world.signed_in("alice", 0).await;
    let mut there = world.led(&here, 1);
    assert_eq!(there.get(SESSION).await.json()["user"]["id"], "usr_alice");
    assert_eq!(there.get(DASHBOARD).await.status, StatusCode::OK);
    assert_eq!(here.fetch(Method::POST, "/api/auth/logout").await.status, StatusCode::OK);
    assert_eq!(there.get(SESSION).await.status, StatusCode::UNAUTHORIZED);

    let mut idle = world.signed_in("bob", 1).await;
    world.hand.advance(31 * MINUTE);
    assert_eq!(idle.get(SESSION).await.status, StatusCode::UNAUTHORIZED);
    assert!(world.redis.dump().await.contains("session:"), "it was not forgotten yet, and is over all the same");
}

/// Shows: W5
#[actix_web::test]
async fn a_dump_of_the_store_holds_no_token_and_no_cookie() {
    let world = Replicas::start(1).await;
    let mut browser = world.signed_in("alice", 0).await;
    world.hand.advance(6 * MINUTE);
    assert_eq!(browser.get(DASHBOARD).await.status, StatusCode::OK, "the tokens were refreshed");
    let dump = world.redis.dump().await;
    assert!(dump.contains("usr_alice"), "the identity is there:\n{dump}");
    assert!(!dump.contains("eyJ"), "{dump}");
    for name in ["\"access\"", "\"refresh\"", "expires_at"] {
        assert!(!dump.contains(name), "{name} in {dump}");
    }
    let cookie = browser.cookie("trifront-session").expect("a session");
    let key = &cookie[cookie.len() - 43..];
    assert!(!dump.contains(key), "{dump}");
    // What is in the store is no cookie either.
    let place = browser.jar.iter().position(|cookie| cookie.name == "trifront-session").expect("a session");
    let id = dump.lines().find_map(|line| line.split_once("session:")).expect("a key").1.to_owned();
    browser.jar[place].value = id;
    assert_eq!(browser.get(SESSION).await.status, StatusCode::UNAUTHORIZED);
}

/// Shows: W5
#[actix_web::test]
async fn sealed_tokens_open_for_no_other_session() {
    let world = Replicas::start(1).await;
    let (mut alice, mut bob) = (world.signed_in("alice", 0).await, world.signed_in("bob", 0).await);
    let keys: Vec<String> = world.redis.ask(&["KEYS", "*}:session:*"]).await;
    assert_eq!(keys.len(), 2);
    let first: String = world.redis.ask(&["HGET", &keys[0], "tokens"]).await;
    let second: String = world.redis.ask(&["HGET", &keys[1], "tokens"]).await;
    let _: i64 = world.redis.ask(&["HSET", &keys[0], "tokens", &second]).await;
    let _: i64 = world.redis.ask(&["HSET", &keys[1], "tokens", &first]).await;
    for browser in [&mut alice, &mut bob] {
        assert_eq!(browser.get(DASHBOARD).await.status, StatusCode::UNAUTHORIZED);
    }
}

/// Shows: S11
#[actix_web::test]
async fn without_redis_public_routes_go_on_and_nobody_is_signed_out() {
    let mut world = Replicas::start(2).await;
    let browsers = [world.signed_in("alice", 0).await, world.signed_in("bob", 1).await];
    world.redis.stop();
    for browser in &browsers {
        let mut browser = browser.clone();
        for path in [SESSION, DASHBOARD] {
            let answer = browser.get(path).await;
            assert_eq!(
                (answer.status, answer.json()["code"].as_str(), answer.header("retry-after")),
                (StatusCode::SERVICE_UNAVAILABLE, Some("sessions-unavailable"), Some("1")),
                "{path}"
            );
        }
        let logout = browser.fetch(Method::POST, "/api/auth/logout").await;
        assert_eq!(logout.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(browser.get("/api/v2/products?size=1").await.status, StatusCode::OK, "with a session cookie");
        assert!(browser.cookie("trifront-session").is_some(), "the cookie stays");
    }
    assert_eq!(world.service(0).get("/api/v2/products?size=1").await.status, 200, "without one");
    assert_eq!(world.service(0).get_management("/readyz").await.status, 200);
    world.redis.start_again().await;
    for browser in &browsers {
        let back = eventually(Duration::from_secs(1), || {
            let mut browser = browser.clone();
            async move { browser.get(DASHBOARD).await.status == StatusCode::OK }
        });
        assert!(back.await, "within a second of Redis");
    }
}

/// Shows: S11
#[actix_web::test]
async fn requests_while_redis_goes_and_comes_back_are_served_or_told_to_wait() {
    let mut world = Replicas::start(2).await;
    let browser = world.signed_in("alice", 0).await;
    let answers = Rc::new(RefCell::new(Vec::new()));
    let load: Vec<_> = (0..8)
        .map(|number| {
            let (mut browser, answers) = (world.led(&browser, number % 2), Rc::clone(&answers));
            actix_web::rt::spawn(async move {
                loop {
                    let status = browser.get(SESSION).await.status;
                    answers.borrow_mut().push(status);
                    let public = browser.get("/api/v2/products?size=1").await.status;
                    assert_eq!(public, StatusCode::OK);
                }
            })
        })
        .collect();
    let count = |status: StatusCode| answers.borrow().iter().filter(|answer| **answer == status).count();
    let seen = async |status: StatusCode, more: usize| {
        let before = count(status);
        assert!(eventually(PATIENCE, || async { count(status) >= before + more }).await, "{more} more of {status}");
    };
    seen(StatusCode::OK, 50).await;
    world.redis.stop();
    seen(StatusCode::SERVICE_UNAVAILABLE, 50).await;
    world.redis.start_again().await;
    seen(StatusCode::OK, 50).await;
    assert!(load.iter().all(|task| !task.is_finished()), "public routes went on all the time");
    load.iter().for_each(actix_web::rt::task::JoinHandle::abort);
    let known = count(StatusCode::OK) + count(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(known, answers.borrow().len(), "nobody was signed out, nothing broke");
}

/// Shows: S11, S14
#[actix_web::test]
async fn a_redis_that_is_away_at_the_start_stops_neither_the_start_nor_a_later_sign_in() {
    let mut redis = RedisServer::start().await;
    redis.stop();
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let url = redis.url();
    let variables = [("BFF_WEB__SESSION__STORE", "redis"), ("BFF_WEB__REDIS__URL", url.as_str())];
    let service = TestService::start::<BffWeb>(settings(&sandbox, &variables)).await;
    let mut browser = Browser::new(ORIGIN, &service.url(""));
    let page = browser.sign_in("alice", "/").await;
    assert_eq!(page.answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.answer.text().contains("<code>sessions-unavailable</code>"), "{}", page.answer.text());
    assert_eq!(sandbox.provider().counters().token_calls, 0, "the code was not used up for nothing");
    redis.start_again().await;
    browser.navigate("/api/auth/login?returnTo=/").await;
    let signed_in = eventually(PATIENCE, || {
        let mut browser = browser.clone();
        async move { browser.get(SESSION).await.status == StatusCode::OK }
    });
    assert!(signed_in.await);
}

/// Shows: W5
#[actix_web::test]
async fn a_key_that_was_replaced_signs_nobody_out_until_it_is_left_out() {
    const OLD: &str = "the-old-session-key-0123456789abcdef";
    const NEW: &str = "the-new-session-key-0123456789abcdef";
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let redis = RedisServer::start().await;
    let url = redis.url();
    let with = async |key: &str, previous: &str| {
        let mut variables = vec![
            ("BFF_WEB__SESSION__STORE", "redis"),
            ("BFF_WEB__REDIS__URL", url.as_str()),
            ("BFF_WEB__SESSION__KEY", key),
        ];
        if !previous.is_empty() {
            variables.push(("BFF_WEB__SESSION__PREVIOUS_KEYS", previous));
        }
        TestService::start_with_clock::<BffWeb>(settings(&sandbox, &variables), Clock::system()).await
    };
    let (old, both, new) = (with(OLD, "").await, with(NEW, OLD).await, with(NEW, "").await);
    let mut browser = Browser::new(ORIGIN, &old.url(""));
    let form = browser.begin_sign_in("/").await;
    // The sign-in is finished by a replica that has the new key already.
    let mut browser = browser.led_to(&both.url(""));
    browser.fill_in(&form, "alice").await;
    assert_eq!(browser.get(DASHBOARD).await.status, StatusCode::OK);
    assert_eq!(browser.led_to(&new.url("")).get(DASHBOARD).await.status, StatusCode::OK, "the new key seals");
    assert_eq!(browser.led_to(&old.url("")).get(SESSION).await.status, StatusCode::UNAUTHORIZED);

    let mut earlier = Browser::new(ORIGIN, &old.url(""));
    earlier.sign_in("bob", "/").await;
    let mut earlier = earlier.led_to(&both.url(""));
    assert_eq!(earlier.get(DASHBOARD).await.json()["user"]["id"], "usr_bob", "the old key opens");
    assert_eq!(earlier.led_to(&new.url("")).get(SESSION).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(earlier.fetch(Method::POST, "/api/auth/logout").await.status, StatusCode::OK, "its CSRF token is good");
    assert_eq!(earlier.get(SESSION).await.json()["code"], json!("unauthenticated"));
}
