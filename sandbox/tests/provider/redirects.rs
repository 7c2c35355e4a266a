//! Requests that are refused: on a page while it is open who asks, by redirect afterwards.

use actix_web::http::StatusCode;

use crate::running::{MOBILE_REDIRECT, Running, WEB_REDIRECT, web_request};

/// Shows: W8.
#[actix_web::test]
async fn an_unregistered_redirect_is_a_page_and_never_a_redirect() {
    let running = Running::start().await;
    for evil in [
        "https://evil.example/api/auth/callback",
        "http://localhost.evil.example/api/auth/callback",
        "http://localhost:8080@evil.example/api/auth/callback",
        "http://localhost:8080/api/auth/callback/../x",
        "//evil.example",
        MOBILE_REDIRECT,
    ] {
        let answer = running.browser().authorize(&web_request(&[("redirect_uri", evil)])).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::BAD_REQUEST, ""), "{evil}");
        assert!(answer.header("content-type").starts_with("text/html"));
        assert!(!answer.body.contains("evil.example"), "the page repeats the address");
    }
    let unknown = running.browser().authorize(&web_request(&[("client_id", "nobody")])).await;
    assert_eq!((unknown.status, unknown.header("location")), (StatusCode::BAD_REQUEST, ""));
    let doubled = format!("{}&client_id=mobile-app", web_request(&[]));
    assert_eq!(running.browser().authorize(&doubled).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn the_port_of_a_loopback_redirect_is_free() {
    let running = Running::start().await;
    for good in ["http://127.0.0.1:41000/api/auth/callback", "https://localhost/api/auth/callback"] {
        let answer = running.browser().authorize(&web_request(&[("redirect_uri", good)])).await;
        assert_eq!(answer.status, StatusCode::OK, "{good}");
    }
}

/// Shows: W1.
#[actix_web::test]
async fn what_is_wrong_with_a_request_goes_to_the_client() {
    let running = Running::start().await;
    for (changes, error) in [
        ([("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
        ([("code_challenge_method", "plain"), ("nonce", "n")], "invalid_request"),
        ([("code_challenge_method", ""), ("nonce", "n")], "invalid_request"),
        ([("code_challenge", "too-short"), ("nonce", "n")], "invalid_request"),
        ([("response_type", "token"), ("nonce", "n")], "unsupported_response_type"),
        ([("response_mode", "fragment"), ("nonce", "n")], "invalid_request"),
        ([("scope", "openid admin"), ("nonce", "n")], "invalid_scope"),
        ([("prompt", "none login"), ("nonce", "n")], "invalid_request"),
        ([("max_age", "soon"), ("nonce", "n")], "invalid_request"),
        ([("request", "a.b.c"), ("nonce", "n")], "request_not_supported"),
    ] {
        let answer = running.browser().authorize(&web_request(&changes)).await;
        assert!(answer.header("location").starts_with(WEB_REDIRECT), "{changes:?}");
        let query = answer.redirect_query();
        assert_eq!((query["error"].as_str(), query["state"].as_str()), (error, "the-state"), "{changes:?}");
        assert_eq!(query["iss"], running.issuer);
    }
}

#[actix_web::test]
async fn an_authorization_request_may_come_as_a_form() {
    let running = Running::start().await;
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(web_request(&[]).as_bytes()).into_owned().collect();
    let form: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = running.browser().post("/authorize", &form).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("name=\"password\""));
}
