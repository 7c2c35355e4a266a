//! Requests that another site's page could have made.

use actix_web::http::{
    Method, StatusCode,
    header::{HeaderName, ORIGIN as ORIGIN_HEADER},
};

use crate::harness::{Browser, ORIGIN, World};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const TOKEN: HeaderName = HeaderName::from_static("x-xsrf-token");
const LOGOUT: &str = "/api/auth/logout";

fn token(browser: &Browser) -> String {
    browser.cookie("XSRF-TOKEN").expect("a CSRF token").to_owned()
}

/// Shows: W7
#[actix_web::test]
async fn an_unsafe_request_without_proof_is_refused_with_a_code_of_its_own() {
    let world = World::start().await;
    let (mut alice, bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let (own, others, stale) = (token(&alice), token(&bob), token(&world.signed_in("alice").await));
    let same_origin = (SITE, "same-origin".to_owned());
    for (why, headers) in [
        ("no header at all", vec![]),
        ("no token", vec![same_origin.clone()]),
        ("an empty token", vec![same_origin.clone(), (TOKEN, String::new())]),
        ("another user's token", vec![same_origin.clone(), (TOKEN, others)]),
        ("the token of another session of the same user", vec![same_origin.clone(), (TOKEN, stale)]),
        ("another site", vec![(SITE, "cross-site".to_owned()), (TOKEN, own.clone())]),
        ("another origin of the site", vec![(SITE, "same-site".to_owned()), (TOKEN, own.clone())]),
        (
            "another origin, from an older browser",
            vec![(ORIGIN_HEADER, "https://evil.example".to_owned()), (TOKEN, own.clone())],
        ),
        ("an opaque origin", vec![(ORIGIN_HEADER, "null".to_owned()), (TOKEN, own.clone())]),
        ("neither Sec-Fetch-Site nor Origin", vec![(TOKEN, own.clone())]),
    ] {
        let answer = alice.fetch_with(Method::POST, LOGOUT, &headers).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (StatusCode::FORBIDDEN, Some("csrf-failed")),
            "{why}"
        );
    }
    assert_eq!(alice.get("/api/auth/session").await.status, StatusCode::OK, "none of them ended the session");
    let older_browser = [(ORIGIN_HEADER, ORIGIN.to_owned()), (TOKEN, token(&alice))];
    assert_eq!(alice.fetch_with(Method::POST, LOGOUT, &older_browser).await.status, StatusCode::OK);
}

/// Shows: W7
#[actix_web::test]
async fn a_missing_login_is_told_apart_from_a_missing_token() {
    let world = World::start().await;
    let answer = world.browser().fetch(Method::POST, LOGOUT).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("unauthenticated")));
}

/// Shows: W7
#[actix_web::test]
async fn the_token_is_there_before_the_first_unsafe_request_and_fresh_after_sign_in_and_out() {
    let world = World::start().await;
    let mut browser = world.browser();
    browser.navigate("/").await;
    let before = token(&browser);
    browser.sign_in("alice", "/").await;
    let signed_in = token(&browser);
    assert_ne!(before, signed_in);
    assert_eq!(browser.fetch(Method::POST, LOGOUT).await.status, StatusCode::OK);
    assert_ne!(token(&browser), signed_in);
}
