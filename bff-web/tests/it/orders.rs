//! The user's orders: the list in its cases, and placing one once.

use actix_web::http::{Method, header::HeaderName};
use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};
use shared_lib::testing::Received;

use crate::harness::{Browser, World, shown};

const PATH: &str = "/api/v2/orders";
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

async fn place(browser: &mut Browser, key: &str, order: &Value) -> Received {
    browser.fetch_json(Method::POST, PATH, &[(KEY, key)], order).await
}

fn lamp(quantity: u32) -> Value {
    json!({ "lines": [{ "productId": "SKU-00001", "quantity": quantity }] })
}

fn field(page: &Value, name: &str) -> Vec<String> {
    let orders = page["content"].as_array().expect("a page").iter();
    orders.map(|order| order[name].as_str().expect("a text").to_owned()).collect()
}

#[actix_web::test]
async fn the_user_gets_a_page_of_their_orders() {
    let world = World::start().await;
    let answer = world.signed_in("alice").await.get("/api/v2/orders?size=2&page=1").await;
    insta::assert_json_snapshot!(shown(&answer));
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    assert_eq!(
        answer.header("link"),
        Some(concat!(
            "</api/v2/orders?size=2&page=0>; rel=\"first\", </api/v2/orders?size=2&page=0>; rel=\"prev\", ",
            "</api/v2/orders?size=2&page=2>; rel=\"next\", </api/v2/orders?size=2&page=153>; rel=\"last\""
        ))
    );
}

#[actix_web::test]
async fn without_the_orders_there_is_a_problem_that_names_them() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    world.disturb("orders", Rule::status(503).header("retry-after", "3"));
    let answer = alice.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
    assert_eq!(answer.header("retry-after"), Some("3"));
}

#[actix_web::test]
async fn orders_that_are_not_as_agreed_are_a_fault_of_the_service() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    world.disturb("orders", Rule::fault(Fault::MalformedJson));
    let answer = alice.get(PATH).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (502, &json!("downstream-invalid-response")));
}

#[actix_web::test]
async fn slow_orders_are_a_timeout() {
    let quick = [
        ("BFF_WEB__DOWNSTREAMS__ORDERS__TIMEOUT_MS", "300"),
        ("BFF_WEB__DOWNSTREAMS__ORDERS__RETRY__MAX_ATTEMPTS", "1"),
    ];
    let world = World::start_with(&quick).await;
    let mut alice = world.signed_in("alice").await;
    world.disturb("orders", Rule::fault(Fault::HangAfterHeaders));
    let answer = alice.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
    let placed = place(&mut alice, "k-slow", &lamp(1)).await;
    assert_eq!((placed.status.as_u16(), &placed.json()["part"]), (504, &json!("orders")));
}

/// Shows: S1
#[actix_web::test]
async fn the_list_is_sorted_by_what_is_allowed_and_by_nothing_else() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let oldest = field(&alice.get("/api/v2/orders?sort=placedAt,asc&size=100").await.json(), "placedAt");
    assert!(oldest.is_sorted() && oldest.len() == 100);
    let newest = field(&alice.get("/api/v2/orders?size=100").await.json(), "placedAt");
    assert!(newest.is_sorted_by(|a, b| a >= b));
    let asked = world.sandbox.chaos().calls("orders").len();
    for query in ["sort=status,asc", "sort=placedAt;drop", "search=lamp", "size=0", "page=-1", "owner=bob"] {
        let answer = alice.get(&format!("{PATH}?{query}")).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (400, &json!("validation-failed")), "{query}");
    }
    assert_eq!(world.sandbox.chaos().calls("orders").len(), asked);
}

/// Shows: M8
#[actix_web::test]
async fn an_order_is_placed_once_however_often_it_is_asked_for() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let before = alice.get(PATH).await.json()["totalElements"].as_u64().expect("a number");
    let first = place(&mut alice, "k-1", &lamp(2)).await;
    insta::assert_json_snapshot!(shown(&first), { ".body.placedAt" => "[time]" });
    assert_eq!(first.header("cache-control"), Some("no-store"));
    for form in ["k-1", "\"k-1\""] {
        let again = place(&mut alice, form, &lamp(2)).await;
        assert_eq!((again.status.as_u16(), again.json()), (201, first.json()), "{form}");
    }
    // The answer of this one is lost; the repetition is made by the service itself, with the same key.
    world.disturb("orders", Rule::fault(Fault::ResetMidBody).times(1));
    assert_eq!(place(&mut alice, "k-2", &lamp(1)).await.status, 201);
    let after = alice.get(PATH).await.json()["totalElements"].as_u64().expect("a number");
    assert_eq!(after - before, 2);
    let other = place(&mut alice, "k-1", &lamp(3)).await;
    assert_eq!((other.status.as_u16(), &other.json()["code"]), (422, &json!("idempotency-key-reused")));
}

