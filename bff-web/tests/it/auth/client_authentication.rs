//! How this service proves to the provider that it is itself.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use bff_web::BffWeb;
use sandbox::{Sandbox, provider::ProviderSettings};
use serde_json::json;
use shared_lib::testing::TestService;

use crate::harness::{Browser, ORIGIN, World, settings};

/// A private key in PEM, and the registration of its public half.
fn key_pair() -> (String, ProviderSettings) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let der = pair.to_pkcs8v1().expect("the key's encoding");
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (BASE64_URL_SAFE_NO_PAD.encode(x), BASE64_URL_SAFE_NO_PAD.encode(y));
    let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "k1", "alg": "ES256", "x": x, "y": y });
    let keys = serde_json::from_value(json!({ "keys": [jwk] })).expect("a key set");
    let client_keys = HashMap::from([("bff-web-jwt".to_owned(), keys)]);
    let label = "PRIVATE KEY";
    let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der.as_ref()));
    (pem, ProviderSettings { client_keys, ..ProviderSettings::default() })
}

/// Shows: W2
#[actix_web::test]
async fn people_sign_in_through_a_client_that_signs_its_assertions() {
    let (pem, provider) = key_pair();
    let sandbox = Sandbox::builder().provider(provider).start().await.expect("the sandbox starts");
    let variables = [
        ("BFF_WEB__OIDC__CLIENT_ID", "bff-web-jwt"),
        ("BFF_WEB__OIDC__CLIENT_AUTHENTICATION", "private_key_jwt"),
        ("BFF_WEB__OIDC__CLIENT_KEY", pem.as_str()),
        ("BFF_WEB__OIDC__CLIENT_KEY_ID", "k1"),
    ];
    let service = TestService::start::<BffWeb>(settings(&sandbox, &variables)).await;
    let mut browser = Browser::new(ORIGIN, &service.url(""));
    browser.sign_in("alice", "/").await;
    assert_eq!(browser.get("/api/v2/dashboard").await.status, StatusCode::OK);
}

/// Shows: W2
#[actix_web::test]
async fn people_sign_in_through_a_client_that_posts_its_secret() {
    let world = World::start_with(&[("BFF_WEB__OIDC__CLIENT_AUTHENTICATION", "client_secret_post")]).await;
    let mut browser = world.signed_in("alice").await;
    assert_eq!(browser.get("/api/v2/dashboard").await.status, StatusCode::OK);
}
