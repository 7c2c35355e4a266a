//! The issuer's keys under attack, under rotation, and while it is away.

use std::time::Duration;

use futures_util::future::join_all;
use sandbox::{
    chaos::{Fault, Rule},
    provider::SigningChoice,
};
use serde_json::json;
use shared_lib::{clock::Clock, testing::eventually};

use crate::harness::{ALL_SCOPES, Stage, sandbox};

const PRODUCTS: &str = "/v1/products?size=1&fields=id";
/// The least time between two fetches that unknown keys cause.
const COOL_DOWN: Duration = Duration::from_secs(5);

/// Shows: M2
#[actix_web::test]
async fn thousands_of_random_key_names_cause_one_fetch_a_cool_down() {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(sandbox().await, &[], clock).await;
    assert_eq!(stage.get(PRODUCTS).await.status, 200, "the keys are there");
    let stranger = stage.token_with("alice", &ALL_SCOPES, |token| token.signed_by(SigningChoice::UnknownKey));
    let mut number = 0;
    for _ in 0..3 {
        hand.advance(COOL_DOWN);
        let before = stage.sandbox.provider().counters().jwks_fetches;
        for _ in 0..20 {
            let names: Vec<String> = (0..50).map(|_| named(&stranger, &mut number)).collect();
            for refused in join_all(names.iter().map(|token| stage.get_with(PRODUCTS, token))).await {
                assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (401, &json!("invalid-token")));
            }
        }
        let fetches = stage.sandbox.provider().counters().jwks_fetches - before;
        assert!(fetches <= 1, "{fetches} fetches in one cool-down");
    }
    assert_eq!(stage.get(PRODUCTS).await.status, 200);
}

/// The same token with a key name that nobody has used before.
fn named(token: &str, number: &mut u32) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    *number += 1;
    let (_, rest) = token.split_once('.').expect("three parts");
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": format!("random {number}")});
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// Shows: M2
#[actix_web::test]
async fn a_rotation_under_load_drops_no_valid_request() {
    let stage = Stage::new().await;
    assert_eq!(stage.get(PRODUCTS).await.status, 200);
    for rotation in 0..5 {
        let old = stage.token("alice");
        stage.sandbox.provider().rotate_keys().expect("a new key");
        let new = stage.token("bob");
        let requests = (0..40).map(|number| stage.get_with(PRODUCTS, if number % 2 == 0 { &old } else { &new }));
        for (number, answer) in join_all(requests).await.into_iter().enumerate() {
            assert_eq!(answer.status, 200, "request {number} after rotation {rotation}: {}", answer.text());
        }
    }
}

/// Shows: M2
#[actix_web::test]
async fn valid_tokens_go_on_while_the_provider_is_away_for_an_hour() {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(sandbox().await, &[], clock).await;
    let lifetime = Duration::from_secs(7_200);
    let provider = stage.sandbox.provider();
    let token = || provider.access_token("alice", "mobile-app", "bff-mobile", &ALL_SCOPES, lifetime);
    let first = token().expect("a token");
    assert_eq!(stage.get_with(PRODUCTS, &first).await.status, 200);
    stage.disturb("provider", Rule::fault(Fault::Reset));
    for minute in (5..=60).step_by(5) {
        hand.advance(Duration::from_secs(300));
        assert_eq!(stage.get_with(PRODUCTS, &first).await.status, 200, "after {minute} minutes");
    }
    let second = token().expect("a token");
    assert_eq!(stage.get_with(PRODUCTS, &second).await.status, 200, "one that was never seen before");
    // Keys are asked for in the background, so the failure shows a moment after the requests were answered.
    let is_shown = eventually(Duration::from_secs(10), || async {
        stage.service.get_management("/info").await.json()["signingKeys"]["lastFetchFailed"] == true
    });
    assert!(is_shown.await, "operators see it");
}
