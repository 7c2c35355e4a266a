//! What only a development provider offers.

use std::path::Path;
use std::time::Duration;

use actix_web::http::StatusCode;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::clock::Clock;
use sandbox::provider::{Provider, ProviderError, ProviderSettings};
use serde_json::json;

use crate::running::{Running, jwt_parts, web_request};

const LIFETIME: Duration = Duration::from_secs(60);

#[actix_web::test]
async fn a_token_can_be_had_without_a_login() {
    let running = Running::start().await;
    let answer = running.post("/dev/token", &[("user", "alice")], &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let (header, claims) = jwt_parts(&answer.text("access_token"));
    assert_eq!(header["typ"], json!("at+jwt"));
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("usr_alice"), &json!("bff-mobile")));
    assert_eq!(claims["client_id"], json!("mobile-app"));

    let all = [
        ("user", "usr_user17"),
        ("client_id", "bff-web"),
        ("audience", "trifront-services"),
        ("scope", "orders:read"),
        ("lifetime_seconds", "60"),
        ("acr", "urn:sandbox:mfa"),
        ("dpop_jkt", "thumb"),
    ];
    let answer = running.post("/dev/token", &all, &[]).await;
    let claims = jwt_parts(&answer.text("access_token")).1;
    assert_eq!((&claims["sub"], &claims["scope"]), (&json!("usr_user17"), &json!("orders:read")));
    assert_eq!(claims["exp"], json!(running.now() + 60));
    assert_eq!((&claims["acr"], &claims["cnf"]), (&json!("urn:sandbox:mfa"), &json!({ "jkt": "thumb" })));
    running.post("/dev/token", &[("user", "mallory")], &[]).await.assert_refused(400, "invalid_request");
}

#[actix_web::test]
async fn web_pages_of_other_origins_are_kept_out() {
    let running = Running::start().await;
    let foreign = [("origin", "https://evil.example")];
    for (path, form) in [
        ("/dev/token", vec![("user", "alice")]),
        ("/dev/rotate-keys", vec![]),
        ("/dev/end-session", vec![("user", "alice")]),
    ] {
        running.post(path, &form, &foreign).await.assert_refused(403, "access_denied");
    }
    let own = [("origin", running.issuer.as_str())];
    assert_eq!(running.post("/dev/token", &[("user", "alice")], &own).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn sessions_and_counters_can_be_seen_from_another_process() {
    let running = Running::start().await;
    running.browser().code_for("carol", &web_request(&[])).await;
    let sessions = running.get("/dev/sessions", &[]).await.json();
    assert_eq!((&sessions[0]["sub"], &sessions[0]["clients"]), (&json!("usr_carol"), &json!(["bff-web"])));
    assert_eq!(running.get("/dev/counters", &[]).await.json()["logins"], json!(1));
}

#[test]
fn a_signing_key_file_that_is_not_there_is_an_error_that_names_it() {
    let settings =
        ProviderSettings { signing_key_file: Some("/nowhere/key.pem".into()), ..ProviderSettings::default() };
    let error = Provider::new(settings, Clock::system()).expect_err("no such file");
    assert!(matches!(error, ProviderError::SigningKeyFile { .. }));
    assert_eq!(error.to_string(), "cannot read the signing key from /nowhere/key.pem");
}

#[test]
fn a_signing_key_from_a_file_has_the_same_id_at_each_start() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let encoded = STANDARD.encode(pair.to_pkcs8v1().expect("PKCS#8").as_ref());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("provider-signing-key.pem");
    std::fs::write(&path, format!("-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n"))
        .expect("a writable folder");
    let kid = || {
        let settings = ProviderSettings { signing_key_file: Some(path.clone()), ..ProviderSettings::default() };
        let provider = Provider::new(settings, Clock::system()).expect("a provider");
        let token = provider.handle().access_token("alice", "bff-web", "trifront-services", &[], LIFETIME);
        jwt_parts(&token.expect("a token")).0["kid"].clone()
    };
    assert_eq!(kid(), kid());
}
