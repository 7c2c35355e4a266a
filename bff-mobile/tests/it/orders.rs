//! Orders: the list, and placing one over a bad network.

use actix_web::http::Method;
use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};
use shared_lib::testing::{Received, receive};

use crate::{cut_network::CutNetwork, harness::Stage};

const ORDERS: &str = "/v1/orders";

async fn place(stage: &Stage, key: &str, order: &Value) -> Received {
    let request = stage.request(Method::POST, ORDERS).insert_header(("idempotency-key", key));
    receive(request.send_json(order)).await
}

async fn count(stage: &Stage) -> u64 {
    stage.get("/v1/orders?size=1").await.json()["totalElements"].as_u64().expect("a number")
}

fn kettle(quantity: u32) -> Value {
    json!({"lines": [{"product": "SKU-00001", "quantity": quantity}]})
}

#[actix_web::test]
async fn orders_come_a_page_at_a_time_newest_first() {
    let stage = Stage::new().await;
    let page = stage.get("/v1/orders?size=3").await;
    assert_eq!(page.status, 200);
    let page = page.json();
    let orders = page["content"].as_array().expect("a list");
    assert_eq!((orders.len(), &page["size"], &page["first"]), (3, &json!(3), &json!(true)));
    let times: Vec<_> = orders.iter().map(|order| order["placedAt"].as_str().expect("a time")).collect();
    assert!(times[0] >= times[1] && times[1] >= times[2], "{times:?}");
    let members: Vec<_> = orders[0].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["id", "items", "placedAt", "status", "total"]);
    let bob = stage.get_with("/v1/orders?size=3", &stage.token("bob")).await.json();
    assert_ne!(bob["content"], page["content"], "they are the caller's own");
}

/// Shows: S1, M6
#[actix_web::test]
async fn an_order_list_is_trimmed_and_refuses_what_it_does_not_know() {
    let stage = Stage::new().await;
    let trimmed = stage.get("/v1/orders?size=1&fields=id,status").await.json();
    let members: Vec<_> = trimmed["content"][0].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["id", "status"]);
    for query in ["fields=lines", "sort=status,asc", "search=kettle", "colour=red"] {
        let refused = stage.get(&format!("{ORDERS}?{query}")).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (400, &json!("validation-failed")), "{query}");
    }
}

/// Shows: M8
#[actix_web::test]
async fn an_order_that_is_asked_for_again_with_its_key_is_placed_once() {
    let stage = Stage::new().await;
    let before = count(&stage).await;
    let first = place(&stage, "intent-1", &kettle(2)).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = place(&stage, "\"intent-1\"", &kettle(2)).await;
    assert_eq!((again.status.as_u16(), again.json()), (201, first.json()));
    assert_eq!(count(&stage).await, before + 1);

    let other = place(&stage, "intent-2", &kettle(2)).await;
    assert_ne!(other.json()["id"], first.json()["id"], "another intent is another order");
    let keys: Vec<_> = stage.sandbox.chaos().calls("orders").into_iter().filter(|call| call.method == "POST").collect();
    assert!(keys.iter().all(|call| !call.headers["idempotency-key"].contains("intent")), "the key goes on derived");
}

/// Shows: M8
#[actix_web::test]
async fn an_answer_that_was_lost_on_the_way_can_be_asked_for_again() {
    let stage = Stage::with(&[("BFF_MOBILE__DOWNSTREAMS__ORDERS__RETRY__MAX_ATTEMPTS", "1")]).await;
    let before = count(&stage).await;
    // The order is placed, and its answer breaks off half-way.
    stage.disturb("orders", Rule::fault(Fault::ResetMidBody));
    let lost = place(&stage, "intent", &kettle(1)).await;
    assert_eq!(lost.status, 502, "{}", lost.text());
    stage.sandbox.chaos().clear();
    let found = place(&stage, "intent", &kettle(1)).await;
    assert_eq!(found.status, 201);
    assert_eq!(count(&stage).await, before + 1);
}

