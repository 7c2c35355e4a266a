//! As whom the services are asked: as ourselves, in the name of the key's partner.

use awc::http::Method;
use bff_partner::keys::{KeyEnvironment, NewKey};
use sandbox::chaos::Rule;
use shared_lib::testing::receive;

use crate::harness::{ORDER, Stage, ids, new_key};

/// Shows: S13
#[actix_web::test]
async fn the_orders_service_is_asked_with_our_own_token_and_the_partners_name() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        assert_eq!(stage.get("/v1/orders").await.status, 200);
    }
    let calls = stage.sandbox.chaos().calls("orders");
    assert_eq!(calls.len(), 3);
    for call in calls {
        assert_eq!(call.client_id.as_deref(), Some("bff-partner"));
        assert_eq!(call.headers.get("x-partner-id").map(String::as_str), Some("acme_test"));
    }
    assert_eq!(stage.sandbox.provider().counters().client_credentials, 1, "a token serves until it expires");
}

/// Shows: S13
#[actix_web::test]
async fn live_and_test_keys_of_a_partner_are_two_partners_to_the_services() {
    let stage = Stage::new().await;
    let live = stage.another_key(NewKey { environment: KeyEnvironment::Live, ..new_key("acme") }).await;
    assert_eq!(stage.get_with("/v1/orders", live.key.expose()).await.status, 200);
    let calls = stage.sandbox.chaos().calls("orders");
    assert_eq!(calls[0].headers.get("x-partner-id").map(String::as_str), Some("acme"));
}

/// Shows: S13
#[actix_web::test]
async fn what_a_caller_claims_to_be_does_not_pass() {
    let stage = Stage::new().await;
    let id = ids(&stage.get("/v1/orders?size=1").await.json())[0].clone();
    stage.sandbox.chaos().clear_calls();
    let bulk = r#"{"orders":[{"idempotencyKey":"b","lines":[{"productId":"SKU-00001","quantity":1}]}]}"#;
    let cancel = format!("/v1/orders/{id}/cancel");
    for (method, path, body) in [
        (Method::GET, "/v1/products?size=1", ""),
        (Method::GET, "/v1/products?size=1&cursor=", ""),
        (Method::GET, "/v1/orders", ""),
        (Method::GET, "/v1/orders?cursor=", ""),
        (Method::GET, &format!("/v1/orders/{id}"), ""),
        (Method::POST, "/v1/orders", ORDER),
        (Method::POST, "/v1/orders/bulk", bulk),
        (Method::POST, &cancel, ""),
    ] {
        let request = stage.service.client().request(method, stage.service.url(path));
        let request = request
            .insert_header(("x-api-key", stage.key.as_str()))
            .insert_header(("idempotency-key", "k"))
            .insert_header(("content-type", "application/json"))
            .append_header(("x-partner-id", "bolt"))
            .append_header(("x-partner-id", "bolt_test"))
            .insert_header(("x_partner_id", "bolt"))
            .insert_header(("x-partner_id", "bolt"))
            .insert_header(("x-user-id", "usr_bob"))
            .insert_header(("cookie", "session=stolen"))
            .insert_header(("forwarded", "for=10.0.0.1"))
            .insert_header(("x-forwarded-for", "10.0.0.1"))
            .insert_header(("x-forwarded-user", "usr_bob"))
            .camel_case();
        let answer = receive(request.send_body(body)).await;
        assert!(matches!(answer.status.as_u16(), 200 | 201 | 409), "{path}: {}", answer.text());
    }
    let orders = stage.sandbox.chaos().calls("orders");
    assert_eq!(orders.len(), 6);
    for call in &orders {
        assert_eq!(call.headers.get("x-partner-id").map(String::as_str), Some("acme_test"), "{}", call.path);
        assert_eq!(call.client_id.as_deref(), Some("bff-partner"), "{}", call.path);
    }
    let catalog = stage.sandbox.chaos().calls("catalog");
    assert_eq!(catalog.len(), 2);
    for call in &catalog {
        assert!(!call.headers.contains_key("x-partner-id"), "whose call it is concerns nobody there");
    }
    for call in orders.iter().chain(&catalog) {
        for name in [
            "x_partner_id",
            "x-partner_id",
            "x-user-id",
            "cookie",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-user",
            "x-api-key",
        ] {
            assert!(!call.headers.contains_key(name), "{name} passed to {}", call.path);
        }
    }
}

#[actix_web::test]
async fn public_data_needs_no_token() {
    let stage = Stage::new().await;
    assert_eq!(stage.get("/v1/products?size=1").await.status, 200);
    assert_eq!(stage.sandbox.provider().counters().client_credentials, 0);
    assert_eq!(stage.sandbox.chaos().calls("catalog")[0].headers.get("authorization"), None);
}

#[actix_web::test]
async fn a_token_that_a_service_refuses_is_not_used_again() {
    let stage = Stage::new().await;
    stage.disturb("orders", Rule::status(401));
    let failed = stage.get("/v1/orders").await;
    assert_eq!(failed.status, 502, "it is between us and the service");
    assert_eq!(failed.header("www-authenticate"), None);
    stage.sandbox.chaos().clear();
    assert_eq!(stage.get("/v1/orders").await.status, 200);
    assert_eq!(stage.sandbox.provider().counters().client_credentials, 2);
}

#[actix_web::test]
async fn a_provider_that_is_away_is_not_the_partners_fault() {
    let stage = Stage::new().await;
    stage.disturb("provider", Rule::status(500).on("/token"));
    let failed = stage.get("/v1/orders").await;
    assert_eq!((failed.status.as_u16(), failed.json()["part"].as_str()), (502, Some("provider")));
    assert_eq!(stage.get("/v1/products?size=1").await.status, 200, "what needs no token goes on");
}
