//! Token exchange.

use std::time::Duration;

use actix_web::http::StatusCode;
use sandbox::provider::SigningChoice;
use serde_json::{Value, json};

use crate::running::{Answer, MOBILE, PARTNER, Running, WEB, claims};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

async fn exchange(running: &Running, client: (&str, &str), token: &str, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![("grant_type", GRANT), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
    form.extend_from_slice(more);
    running.token(client, &form).await
}

fn token(running: &Running, client: &str, audience: &str, lifetime: u64) -> String {
    running
        .handle
        .access_token("alice", client, audience, &["openid", "orders:read"], Duration::from_secs(lifetime))
        .expect("a token")
}

/// Shows: S13.
#[actix_web::test]
async fn the_mobile_backend_exchanges_a_token_meant_for_it() {
    let running = Running::start().await;
    let subject = token(&running, "mobile-app", "bff-mobile", 60);
    let answer = exchange(&running, MOBILE, &subject, &[("audience", "trifront-services")]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!((answer.text("issued_token_type"), answer.text("token_type")), (ACCESS_TOKEN.into(), "Bearer".into()));
    let mut got = claims(&answer.text("access_token"));
    got["jti"].take();
    let now = running.now();
    assert_eq!(
        got,
        json!({
            "iss": running.issuer, "sub": "usr_alice", "aud": "trifront-services", "client_id": "bff-mobile",
            "act": { "sub": "bff-mobile" }, "scope": "orders:read", "iat": now, "exp": now + 60, "jti": null,
            "auth_time": now, "acr": "urn:sandbox:password",
        }),
        "it must not outlive the subject token nor tell the identity"
    );
    assert_eq!(running.handle.counters().token_exchanges, 1);
}

/// Shows: W13.
#[actix_web::test]
async fn the_web_backend_exchanges_its_own_users_tokens_for_each_service_audience() {
    let running = Running::start().await;
    let subject = token(&running, "bff-web", "trifront-services", 300);
    let answer = exchange(&running, WEB, &subject, &[("audience", "trifront-orders")]).await;
    assert_eq!(claims(&answer.text("access_token"))["aud"], json!("trifront-orders"));
    exchange(&running, WEB, &subject, &[("audience", "elsewhere")]).await.assert_refused(400, "invalid_target");
    exchange(&running, WEB, &subject, &[]).await.assert_refused(400, "invalid_request");
    let foreign = token(&running, "bff-mobile", "trifront-services", 300);
    let answer = exchange(&running, WEB, &foreign, &[("audience", "trifront-orders")]).await;
    answer.assert_refused(400, "invalid_request");
}

#[actix_web::test]
async fn tokens_that_are_not_meant_for_the_client_or_not_good_cannot_be_exchanged() {
    let running = Running::start().await;
    let builder = || {
        running
            .handle
            .access_token_builder("alice", "mobile-app", "bff-mobile", &[], Duration::from_secs(300))
            .expect("alice")
    };
    let audience = [("audience", "trifront-services")];
    for bad in [
        builder().claim("aud", json!("trifront-services")).build(),
        builder().aged(Duration::from_secs(301)).build(),
        builder().signed_by(SigningChoice::ForgedKeyId).build(),
        running.handle.id_token_builder("alice", "bff-mobile", "sid").expect("alice").build(),
    ] {
        let answer = exchange(&running, MOBILE, &bad.expect("a token"), &audience).await;
        answer.assert_refused(400, "invalid_request");
    }
    let good = builder().claim("aud", json!(["bff-mobile", "other"])).build().expect("a token");
    exchange(&running, PARTNER, &good, &audience).await.assert_refused(400, "unauthorized_client");
    exchange(&running, MOBILE, &good, &[("audience", "bff-mobile")]).await.assert_refused(400, "invalid_target");
    let wider = [("audience", "trifront-services"), ("scope", "orders:write")];
    exchange(&running, MOBILE, &good, &wider).await.assert_refused(400, "invalid_scope");
    let actor = [("audience", "trifront-services"), ("actor_token", "x")];
    exchange(&running, MOBILE, &good, &actor).await.assert_refused(400, "invalid_request");
    let refresh_type = [
        ("grant_type", GRANT),
        ("subject_token", good.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
    ];
    running.token(MOBILE, &refresh_type).await.assert_refused(400, "invalid_request");
    assert_eq!(exchange(&running, MOBILE, &good, &audience).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn who_acted_before_stays_on_record() {
    let running = Running::start().await;
    let subject = running
        .handle
        .access_token_builder("alice", "mobile-app", "bff-mobile", &[], Duration::from_secs(300))
        .and_then(|builder| builder.claim("act", json!({ "sub": "earlier" })).build())
        .expect("a token");
    let answer = exchange(&running, MOBILE, &subject, &[]).await;
    let act: Value = claims(&answer.text("access_token"))["act"].clone();
    assert_eq!(act, json!({ "sub": "bff-mobile", "act": { "sub": "earlier" } }));
}

#[actix_web::test]
async fn an_exchanged_token_falls_with_the_grant_behind_it() {
    let running = Running::start().await;
    let tokens = running.web_tokens().await;
    let scope = [("audience", "trifront-services"), ("scope", "openid")];
    let exchanged = exchange(&running, WEB, &tokens.text("access_token"), &scope).await.text("access_token");
    assert_eq!(running.userinfo(&exchanged).await.status, StatusCode::OK);
    assert_eq!(running.handle.revoke_grants("usr_alice"), 1);
    assert_eq!(running.userinfo(&exchanged).await.status, StatusCode::UNAUTHORIZED);
    let answer = exchange(&running, WEB, &tokens.text("access_token"), &scope).await;
    answer.assert_refused(400, "invalid_request");
}
