//! Whom the services let in.

use std::time::{Duration, SystemTime};

use actix_web::http::{Method, StatusCode};
use sandbox::{
    Sandbox,
    clock::ManualClock,
    provider::{JwtBuilder, SERVICES_AUDIENCE, SigningChoice},
};
use serde_json::json;

use crate::harness::Harness;

#[actix_web::test]
async fn a_call_without_a_token_is_refused_without_naming_an_error() {
    let harness = Harness::with(&["accounts"]).await;
    let answer = harness.get("accounts", "/balance", None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="trifront-services""#);
    let body = json!({ "errorCode": "MISSING_TOKEN", "errorMessage": "an access token is needed" });
    assert_eq!(answer.json(), body);
}

#[actix_web::test]
async fn a_token_for_another_audience_is_refused() {
    let harness = Harness::with(&["accounts"]).await;
    let token = harness.token("alice", "mobile-app", "bff-mobile");
    let answer = harness.get("accounts", "/balance", Some(&token)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#));
}

#[actix_web::test]
async fn a_token_of_another_issuer_is_refused_though_its_key_is_known() {
    let harness = Harness::with(&["accounts"]).await;
    let token = builder(&harness).claim("iss", json!("http://other.example")).build().expect("a token");
    assert_eq!(harness.get("accounts", "/balance", Some(&token)).await.status, StatusCode::UNAUTHORIZED);
}

/// Shows: S13
#[actix_web::test]
async fn a_token_that_is_bound_to_a_key_is_refused_as_a_bearer_token() {
    let harness = Harness::with(&["accounts"]).await;
    let token = builder(&harness).bound_to("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I").build().expect("a token");
    let answer = harness.get("accounts", "/balance", Some(&token)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["errorMessage"], "the access token is bound to a key and is no bearer token");
}

#[actix_web::test]
async fn a_token_signed_with_a_key_that_the_issuer_does_not_publish_is_refused() {
    let harness = Harness::with(&["accounts"]).await;
    let token = builder(&harness).signed_by(SigningChoice::UnknownKey).build().expect("a token");
    let answer = harness.get("accounts", "/balance", Some(&token)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

fn builder(harness: &Harness) -> JwtBuilder {
    let provider = harness.sandbox.provider();
    provider
        .access_token_builder("alice", "bff-web", SERVICES_AUDIENCE, &["openid"], Duration::from_secs(300))
        .expect("a user")
}

#[actix_web::test]
async fn a_token_is_refused_from_the_second_it_expires() {
    let time = ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let builder = Sandbox::builder().only(["provider", "accounts"]).clock(time.clock());
    let harness = Harness::of(builder.start().await.expect("a sandbox"));
    let token = harness.alice();
    time.advance(Duration::from_secs(299));
    assert_eq!(harness.get("accounts", "/balance", Some(&token)).await.status, StatusCode::OK);
    time.advance(Duration::from_secs(1));
    let answer = harness.get("accounts", "/balance", Some(&token)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["errorMessage"], "the access token has expired");
}

#[actix_web::test]
async fn a_token_that_is_none_is_refused_by_public_services_too() {
    let harness = Harness::with(&["catalog"]).await;
    assert_eq!(harness.get("catalog", "/products/SKU-00001", None).await.status, StatusCode::OK);
    let answer = harness.get("catalog", "/products/SKU-00001", Some("nonsense")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["error"]["code"], "invalid_token");
}

#[actix_web::test]
async fn tokens_signed_with_a_new_key_are_accepted_after_a_rotation() {
    let harness = Harness::with(&["accounts"]).await;
    assert_eq!(harness.get("accounts", "/balance", Some(&harness.alice())).await.status, StatusCode::OK);
    harness.sandbox.provider().rotate_keys().expect("a new key");
    assert_eq!(harness.get("accounts", "/balance", Some(&harness.alice())).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn services_that_cannot_get_the_keys_say_so() {
    let with_provider = Harness::with(&["users"]).await;
    let token = with_provider.alice();
    let nowhere = Sandbox::builder().only(["accounts"]).issuer("http://127.0.0.1:1").start().await;
    let harness = Harness::of(nowhere.expect("a sandbox"));
    let answer = harness.get("accounts", "/balance", Some(&token)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["errorCode"], "KEYS_UNAVAILABLE");
}

#[actix_web::test]
async fn services_in_a_process_of_their_own_find_the_keys_by_discovery() {
    let provider = Harness::of(Sandbox::builder().only(["provider"]).start().await.expect("a sandbox"));
    let services = Sandbox::builder().only(["accounts"]).issuer(provider.sandbox.issuer()).start().await;
    let services = Harness::of(services.expect("a sandbox"));
    let answer = services.get("accounts", "/balance", Some(&provider.alice())).await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// Shows: S13
#[actix_web::test]
async fn only_the_partner_bff_may_name_a_partner() {
    let harness = Harness::with(&["orders", "catalog"]).await;
    let headers = [("x-partner-id", "acme")];
    let partner = harness.token("alice", "bff-partner", SERVICES_AUDIENCE);
    let answer = harness.call(Method::GET, "orders", "?size=1", Some(&partner), &headers, None).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = harness.call(Method::GET, "orders", "?size=1", Some(&harness.alice()), &headers, None).await;
    assert_eq!((answer.status, &answer.json()["error"]), (StatusCode::FORBIDDEN, &json!("Forbidden")));
    let answer = harness.call(Method::GET, "catalog", "/products", None, &headers, None).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let headers = [("x-partner-id", "acme corp")];
    let answer = harness.call(Method::GET, "orders", "?size=1", Some(&partner), &headers, None).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

/// Shows: S13
#[actix_web::test]
async fn a_partner_sees_its_own_orders_and_nobody_elses() {
    let harness = Harness::with(&["orders"]).await;
    let token = harness.token("alice", "bff-partner", SERVICES_AUDIENCE);
    let list = async |partner: &str| {
        let headers = [("x-partner-id", partner)];
        harness.call(Method::GET, "orders", "?size=1", Some(&token), &headers, None).await.json()
    };
    let acme = list("acme").await["content"][0]["orderId"].as_str().expect("an id").to_owned();
    assert_ne!(list("globex").await["content"][0]["orderId"], acme.as_str());
    let show = async |partner: &str| {
        let headers = [("x-partner-id", partner)];
        harness.call(Method::GET, "orders", &format!("/{acme}"), Some(&token), &headers, None).await.status
    };
    assert_eq!(show("acme").await, StatusCode::OK);
    assert_eq!(show("globex").await, StatusCode::NOT_FOUND);
}