/// Shows: M8
#[actix_web::test]
async fn an_answer_that_the_phones_network_lost_can_be_asked_for_again_and_is_the_same() {
    let stage = Stage::new().await;
    let before = count(&stage).await;
    let network = CutNetwork::before(&stage.service.url("")).await;
    let request = stage.service.client().post(format!("{}{ORDERS}", network.url)).bearer_auth(stage.token("alice"));
    let cut = request.insert_header(("idempotency-key", "intent")).send_json(&kettle(2)).await;
    assert!(cut.is_err(), "the connection ended without an answer");
    let lost = network.lost().await;
    assert!(lost.starts_with("HTTP/1.1 201"), "the order was placed: {lost}");

    let found = place(&stage, "intent", &kettle(2)).await;
    assert_eq!(found.status, 201);
    assert!(lost.ends_with(&found.text()), "the answer that was lost: {lost}, the one that came: {}", found.text());
    assert_eq!(count(&stage).await, before + 1, "the order exists once");
}

/// Shows: M8
#[actix_web::test]
async fn two_callers_with_the_same_key_do_not_meet() {
    let stage = Stage::new().await;
    let alice = place(&stage, "intent", &kettle(1)).await.json();
    let request = stage.service.client().post(stage.service.url(ORDERS)).bearer_auth(stage.token("bob"));
    let bob = receive(request.insert_header(("idempotency-key", "intent")).send_json(&kettle(3))).await;
    assert_eq!(bob.status, 201, "{}", bob.text());
    assert_ne!(bob.json()["id"], alice["id"]);
}

/// Shows: M8
#[actix_web::test]
async fn a_key_is_needed_and_stays_with_its_order() {
    let stage = Stage::new().await;
    let missing = receive(stage.request(Method::POST, ORDERS).send_json(&kettle(1))).await;
    assert_eq!((missing.status.as_u16(), &missing.json()["code"]), (400, &json!("idempotency-key-missing")));
    assert!(stage.sandbox.chaos().calls("orders").is_empty());
    assert_eq!(place(&stage, "intent", &kettle(1)).await.status, 201);
    let reused = place(&stage, "intent", &kettle(2)).await;
    assert_eq!((reused.status.as_u16(), &reused.json()["code"]), (422, &json!("idempotency-key-reused")));
}

#[actix_web::test]
async fn an_order_that_cannot_be_is_refused_with_what_is_wrong() {
    let stage = Stage::new().await;
    let none = place(&stage, "a", &json!({"lines": []})).await;
    assert_eq!((none.status.as_u16(), &none.json()["errors"][0]["field"]), (400, &json!("/lines")));
    let zero = place(&stage, "b", &kettle(0)).await;
    assert_eq!(zero.json()["errors"][0]["field"], "/lines/0/quantity");
    let unknown = place(&stage, "c", &json!({"lines": [{"product": "SKU-99999999", "quantity": 1}]})).await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["code"]), (422, &json!("order-refused")));
    let more = place(&stage, "d", &json!({"lines": [], "price": 1})).await;
    assert_eq!((more.status.as_u16(), &more.json()["code"]), (400, &json!("malformed-body")));
}

#[actix_web::test]
async fn orders_fail_truthfully_without_their_service() {
    let stage = Stage::new().await;
    stage.disturb("orders", Rule::status(500));
    for failed in [stage.get(ORDERS).await, place(&stage, "a", &kettle(1)).await] {
        assert_eq!((failed.status.as_u16(), &failed.json()["part"]), (502, &json!("orders")));
    }
}

#[actix_web::test]
async fn orders_do_not_wait_for_a_slow_service() {
    let stage = Stage::with(&[
        ("BFF_MOBILE__DOWNSTREAMS__ORDERS__TIMEOUT_MS", "100"),
        ("BFF_MOBILE__DOWNSTREAMS__ORDERS__RETRY__MAX_ATTEMPTS", "1"),
    ])
    .await;
    stage.disturb("orders", Rule::fault(Fault::Hang));
    let failed = stage.get(ORDERS).await;
    assert_eq!((failed.status.as_u16(), &failed.json()["code"]), (504, &json!("downstream-timeout")));
}