#[actix_web::test]
async fn an_order_without_a_key_is_refused() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let answer = alice.fetch_json(Method::POST, PATH, &[], &lamp(1)).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
    let long = "k".repeat(256);
    for key in ["", "\"\"", "\"half", long.as_str()] {
        let answer = place(&mut alice, key, &lamp(1)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (400, &json!("idempotency-key-invalid")), "{key}");
    }
    assert_eq!(world.sandbox.chaos().calls("orders"), []);
}

#[actix_web::test]
async fn every_wrong_field_of_an_order_is_listed_by_its_pointer() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let order = json!({
        "lines": [
            { "productId": "SKU-00001", "quantity": 1 },
            { "productId": "../users", "quantity": 0 },
            { "quantity": 1.5, "price": 0 },
            "SKU-00001",
        ],
        "a/b": true,
    });
    let answer = place(&mut alice, "k", &order).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
    for order in [json!([]), json!({}), json!({ "lines": [] }), json!({ "lines": vec![lamp(1); 51] })] {
        assert_eq!(place(&mut alice, "k", &order).await.json()["code"], "validation-failed", "{order}");
    }
    assert_eq!(world.sandbox.chaos().calls("orders"), []);
}

#[actix_web::test]
async fn what_the_service_refuses_is_told_in_the_clients_words() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let unknown = json!({ "lines": [{ "productId": "SKU-99999", "quantity": 1 }] });
    let answer = place(&mut alice, "k", &unknown).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
    world.disturb("orders", Rule::status(500));
    let answer = place(&mut alice, "k", &lamp(1)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["part"]), (502, &json!("orders")));
}

/// Shows: W7
#[actix_web::test]
async fn nothing_is_ordered_by_a_page_of_another_origin() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    for (path, method) in
        [(PATH, Method::POST), ("/api/v2/cart", Method::PUT), ("/api/v2/notifications/x/read", Method::POST)]
    {
        let answer = alice.fetch_with(method, path, &[(KEY, "k".to_owned())]).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (403, &json!("csrf-failed")), "{path}");
        let nobody = world.browser().fetch_json(Method::POST, path, &[(KEY, "k")], &lamp(1)).await;
        assert!(matches!(nobody.status.as_u16(), 401 | 405 | 404), "{path}: {}", nobody.status);
    }
    assert_eq!(world.sandbox.chaos().calls("orders"), []);
    assert_eq!(world.sandbox.chaos().calls("cart"), []);
}

/// Shows: S6
#[actix_web::test]
async fn an_order_makes_what_was_kept_of_the_user_void_and_of_nobody_else() {
    let long = [
        ("BFF_WEB__DOWNSTREAMS__ORDERS__CACHE__FRESH_MS", "600000"),
        ("BFF_WEB__DOWNSTREAMS__ACCOUNTS__CACHE__FRESH_MS", "600000"),
    ];
    let world = World::start_with(&long).await;
    let (mut alice, mut bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let state =
        |page: &Value| (page["receipt"]["recentOrders"]["state"].clone(), page["receipt"]["balance"]["state"].clone());
    for browser in [&mut alice, &mut bob] {
        browser.get("/api/v2/dashboard").await;
        let kept = browser.get("/api/v2/dashboard").await.json();
        assert_eq!(state(&kept), (json!("cached"), json!("cached")));
    }
    let order = place(&mut alice, "k", &lamp(1)).await.json();
    let page = alice.get("/api/v2/dashboard").await.json();
    assert_eq!(state(&page), (json!("live"), json!("live")));
    assert_eq!(page["recentOrders"][0]["id"], order["id"], "what was just ordered is seen at once");
    assert_eq!(state(&bob.get("/api/v2/dashboard").await.json()), (json!("cached"), json!("cached")));
}
