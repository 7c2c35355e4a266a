//! The methods of client authentication.

use actix_web::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::provider::ProviderSettings;
use serde_json::{Value, json};

use crate::keys::ClientKey;
use crate::running::{Answer, Running};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

async fn with_basic(running: &Running, id: &str, secret: &str) -> Answer {
    let headers = [("authorization", basic(id, secret))];
    running.post("/token", &[("grant_type", "client_credentials")], &[(headers[0].0, &headers[0].1)]).await
}

/// Shows: W2.
#[actix_web::test]
async fn a_secret_may_come_in_the_header_or_in_the_form() {
    let running = Running::start().await;
    assert_eq!(with_basic(&running, "bff-web", "dev-only-bff-web-secret").await.status, StatusCode::OK);
    // Each half is form-encoded before it is joined (RFC 6749, 2.3.1).
    assert_eq!(with_basic(&running, "bff%2Dweb", "dev%2Donly-bff-web-secret").await.status, StatusCode::OK);
    let form =
        [("client_id", "bff-web"), ("client_secret", "dev-only-bff-web-secret"), ("grant_type", "client_credentials")];
    assert_eq!(running.post("/token", &form, &[]).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_client_that_does_not_prove_itself_is_refused_with_a_challenge() {
    let running = Running::start().await;
    for (id, secret) in
        [("bff-web", "wrong"), ("bff-web", ""), ("nobody", "x"), ("mobile-app", "x"), ("bff-web-jwt", "")]
    {
        let answer = with_basic(&running, id, secret).await;
        answer.assert_refused(401, "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic "), "{id}");
    }
    for form in [
        vec![("client_id", "bff-web"), ("grant_type", "client_credentials")],
        vec![("client_id", "mobile-app"), ("client_secret", "x"), ("grant_type", "refresh_token")],
        vec![("grant_type", "client_credentials")],
    ] {
        running.post("/token", &form, &[]).await.assert_refused(401, "invalid_client");
    }
    let not_basic = running.post("/token", &[("client_id", "mobile-app")], &[("authorization", "Bearer x")]).await;
    not_basic.assert_refused(401, "invalid_client");
}

#[actix_web::test]
async fn two_methods_at_once_are_refused() {
    let running = Running::start().await;
    let header = basic("bff-web", "dev-only-bff-web-secret");
    let form = [("client_secret", "dev-only-bff-web-secret"), ("grant_type", "client_credentials")];
    let answer = running.post("/token", &form, &[("authorization", &header)]).await;
    answer.assert_refused(400, "invalid_request");
}

#[actix_web::test]
async fn the_token_endpoint_takes_forms_only() {
    let running = Running::start().await;
    let answer = awc::Client::default()
        .post(format!("{}/token", running.issuer))
        .send_json(&json!({ "grant_type": "client_credentials" }))
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

/// Shows: W2.
#[actix_web::test]
async fn a_signed_assertion_authenticates_once() {
    let key = ClientKey::new();
    let running = with_key(&key).await;
    let assertion = key.sign(&good_claims(&running));
    let first = assert_with(&running, &assertion).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    assert_with(&running, &assertion).await.assert_refused(401, "invalid_client");
    let mut for_the_endpoint = good_claims(&running);
    for_the_endpoint["aud"] = json!([format!("{}/token", running.issuer)]);
    for_the_endpoint["jti"] = json!("another");
    assert_eq!(assert_with(&running, &key.sign(&for_the_endpoint)).await.status, StatusCode::OK);
}

/// Shows: W2.
#[actix_web::test]
async fn an_assertion_that_is_not_right_is_refused() {
    let key = ClientKey::new();
    let running = with_key(&key).await;
    let now = running.now();
    for (claim, value) in [
        ("aud", json!("https://other.example")),
        ("exp", json!(now)),
        ("exp", json!(now + 3600)),
        ("iat", json!(now + 300)),
        ("nbf", json!(now + 300)),
        ("iss", json!("bff-web")),
        ("sub", json!("bff-web")),
        ("jti", Value::Null),
    ] {
        let mut claims = good_claims(&running);
        claims[claim] = value;
        assert_with(&running, &key.sign(&claims)).await.assert_refused(401, "invalid_client");
    }
    let stranger = ClientKey::new().sign(&good_claims(&running));
    assert_with(&running, &stranger).await.assert_refused(401, "invalid_client");
    assert_with(&running, "not.a.jwt").await.assert_refused(401, "invalid_client");
}

async fn with_key(key: &ClientKey) -> Running {
    let client_keys = [("bff-web-jwt".to_owned(), key.set())].into();
    Running::with(ProviderSettings { client_keys, ..ProviderSettings::default() }).await
}

fn good_claims(running: &Running) -> Value {
    json!({
        "iss": "bff-web-jwt", "sub": "bff-web-jwt", "aud": running.issuer, "jti": "one",
        "iat": running.now(), "exp": running.now() + 60,
    })
}

async fn assert_with(running: &Running, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    running.post("/token", &form, &[]).await
}
