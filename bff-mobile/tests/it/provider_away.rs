//! The provider being away: at the start, and later.

use std::time::Duration;

use sandbox::chaos::{Fault, Rule};
use serde_json::json;
use shared_lib::{clock::Clock, testing::eventually};

use crate::harness::{Stage, disturb, sandbox};

/// Longer than keys cool down and breakers stay open, shorter than tokens live.
const LATER: Duration = Duration::from_secs(60);

/// Shows: S14
#[actix_web::test]
async fn a_provider_that_is_away_does_not_stop_the_start_and_is_found_when_it_is_back() {
    let sandbox = sandbox().await;
    disturb(&sandbox, "provider", Rule::fault(Fault::Reset));
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(sandbox, &[], clock).await;
    assert_eq!(stage.service.get_management("/readyz").await.status, 200);

    let token = stage.token("alice");
    let refused = stage.get_with("/v1/home", &token).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (503, &json!("token-check-unavailable")));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.header("www-authenticate"), None, "the app must keep its token");

    let info = stage.service.get_management("/info").await.json();
    assert_eq!(info["signingKeys"], json!({"keys": 0, "ageSeconds": null, "lastFetchFailed": true}));

    stage.sandbox.chaos().clear();
    hand.advance(LATER);
    let back = || async { stage.get_with("/v1/home", &token).await.status == 200 };
    assert!(eventually(Duration::from_secs(10), back).await, "the provider is found again");
}

/// Shows: M2
#[actix_web::test]
async fn known_keys_and_exchanged_tokens_serve_on_while_the_provider_is_away() {
    let stage = Stage::new().await;
    let token = stage.token("alice");
    assert_eq!(stage.get_with("/v1/home", &token).await.status, 200);
    stage.disturb("provider", Rule::fault(Fault::Reset));
    assert_eq!(stage.get_with("/v1/home", &token).await.status, 200);
    assert_eq!(stage.get("/v1/products?size=1").await.status, 200, "a token that was never seen before");
}
