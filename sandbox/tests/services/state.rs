//! Carts and devices: what one owner leaves there.

use actix_web::http::{Method, StatusCode};
use serde_json::json;

use crate::harness::Harness;

#[actix_web::test]
async fn a_cart_is_replaced_only_by_who_has_seen_its_last_version() {
    let harness = Harness::with(&["cart"]).await;
    let token = harness.alice();
    let empty = harness.get("cart", "", Some(&token)).await;
    assert_eq!((empty.json(), empty.header("etag")), (json!({ "items": [], "version": 0 }), "\"0\""));
    let items = json!({ "items": [{ "sku": "SKU-00007", "qty": 3 }] });
    let put = async |headers: &[(&str, &str)]| {
        harness.call(Method::PUT, "cart", "", Some(&token), headers, Some(&items)).await
    };
    assert_eq!(put(&[]).await.status, StatusCode::PRECONDITION_REQUIRED);
    let stored = put(&[("if-match", "\"0\"")]).await;
    let expected = json!({ "items": [{ "sku": "SKU-00007", "qty": 3 }], "version": 1 });
    assert_eq!((stored.json(), stored.header("etag")), (expected.clone(), "\"1\""));
    assert_eq!(put(&[("if-match", "\"0\"")]).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(harness.get("cart", "", Some(&token)).await.json(), expected);
    assert_eq!(harness.get("cart", "", Some(&harness.user("bob"))).await.json()["version"], 0);
}

#[actix_web::test]
async fn a_cart_holds_only_products_that_exist() {
    let harness = Harness::with(&["cart"]).await;
    let token = harness.alice();
    for items in [json!([{ "sku": "nothing", "qty": 1 }]), json!([{ "sku": "SKU-00001", "qty": 0 }])] {
        let body = json!({ "items": items });
        let answer = harness.call(Method::PUT, "cart", "", Some(&token), &[("if-match", "\"0\"")], Some(&body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{items}");
    }
}

#[actix_web::test]
async fn a_device_is_registered_listed_and_removed_and_its_push_token_stays_inside() {
    let harness = Harness::with(&["devices"]).await;
    let token = harness.alice();
    let body = json!({ "platform": "ios", "push_token": "abc", "app_version": "1.2.3" });
    let put = async || harness.call(Method::PUT, "devices", "/phone", Some(&token), &[], Some(&body)).await;
    assert_eq!(put().await.status, StatusCode::CREATED);
    assert_eq!(put().await.status, StatusCode::OK);
    let mut list = harness.get("devices", "", Some(&token)).await.json();
    list["devices"][0]["registered_at"].take();
    let device = json!({ "id": "phone", "platform": "ios", "app_version": "1.2.3", "registered_at": null });
    assert_eq!(list, json!({ "devices": [device] }));
    let bobs = harness.get("devices", "", Some(&harness.user("bob"))).await.json();
    assert_eq!(bobs, json!({ "devices": [] }));
    let delete = async || harness.call(Method::DELETE, "devices", "/phone", Some(&token), &[], None).await.status;
    assert_eq!(delete().await, StatusCode::NO_CONTENT);
    assert_eq!(delete().await, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn a_registration_that_is_none_is_refused() {
    let harness = Harness::with(&["devices"]).await;
    let token = harness.alice();
    for (body, status) in [
        (json!({ "platform": "pager", "push_token": "abc", "app_version": "1" }), StatusCode::BAD_REQUEST),
        (json!({ "platform": "web", "push_token": "", "app_version": "1" }), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = harness.call(Method::PUT, "devices", "/phone", Some(&token), &[], Some(&body)).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/problem+json"), "{body}");
    }
}
