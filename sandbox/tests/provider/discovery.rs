//! Metadata and public keys.

use actix_web::http::StatusCode;
use sandbox::provider::ProviderSettings;
use serde_json::json;

use crate::running::{Running, jwt_parts};

/// Shows: W2.
#[actix_web::test]
async fn the_metadata_names_the_issuer_and_every_endpoint() {
    let running = Running::start().await;
    let answer = running.get("/.well-known/openid-configuration", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let metadata = answer.json();
    assert_eq!(metadata["issuer"], json!(running.issuer));
    for (member, path) in [
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "/token"),
        ("userinfo_endpoint", "/userinfo"),
        ("jwks_uri", "/jwks"),
        ("revocation_endpoint", "/revoke"),
        ("end_session_endpoint", "/logout"),
        ("pushed_authorization_request_endpoint", "/par"),
    ] {
        assert_eq!(metadata[member], json!(format!("{}{path}", running.issuer)), "{member}");
    }
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], json!(true));
    assert_eq!(metadata["backchannel_logout_session_supported"], json!(true));
    let other = running.get("/.well-known/oauth-authorization-server", &[]).await;
    assert_eq!(other.json(), metadata);
    assert_eq!(running.handle.counters().discovery_fetches, 2);
}

#[actix_web::test]
async fn a_configured_issuer_is_not_replaced_by_the_bound_address() {
    let settings = ProviderSettings { issuer: Some("https://login.example/".into()), ..ProviderSettings::default() };
    let running = Running::with(settings).await;
    let answer = running.get("/.well-known/openid-configuration", &[]).await;
    assert_eq!(answer.text("issuer"), "https://login.example");
}

/// Shows: M2.
#[actix_web::test]
async fn an_old_key_stays_published_until_the_second_rotation() {
    let running = Running::start().await;
    let kids = || async {
        let keys = running.get("/jwks", &[]).await.json();
        let keys = keys["keys"].as_array().expect("keys").clone();
        assert!(keys.iter().all(|key| key.get("d").is_none()), "a private key is published");
        keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect::<Vec<_>>()
    };
    let first = kids().await.remove(0);
    let token = running.web_tokens().await.text("access_token");
    assert_eq!(jwt_parts(&token).0["kid"], json!(first));

    let second = running.handle.rotate_keys().expect("a new key");
    assert_eq!(kids().await, [second.clone(), first]);
    assert_eq!(running.userinfo(&token).await.status, StatusCode::OK);

    let third = running.post("/dev/rotate-keys", &[], &[]).await.text("kid");
    assert_eq!(kids().await, [third, second]);
    assert_eq!(running.userinfo(&token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(running.handle.counters().jwks_fetches, 3);
}
