//! Orders: Spring's pages, effects that happen once, cancellation.

use actix_web::http::{Method, StatusCode};
use sandbox::{
    chaos::{Fault, Rule},
    provider::SERVICES_AUDIENCE,
};
use serde_json::{Value, json};

use crate::harness::{Answer, Harness};

fn two_of_the_first() -> Value {
    json!({ "lines": [{ "sku": "SKU-00001", "quantity": 2 }] })
}

async fn place(harness: &Harness, token: &str, key: &str, order: &Value) -> Answer {
    harness.call(Method::POST, "orders", "", Some(token), &[("idempotency-key", key)], Some(order)).await
}

async fn total(harness: &Harness, token: &str) -> u64 {
    harness.get("orders", "?size=1", Some(token)).await.json()["totalElements"].as_u64().expect("a total")
}

#[actix_web::test]
async fn a_page_has_the_shape_of_spring_data() {
    let harness = Harness::with(&["orders"]).await;
    let answer = harness.get("orders", "?page=1&size=2&sort=placedAt,desc", Some(&harness.alice())).await;
    assert_eq!(answer.status, StatusCode::OK);
    let mut body = answer.json();
    let total = body["totalElements"].take().as_u64().expect("a total");
    assert!((300..500).contains(&total), "{total}");
    assert_eq!(body["totalPages"].take(), total.div_ceil(2));
    let content = body["content"].take();
    let sort = json!({ "empty": false, "sorted": true, "unsorted": false });
    assert_eq!(
        body,
        json!({
            "content": null,
            "pageable": {
                "pageNumber": 1, "pageSize": 2, "offset": 2, "paged": true, "unpaged": false, "sort": sort,
            },
            "totalElements": null,
            "totalPages": null,
            "number": 1,
            "size": 2,
            "first": false,
            "last": false,
            "numberOfElements": 2,
            "empty": false,
            "sort": sort,
        })
    );
    let order = &content[0];
    let mut fields: Vec<_> = order.as_object().expect("an order").keys().cloned().collect();
    fields.sort();
    assert_eq!(fields, ["currency", "lines", "orderId", "placedAt", "status", "total"]);
    assert!(order["placedAt"].as_str() > content[1]["placedAt"].as_str());
}

#[actix_web::test]
async fn a_page_beyond_the_end_is_empty_and_an_unknown_order_is_refused() {
    let harness = Harness::with(&["orders"]).await;
    let token = harness.alice();
    let body = harness.get("orders", "?page=18446744073709551615&size=2000", Some(&token)).await.json();
    assert_eq!((&body["empty"], &body["last"], &body["numberOfElements"]), (&json!(true), &json!(true), &json!(0)));
    let answer = harness.get("orders", "?sort=colour,asc", Some(&token)).await;
    assert_eq!((answer.status, &answer.json()["path"]), (StatusCode::BAD_REQUEST, &json!("/orders")));
}

#[actix_web::test]
async fn totals_are_decimal_strings_that_add_up() {
    let harness = Harness::with(&["orders", "catalog"]).await;
    let product = harness.get("catalog", "/products/SKU-00001", None).await.json();
    let price = product["price"]["amount_minor"].as_u64().expect("an amount");
    let answer = place(&harness, &harness.alice(), "k", &two_of_the_first()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let order = answer.json();
    let decimal = |minor: u64| format!("{}.{:02}", minor / 100, minor % 100);
    let line = json!({ "sku": "SKU-00001", "quantity": 2, "unitPrice": decimal(price) });
    assert_eq!(order["lines"], json!([line]));
    assert_eq!((&order["total"], &order["status"]), (&json!(decimal(2 * price)), &json!("PLACED")));
    assert_eq!(answer.header("location"), format!("/orders/{}", order["orderId"].as_str().expect("an id")));
}

/// Shows: P6
#[actix_web::test]
async fn an_order_that_is_sent_again_under_its_key_is_placed_once() {
    let harness = Harness::with(&["orders"]).await;
    let token = harness.alice();
    let before = total(&harness, &token).await;
    let first = place(&harness, &token, "key-1", &two_of_the_first()).await;
    let again = place(&harness, &token, "\"key-1\"", &two_of_the_first()).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (StatusCode::CREATED, "true"));
    assert_eq!(first.json(), again.json());
    assert_eq!(total(&harness, &token).await, before + 1);
    let other = json!({ "lines": [{ "sku": "SKU-00001", "quantity": 3 }] });
    assert_eq!(place(&harness, &token, "key-1", &other).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let bobs = place(&harness, &harness.user("bob"), "key-1", &other).await;
    assert_eq!((bobs.status, bobs.header("idempotency-replayed")), (StatusCode::CREATED, ""));
}

/// Shows: M8
#[actix_web::test]
async fn an_order_whose_answer_is_lost_can_be_asked_for_again() {
    let harness = Harness::with(&["orders"]).await;
    let token = harness.alice();
    let before = total(&harness, &token).await;
    let rule = Rule::fault(Fault::ResetMidBody).times(1);
    harness.sandbox.chaos().set("orders", vec![rule]).expect("a valid rule");
    let request = harness.client.post(harness.sandbox.url("orders")).bearer_auth(&token);
    let lost = request.insert_header(("idempotency-key", "lost")).send_json(&two_of_the_first()).await;
    lost.expect("the head of an answer").body().await.expect_err("half a body");
    let again = place(&harness, &token, "lost", &two_of_the_first()).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (StatusCode::CREATED, "true"));
    assert_eq!(total(&harness, &token).await, before + 1);
}

