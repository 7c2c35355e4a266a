//! Token exchange: for the right audience, for one subject, and for no longer than either token lives.

use std::time::Duration;

use jiff::Timestamp;
use sandbox::Sandbox;
use shared_lib::{clock::Clock, oauth::ErrorCode, settings::Secret};

use super::harness::{client, provider, request};

fn token_of(sandbox: &Sandbox, user: &str) -> Secret {
    let scopes = ["orders:read", "orders:write"];
    let token = sandbox.provider().access_token(user, "mobile-app", "bff-mobile", &scopes, Duration::from_secs(3600));
    Secret::from(token.expect("a token"))
}

fn in_seconds(clock: &Clock, seconds: u64) -> Timestamp {
    clock.wall().checked_add(Duration::from_secs(seconds)).expect("a time")
}

/// Shows: W13, S13
#[actix_web::test]
async fn exchanged_tokens_are_kept_by_subject_audience_and_scopes() {
    let sandbox = provider().await;
    let (clock, hand) = Clock::manual();
    let client = client(&sandbox, "bff-mobile", clock.clone());
    let (alice, bob) = (token_of(&sandbox, "alice"), token_of(&sandbox, "bob"));
    let ends = in_seconds(&clock, 3600);
    let exchange = async |subject: &Secret, scopes: &[&str]| {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let token = client.exchange(&request(), subject, ends, "trifront-services", &scopes).await;
        token.expect("a token").expose().to_owned()
    };
    let for_alice = exchange(&alice, &[]).await;
    assert_ne!(for_alice, alice.expose());
    assert_eq!(exchange(&alice, &[]).await, for_alice);
    assert_ne!(exchange(&bob, &[]).await, for_alice);
    assert_ne!(exchange(&alice, &["orders:read"]).await, for_alice);
    let both = exchange(&alice, &["orders:read", "orders:write"]).await;
    assert_eq!(exchange(&alice, &["orders:write", "orders:read"]).await, both, "the order of scopes means nothing");
    assert_eq!(sandbox.provider().counters().token_exchanges, 4);
    hand.advance(Duration::from_secs(270));
    assert_ne!(exchange(&alice, &[]).await, for_alice, "it ends soon");
}

/// Shows: W13
#[actix_web::test]
async fn an_exchanged_token_is_not_kept_beyond_the_end_of_the_token_it_was_made_from() {
    let sandbox = provider().await;
    let (clock, hand) = Clock::manual();
    let client = client(&sandbox, "bff-mobile", clock.clone());
    let alice = token_of(&sandbox, "alice");
    let ends = in_seconds(&clock, 100);
    let exchange = async || {
        let token = client.exchange(&request(), &alice, ends, "trifront-services", &[]).await;
        token.expect("a token").expose().to_owned()
    };
    let first = exchange().await;
    hand.advance(Duration::from_secs(79));
    assert_eq!(exchange().await, first);
    hand.advance(Duration::from_secs(1));
    assert_ne!(exchange().await, first);
    hand.advance(Duration::from_secs(60));
    exchange().await;
    exchange().await;
    assert_eq!(sandbox.provider().counters().token_exchanges, 4, "past its end nothing is kept");
}

/// Shows: W13
#[actix_web::test]
async fn an_audience_that_may_not_be_asked_for_is_refused() {
    let sandbox = provider().await;
    let client = client(&sandbox, "bff-mobile", Clock::system());
    let ends = in_seconds(&Clock::system(), 300);
    let error = client.exchange(&request(), &token_of(&sandbox, "alice"), ends, "elsewhere", &[]).await;
    assert_eq!(error.expect_err("another audience").code().map(ErrorCode::name), Some("invalid_target"));
}
