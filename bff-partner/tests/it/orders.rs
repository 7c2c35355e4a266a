//! A partner's own orders.

use sandbox::chaos::{Fault, Rule};
use serde_json::json;
use shared_lib::testing::receive;

use crate::harness::{ORDER, Stage, assert_body, ids, new_key};

const SLOW: [(&str, &str); 2] = [
    ("BFF_PARTNER__DOWNSTREAMS__ORDERS__TIMEOUT_MS", "100"),
    ("BFF_PARTNER__DOWNSTREAMS__ORDERS__RETRY__MAX_ATTEMPTS", "1"),
];

#[actix_web::test]
async fn orders_come_a_page_at_a_time_newest_first() {
    let stage = Stage::new().await;
    let page = stage.get("/v1/orders?size=2&page=1").await;
    assert_eq!(page.status, 200);
    assert_body!("orders", page);
    let queries: Vec<String> = stage.sandbox.chaos().calls("orders").into_iter().map(|call| call.query).collect();
    assert_eq!(queries, ["page=1&size=2&sort=placedAt%2Cdesc"]);
}

/// Shows: S13
#[actix_web::test]
async fn two_partners_see_their_own_orders_and_nobody_elses() {
    let stage = Stage::new().await;
    let bolt = stage.another_key(new_key("bolt")).await;
    let placed = stage.place_with(&stage.key, "k-1", ORDER).await;
    assert_eq!(placed.status, 201);
    let id = placed.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(placed.header("location"), Some(format!("/v1/orders/{id}").as_str()));
    let (acmes, bolts) =
        (stage.get("/v1/orders?size=100").await, stage.get_with("/v1/orders?size=100", bolt.key.expose()).await);
    let (acmes, bolts) = (ids(&acmes.json()), ids(&bolts.json()));
    assert_eq!(acmes[0], id);
    assert!(!acmes.iter().any(|id| bolts.contains(id)));
}

#[actix_web::test]
async fn a_placed_order_is_shown_whole() {
    let stage = Stage::new().await;
    let placed = stage.place_with(&stage.key, "k-1", ORDER).await;
    assert_eq!(placed.status, 201);
    insta::assert_json_snapshot!("a_placed_order", placed.json(), { ".placedAt" => "[time]" });
}

/// Shows: P6
#[actix_web::test]
async fn without_a_name_of_its_own_an_order_is_not_placed() {
    let stage = Stage::new().await;
    let request = stage.service.client().post(stage.service.url("/v1/orders")).bearer_auth(&stage.key);
    let refused = receive(request.content_type("application/json").send_body(ORDER)).await;
    assert_eq!(refused.status, 400);
    assert_body!("an_order_without_a_key", refused);
    assert!(stage.sandbox.chaos().calls("orders").is_empty());
}

/// Shows: P6
#[actix_web::test]
async fn the_service_gets_a_key_of_ours_that_is_another_for_each_partner() {
    let stage = Stage::new().await;
    let bolt = stage.another_key(new_key("bolt")).await;
    for key in [stage.key.as_str(), bolt.key.expose()] {
        assert_eq!(stage.place_with(key, "k-1", ORDER).await.status, 201);
    }
    let calls = stage.sandbox.chaos().calls("orders");
    let keys: Vec<_> = calls.iter().map(|call| call.headers["idempotency-key"].as_str()).collect();
    assert!(keys.iter().all(|key| key.len() == 64) && keys[0] != keys[1], "{keys:?}");
}

#[actix_web::test]
async fn every_wrong_member_of_an_order_is_named() {
    let stage = Stage::new().await;
    let body = r#"{"lines":[{"productId":"","quantity":0},{"productId":"SKU-00001","quantity":1000}]}"#;
    let refused = stage.place_with(&stage.key, "k", body).await;
    assert_eq!(refused.status, 400);
    assert_body!("an_order_refused", refused);
    for (body, status, code) in [
        (r#"{"lines":[]}"#, 400, "validation-failed"),
        (r#"{"lines":[],"discount":100}"#, 400, "malformed-body"),
        ("{", 400, "malformed-body"),
        (r#"{"lines":[{"productId":"SKU-99999","quantity":1}]}"#, 422, "order-not-accepted"),
    ] {
        let refused = stage.place_with(&stage.key, body, body).await;
        let body = refused.json();
        assert_eq!((refused.status.as_u16(), &body["code"]), (status, &json!(code)), "{body}");
    }
    let form = stage.service.client().post(stage.service.url("/v1/orders")).bearer_auth(&stage.key);
    let form = receive(form.insert_header(("idempotency-key", "f")).send_form(&[("lines", "")])).await;
    assert_eq!(form.status, 415);
}

#[actix_web::test]
async fn orders_are_sorted_by_what_is_offered_and_not_searched() {
    let stage = Stage::new().await;
    let refused = stage.get("/v1/orders?sort=orderId,asc&search=kettle").await;
    assert_eq!(refused.status, 400);
    assert_body!("orders_refused", refused);
    assert!(stage.sandbox.chaos().calls("orders").is_empty());
}

#[actix_web::test]
async fn orders_fail_truthfully_without_their_service() {
    let stage = Stage::new().await;
    stage.disturb("orders", Rule::status(500));
    let failed = stage.get("/v1/orders").await;
    assert_eq!(failed.status, 502);
    assert_body!("orders_without_their_service", failed);
    assert_eq!(stage.place_with(&stage.key, "k", ORDER).await.status, 502);
}

#[actix_web::test]
async fn orders_fail_truthfully_when_their_service_is_slow() {
    let stage = Stage::with(&SLOW).await;
    stage.disturb("orders", Rule::fault(Fault::Hang));
    let failed = stage.get("/v1/orders").await;
    assert_eq!(failed.status, 504);
    assert_body!("orders_when_their_service_is_slow", failed);
    assert_eq!(stage.place_with(&stage.key, "k", ORDER).await.status, 504);
}