#[actix_web::test]
async fn orders_of_what_does_not_exist_are_refused() {
    let harness = Harness::with(&["orders"]).await;
    let token = harness.alice();
    for (order, status) in [
        (json!({ "lines": [] }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "lines": [{ "sku": "nothing", "quantity": 1 }] }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "lines": [{ "sku": "SKU-00001", "quantity": 0 }] }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "rows": [] }), StatusCode::BAD_REQUEST),
    ] {
        let answer = place(&harness, &token, "key", &order).await;
        assert_eq!((answer.status, &answer.json()["status"]), (status, &json!(status.as_u16())), "{order}");
    }
}

#[actix_web::test]
async fn an_order_is_cancelled_until_it_is_on_its_way() {
    let harness = Harness::with(&["orders"]).await;
    let token = harness.alice();
    let id =
        place(&harness, &token, "key", &two_of_the_first()).await.json()["orderId"].as_str().expect("an id").to_owned();
    for _ in 0..2 {
        let answer = harness.call(Method::POST, "orders", &format!("/{id}/cancel"), Some(&token), &[], None).await;
        assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &json!("CANCELLED")));
    }
    let list = harness.get("orders", "?size=500", Some(&token)).await.json();
    let orders = list["content"].as_array().expect("orders");
    let delivered = orders.iter().find(|order| order["status"] == "DELIVERED").expect("a delivered one");
    let path = format!("/{}/cancel", delivered["orderId"].as_str().expect("an id"));
    let answer = harness.call(Method::POST, "orders", &path, Some(&token), &[], None).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let bob = harness.user("bob");
    let answer = harness.call(Method::POST, "orders", &format!("/{id}/cancel"), Some(&bob), &[], None).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn a_window_goes_on_behind_a_place_also_when_orders_come_before_it() {
    let harness = Harness::with(&["orders"]).await;
    let token = harness.alice();
    for member in ["placedAt", "total", "status", "orderId"] {
        for direction in ["asc", "desc"] {
            let sort = format!("sort={member},{direction}");
            let all = harness.get("orders", &format!("?{sort}&size=2000"), Some(&token)).await.json();
            let (mut walked, mut place): (Vec<Value>, String) = (Vec::new(), String::new());
            for round in 0.. {
                let window =
                    harness.get("orders", &format!("/scroll?{sort}&limit=90{place}"), Some(&token)).await.json();
                let content = window["content"].as_array().expect("orders");
                assert_eq!((window["empty"] == true, content.is_empty()), (false, false), "{window}");
                let last = content.last().expect("one");
                let text = |member: &str| last[member].as_str().expect("a text");
                let pairs = [("afterValue", text(member)), ("afterId", text("orderId"))];
                place = format!("&{}", serde_urlencoded::to_string(pairs).expect("pairs"));
                walked.extend(content.iter().cloned());
                if window["last"] == true {
                    break;
                }
                let key = format!("{sort} {round}");
                assert_eq!(place_new(&harness, &token, &key).await.status, StatusCode::CREATED);
            }
            let known: Vec<&str> = all["content"].as_array().expect("orders").iter().map(id).collect();
            let old: Vec<&str> = walked.iter().map(id).filter(|id| known.contains(id)).collect();
            assert_eq!(old, known, "{sort}");
            let refused = harness.get("orders", &format!("/scroll?{sort}&afterValue=x"), Some(&token)).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{sort}");
        }
    }
    let refused = harness.get("orders", "/scroll?sort=total,asc&afterValue=1.5&afterId=x", Some(&token)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

fn id(order: &Value) -> &str {
    order["orderId"].as_str().expect("an id")
}

async fn place_new(harness: &Harness, token: &str, key: &str) -> Answer {
    place(harness, token, key, &two_of_the_first()).await
}

fn large() -> Value {
    json!({ "lines": [{ "sku": "SKU-00001", "quantity": 999 }, { "sku": "SKU-00002", "quantity": 1 }] })
}

/// Shows: W19
#[actix_web::test]
async fn a_large_order_asks_for_a_stronger_and_recent_sign_in_of_a_user() {
    let harness = Harness::with(&["orders"]).await;
    let weak = place(&harness, &harness.alice(), "a", &large()).await;
    assert_eq!(weak.status, StatusCode::UNAUTHORIZED);
    let challenge = weak.header("www-authenticate");
    for part in [r#"error="insufficient_user_authentication""#, r#"acr_values="urn:sandbox:mfa""#, r#"max_age="300""#] {
        assert!(challenge.contains(part), "{challenge}");
    }
    // One piece less is an order as any other; and a partner has no user who could sign in.
    let smaller = json!({ "lines": [{ "sku": "SKU-00001", "quantity": 999 }] });
    assert_eq!(place(&harness, &harness.alice(), "b", &smaller).await.status, StatusCode::CREATED);
    let own = harness.sandbox.provider().client_token_builder("bff-partner", SERVICES_AUDIENCE).expect("a client");
    let partner = own.build().expect("a token");
    let fields = [("idempotency-key", "c"), ("x-partner-id", "acme")];
    let placed = harness.call(Method::POST, "orders", "", Some(&partner), &fields, Some(&large())).await;
    assert_eq!(placed.status, StatusCode::CREATED);
}
