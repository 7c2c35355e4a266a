//! Userinfo and revocation.

use std::time::Duration;

use actix_web::http::StatusCode;
use sandbox::provider::SigningChoice;
use serde_json::json;

use crate::running::{MOBILE, Running, WEB};

#[actix_web::test]
async fn userinfo_tells_what_the_scopes_open() {
    let running = Running::start().await;
    let token = running.web_tokens().await.text("access_token");
    let answer = running.userinfo(&token).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"));
    let mut told = answer.json();
    for personal in ["given_name", "family_name", "name", "locale"] {
        assert!(told[personal].take().is_string(), "{personal}");
    }
    assert_eq!((&told["sub"], &told["preferred_username"]), (&json!("usr_alice"), &json!("alice")));
    assert_eq!(told["email"], json!("alice@example.com"));
    let narrow = token_with(&running, &["openid"]);
    assert_eq!(running.userinfo(&narrow).await.json(), json!({ "sub": "usr_alice" }));
}

#[actix_web::test]
async fn userinfo_refuses_tokens_that_are_not_good() {
    let running = Running::start().await;
    let builder = || {
        running
            .handle
            .access_token_builder("alice", "bff-web", "trifront-services", &["openid"], Duration::from_secs(300))
            .expect("alice")
    };
    let bad = [
        builder().aged(Duration::from_secs(301)).build(),
        builder().signed_by(SigningChoice::UnknownKey).build(),
        builder().signed_by(SigningChoice::ForgedKeyId).build(),
        builder().signed_by(SigningChoice::HmacOfPublicKey).build(),
        builder().signed_by(SigningChoice::Unsigned).build(),
        builder().header("typ", json!("JWT")).build(),
        builder().header("crit", json!(["b64"])).build(),
        builder().claim("iss", json!("https://other.example")).build(),
    ];
    for (index, token) in bad.into_iter().enumerate() {
        let answer = running.userinfo(&token.expect("a token")).await;
        answer.assert_refused(401, "invalid_token");
        assert!(answer.header("www-authenticate").starts_with("Bearer error=\"invalid_token\""), "{index}");
    }
    let good = builder().build().expect("a token");
    assert_eq!(running.userinfo(&good).await.status, StatusCode::OK);
    let none = running.get("/userinfo", &[]).await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED);
    assert!(!none.header("www-authenticate").contains("error="));
    let no_openid = running.userinfo(&token_with(&running, &["orders:read"])).await;
    no_openid.assert_refused(403, "insufficient_scope");
}

/// Shows: W9.
#[actix_web::test]
async fn a_revoked_refresh_token_takes_its_access_tokens_along() {
    let running = Running::start().await;
    let tokens = running.web_tokens().await;
    let refresh = tokens.text("refresh_token");
    assert_eq!(revoke(&running, WEB, &refresh).await, 200);
    running.refresh(&refresh).await.assert_refused(400, "invalid_grant");
    assert_eq!(running.userinfo(&tokens.text("access_token")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(running.handle.counters().refresh_reuses, 0);
}

#[actix_web::test]
async fn a_revoked_access_token_goes_alone() {
    let running = Running::start().await;
    let tokens = running.web_tokens().await;
    assert_eq!(revoke(&running, WEB, &tokens.text("access_token")).await, 200);
    assert_eq!(running.userinfo(&tokens.text("access_token")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(running.refresh(&tokens.text("refresh_token")).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn revoking_nothing_succeeds_and_revoking_what_is_not_yours_does_not() {
    let running = Running::start().await;
    let tokens = running.web_tokens().await;
    assert_eq!(revoke(&running, WEB, "unknown").await, 200);
    assert_eq!(revoke(&running, WEB, "un.known").await, 200);
    assert_eq!(revoke(&running, MOBILE, &tokens.text("refresh_token")).await, 400);
    assert_eq!(revoke(&running, MOBILE, &tokens.text("access_token")).await, 400);
    assert_eq!(revoke(&running, ("bff-web", "wrong"), &tokens.text("refresh_token")).await, 401);
    assert_eq!(running.refresh(&tokens.text("refresh_token")).await.status, StatusCode::OK);
}

fn token_with(running: &Running, scopes: &[&str]) -> String {
    running
        .handle
        .access_token("alice", "bff-web", "trifront-services", scopes, Duration::from_secs(60))
        .expect("a token")
}

async fn revoke(running: &Running, client: (&str, &str), token: &str) -> u16 {
    let form = [("client_id", client.0), ("client_secret", client.1), ("token", token)];
    running.post("/revoke", &form, &[]).await.status.as_u16()
}
