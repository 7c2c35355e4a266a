//! What users and operators can do about sessions: see them, renew the present one, end any.

use std::time::Duration;

use actix_web::http::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderName},
};
use serde_json::Value;
use shared_lib::testing::receive;

use crate::harness::{
    Browser,
    replicas::{OPERATOR_TOKEN, Replicas},
};

const MINUTE: Duration = Duration::from_secs(60);
const SESSION: &str = "/api/auth/session";
const SESSIONS: &str = "/api/auth/sessions";

async fn ids(browser: &mut Browser) -> Vec<(String, bool)> {
    let list = browser.get(SESSIONS).await.json();
    let of = |session: &Value| {
        (session["id"].as_str().unwrap_or_default().to_owned(), session["current"] == Value::Bool(true))
    };
    list["content"].as_array().map(|sessions| sessions.iter().map(of).collect()).unwrap_or_default()
}

/// Shows: W12
#[actix_web::test]
async fn renewing_begins_the_idle_time_anew_and_refreshes_the_tokens() {
    let world = Replicas::start(1).await;
    let mut browser = world.signed_in("alice", 0).await;
    let first = browser.get(SESSION).await.json();
    let token = browser.cookie("XSRF-TOKEN").expect("a CSRF token").to_owned();
    world.hand.advance(MINUTE);
    let renewed = browser.fetch(Method::POST, "/api/auth/renew").await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.text());
    assert_ne!(renewed.json()["idleEndsAt"], first["idleEndsAt"]);
    assert_eq!(renewed.json()["endsAt"], first["endsAt"], "the absolute end stays");
    assert_ne!(browser.cookie("XSRF-TOKEN"), Some(token.as_str()));
    let counters = world.sandbox.provider().counters();
    assert_eq!((counters.refreshes, counters.refresh_reuses), (1, 0));
    let headers: [(HeaderName, String); 0] = [];
    let unproven = browser.fetch_with(Method::POST, "/api/auth/renew", &headers).await;
    assert_eq!(unproven.status, StatusCode::FORBIDDEN, "it needs the CSRF token");
}

/// Shows: W12
#[actix_web::test]
async fn a_user_sees_the_own_sessions_only_and_ends_any() {
    let world = Replicas::start(2).await;
    let (mut first, mut second) = (world.signed_in("alice", 0).await, world.signed_in("alice", 1).await);
    let mut bob = world.signed_in("bob", 0).await;
    let list = first.get(SESSIONS).await.json();
    assert_eq!((&list["totalElements"], &list["last"]), (&Value::from(2), &Value::from(true)), "{list}");
    let known = ids(&mut first).await;
    assert_eq!(known.iter().filter(|(_, current)| *current).count(), 1);
    let (other, _) = known.iter().find(|(_, current)| !current).expect("the second one").clone();

    let path = format!("{SESSIONS}/{other}");
    assert_eq!(bob.fetch(Method::DELETE, &path).await.status, StatusCode::NOT_FOUND, "another user's");
    assert_eq!(first.fetch(Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(second.get(SESSION).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(first.fetch(Method::DELETE, &path).await.status, StatusCode::NOT_FOUND, "it is gone");

    let (own, _) = ids(&mut first).await.first().expect("the present one").clone();
    assert_eq!(first.fetch(Method::DELETE, &format!("{SESSIONS}/{own}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(first.cookie("trifront-session"), None);
    assert_eq!(first.get(SESSION).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bob.get(SESSION).await.status, StatusCode::OK);
}

/// Shows: W12
#[actix_web::test]
async fn a_user_ends_all_other_sessions() {
    let world = Replicas::start(2).await;
    let mut browsers = Vec::new();
    for number in 0..4 {
        browsers.push(world.signed_in("alice", number % 2).await);
    }
    let mut bob = world.signed_in("bob", 1).await;
    let ended = browsers[2].fetch(Method::DELETE, SESSIONS).await;
    assert_eq!((ended.status, &ended.json()["ended"]), (StatusCode::OK, &Value::from(3)));
    for (number, browser) in browsers.iter_mut().enumerate() {
        let expected = if number == 2 { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(browser.get(SESSION).await.status, expected, "{number}");
    }
    assert_eq!(bob.get(SESSION).await.status, StatusCode::OK);
}

/// Shows: W12, S12
#[actix_web::test]
async fn an_operator_ends_all_sessions_of_a_user() {
    let world = Replicas::start(2).await;
    let (mut first, mut second) = (world.signed_in("alice", 0).await, world.signed_in("alice", 1).await);
    let mut bob = world.signed_in("bob", 0).await;
    let path = "/admin/subjects/usr_alice/sessions";
    let request = || world.service(1).client().delete(world.service(1).management_url(path));
    assert_eq!(receive(request().send()).await.status, StatusCode::UNAUTHORIZED, "without the operator token");
    assert_eq!(first.get(SESSION).await.status, StatusCode::OK);
    let told = request().insert_header((AUTHORIZATION, format!("Bearer {OPERATOR_TOKEN}"))).send();
    let answer = receive(told).await;
    assert_eq!((answer.status, &answer.json()["ended"]), (StatusCode::OK, &Value::from(2)));
    for browser in [&mut first, &mut second] {
        assert_eq!(browser.get(SESSION).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(bob.get(SESSION).await.status, StatusCode::OK);
    let public = receive(world.service(1).client().delete(world.service(1).url(path)).send()).await;
    assert!(!public.status.is_success(), "not on the public port");
}
