//! A real PostgreSQL that is stopped, that hangs, and that comes back.

use std::time::Duration;

use shared_lib::{
    clock::{Clock, ManualClock},
    testing::{PostgresServer, TestService, eventually, receive},
};

use crate::{
    harness::{ORDER, Stage, new_key, place},
    keys_store::serves_on_and_then_no_more,
};

const PRODUCTS: &str = "/v1/products?size=1";
const PATIENCE: Duration = Duration::from_secs(30);

async fn stage(server: &PostgresServer) -> (Stage, ManualClock) {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let folder = tempfile::tempdir().expect("a folder");
    (Stage::over(server.database(), folder, &[], clock).await, hand)
}

async fn comes_back(service: &TestService, key: &str, hand: Option<&ManualClock>) -> bool {
    let is_let_in = || async {
        // A store that failed is left alone for a second.
        if let Some(hand) = hand {
            hand.advance(Duration::from_secs(1));
        }
        receive(service.client().get(service.url(PRODUCTS)).bearer_auth(key).send()).await.status == 200
    };
    eventually(PATIENCE, is_let_in).await
}

/// Shows: P2
#[actix_web::test]
async fn while_postgresql_is_stopped_known_keys_serve_on_for_a_stated_time_and_then_nobody_is_let_in() {
    let mut server = PostgresServer::start().await;
    let (stage, hand) = stage(&server).await;
    let never_seen = stage.another_key(new_key("bolt")).await;
    assert_eq!(stage.get(PRODUCTS).await.status, 200);

    server.stop();
    let placed = stage.place_with(&stage.key, "k-1", ORDER).await;
    assert_eq!((placed.status.as_u16(), placed.json()["code"].as_str()), (503, Some("idempotency-unavailable")));
    assert!(stage.sandbox.chaos().calls("orders").is_empty(), "nothing is done of which nothing can be written down");
    serves_on_and_then_no_more(&stage, &hand, never_seen.key.expose()).await;

    server.start_again().await;
    assert!(comes_back(&stage.service, &stage.key, Some(&hand)).await, "by itself");
    assert_eq!(stage.get_with(PRODUCTS, never_seen.key.expose()).await.status, 200);
    assert_eq!(stage.place_with(&stage.key, "k-1", ORDER).await.status, 201);
}

/// Shows: P2
#[actix_web::test]
async fn while_postgresql_hangs_known_keys_serve_on_and_others_are_told_to_wait() {
    let server = PostgresServer::start().await;
    let (stage, hand) = stage(&server).await;
    let never_seen = stage.another_key(new_key("bolt")).await;
    assert_eq!(stage.get(PRODUCTS).await.status, 200);

    server.freeze();
    let placed = stage.place_with(&stage.key, "k-1", ORDER).await;
    assert_eq!((placed.status.as_u16(), placed.json()["code"].as_str()), (503, Some("idempotency-unavailable")));
    serves_on_and_then_no_more(&stage, &hand, never_seen.key.expose()).await;

    server.thaw();
    assert!(comes_back(&stage.service, &stage.key, Some(&hand)).await, "by itself");
}

/// Shows: P2, S14
#[actix_web::test]
async fn a_replica_that_starts_without_postgresql_lets_nobody_in_and_comes_to_by_itself() {
    let mut server = PostgresServer::start().await;
    let (stage, _) = stage(&server).await;
    server.stop();
    let replica = stage.another_replica(&[]).await;
    assert_eq!(replica.get_management("/readyz").await.status, 200);
    let refused = receive(replica.client().get(replica.url(PRODUCTS)).bearer_auth(&stage.key).send()).await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (503, Some("key-check-unavailable")));
    assert_eq!(place(&replica, &stage.key, "k-1", ORDER).await.status, 503);

    server.start_again().await;
    assert!(comes_back(&replica, &stage.key, None).await, "by itself");
}
