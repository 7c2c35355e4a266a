//! The authorization code grant.

use std::time::Duration;

use actix_web::http::StatusCode;

use crate::running::{MOBILE_REDIRECT, Running, VERIFIER, WEB, WEB_REDIRECT, mobile_request, web_request};

/// Shows: W1.
#[actix_web::test]
async fn a_reused_code_revokes_what_it_gave() {
    let running = Running::start().await;
    let code = running.browser().code_for("alice", &web_request(&[])).await;
    let tokens = running.redeem(&code).await;
    assert_eq!(running.userinfo(&tokens.text("access_token")).await.status, StatusCode::OK);
    running.redeem(&code).await.assert_refused(400, "invalid_grant");
    assert_eq!(running.userinfo(&tokens.text("access_token")).await.status, StatusCode::UNAUTHORIZED);
    running.refresh(&tokens.text("refresh_token")).await.assert_refused(400, "invalid_grant");
    assert_eq!(running.handle.counters().code_reuses, 1);
}

#[actix_web::test]
async fn a_code_expires_after_a_minute() {
    let running = Running::start().await;
    let mut browser = running.browser();
    let code = browser.code_for("alice", &web_request(&[])).await;
    running.clock.advance(Duration::from_secs(60));
    running.redeem(&code).await.assert_refused(400, "invalid_grant");
    let code = browser.authorize(&web_request(&[])).await.redirect_query().remove("code").expect("a code");
    running.clock.advance(Duration::from_secs(59));
    assert_eq!(running.redeem(&code).await.status, StatusCode::OK);
}

/// Shows: W1.
#[actix_web::test]
async fn a_code_is_bound_to_verifier_and_redirect() {
    let running = Running::start().await;
    let mut browser = running.browser();
    browser.code_for("alice", &web_request(&[])).await;
    for (verifier, redirect) in [
        ("wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong", WEB_REDIRECT),
        (VERIFIER, "http://localhost:8081/api/auth/callback"),
    ] {
        let code = browser.authorize(&web_request(&[])).await.redirect_query().remove("code").expect("a code");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        running.token(WEB, &form).await.assert_refused(400, "invalid_grant");
        running.redeem(&code).await.assert_refused(400, "invalid_grant");
    }
    let code = browser.authorize(&web_request(&[])).await.redirect_query().remove("code").expect("a code");
    let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", WEB_REDIRECT)];
    running.token(WEB, &form).await.assert_refused(400, "invalid_request");
}

#[actix_web::test]
async fn a_code_is_bound_to_its_client_and_a_stranger_does_not_spend_it() {
    let running = Running::start().await;
    let code = running.browser().code_for("alice", &web_request(&[])).await;
    let form = [
        ("client_id", "mobile-app"),
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", WEB_REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    running.post("/token", &form, &[]).await.assert_refused(400, "invalid_grant");
    assert_eq!(running.redeem(&code).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_public_client_gets_tokens_for_its_own_backend() {
    let running = Running::start().await;
    let code = running.browser().code_for("bob", &mobile_request(&[])).await;
    let form = [
        ("client_id", "mobile-app"),
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", MOBILE_REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let tokens = running.post("/token", &form, &[]).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    let access = crate::running::claims(&tokens.text("access_token"));
    assert_eq!((access["aud"].as_str(), access["client_id"].as_str()), (Some("bff-mobile"), Some("mobile-app")));
}

#[actix_web::test]
async fn without_the_scope_openid_there_is_no_id_token() {
    let running = Running::start().await;
    let code = running.browser().code_for("alice", &web_request(&[("scope", "orders:read")])).await;
    let tokens = running.redeem(&code).await.json();
    assert!(tokens.get("id_token").is_none());
    assert_eq!(tokens["scope"].as_str(), Some("orders:read"));
}
