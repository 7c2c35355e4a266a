//! The client credentials grant.

use actix_web::http::StatusCode;
use serde_json::json;

use crate::running::{PARTNER, Running, WEB, jwt_parts};

/// Shows: W13, S13.
#[actix_web::test]
async fn a_client_gets_a_token_of_its_own() {
    let running = Running::start().await;
    let form = [("grant_type", "client_credentials"), ("scope", "orders:read orders:write")];
    let answer = running.token(PARTNER, &form).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let (header, mut claims) = jwt_parts(&answer.text("access_token"));
    assert_eq!(header["typ"], json!("at+jwt"));
    claims["jti"].take();
    let now = running.now();
    assert_eq!(
        claims,
        json!({
            "iss": running.issuer, "sub": "bff-partner", "client_id": "bff-partner", "aud": "trifront-services",
            "iat": now, "exp": now + 300, "jti": null, "scope": "orders:read orders:write",
        })
    );
    assert!(answer.json().get("refresh_token").is_none());
    assert_eq!(running.handle.counters().client_credentials, 1);
}

#[actix_web::test]
async fn a_client_gets_no_token_for_a_foreign_audience_or_about_a_user() {
    let running = Running::start().await;
    let form = [("grant_type", "client_credentials"), ("audience", "bff-mobile")];
    running.token(PARTNER, &form).await.assert_refused(400, "invalid_target");
    let form = [("grant_type", "client_credentials"), ("scope", "openid")];
    running.token(PARTNER, &form).await.assert_refused(400, "invalid_scope");
}

#[actix_web::test]
async fn a_client_uses_only_the_grants_that_it_has() {
    let running = Running::start().await;
    let public = [("client_id", "mobile-app"), ("grant_type", "client_credentials")];
    running.post("/token", &public, &[]).await.assert_refused(400, "unauthorized_client");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "x.y")];
    running.token(PARTNER, &refresh).await.assert_refused(400, "unauthorized_client");
    running.token(WEB, &[("grant_type", "password")]).await.assert_refused(400, "unsupported_grant_type");
    running.token(WEB, &[("scope", "openid")]).await.assert_refused(400, "invalid_request");
    let doubled = [("grant_type", "client_credentials"), ("grant_type", "client_credentials")];
    running.token(WEB, &doubled).await.assert_refused(400, "invalid_request");
}
