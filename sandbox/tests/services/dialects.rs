//! Each service's own way to say things, asserted as a whole where it is short.

use actix_web::http::{Method, StatusCode};
use serde_json::json;

use crate::harness::Harness;

#[actix_web::test]
async fn users_answer_in_snake_case() {
    let harness = Harness::with(&["users"]).await;
    let answer = harness.get("users", "/me", Some(&harness.alice())).await;
    assert_eq!(answer.status, StatusCode::OK);
    let mut body = answer.json();
    let since = body["member_since"].take();
    assert!(since.as_str().expect("a date").parse::<jiff::civil::Date>().is_ok(), "{since}");
    assert_eq!(
        body,
        json!({
            "id": "usr_alice",
            "given_name": "Alice",
            "family_name": "Anders",
            "email": "alice@example.com",
            "locale": "en-GB",
            "member_since": null,
        })
    );
}

#[actix_web::test]
async fn users_say_what_is_wrong_as_a_problem() {
    let harness = Harness::with(&["users"]).await;
    let answer = harness.get("users", "/nobody", Some(&harness.alice())).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(
        answer.json(),
        json!({ "type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is nothing at this path" })
    );
}

#[actix_web::test]
async fn categories_are_a_bare_array_with_roots_before_their_children() {
    let harness = Harness::with(&["categories"]).await;
    let answer = harness.get("categories", "", None).await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.json();
    let categories = body.as_array().expect("an array");
    assert_eq!(categories.len(), 8 + 8 * 4);
    assert_eq!(categories[0], json!({ "id": "audio", "name": "Audio", "parent_id": null }));
    assert_eq!(categories[1], json!({ "id": "audio-headphones", "name": "Headphones", "parent_id": "audio" }));
}

#[actix_web::test]
async fn promotions_name_products_that_exist() {
    let harness = Harness::with(&["promotions", "catalog"]).await;
    let answer = harness.get("promotions", "/active", None).await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.json();
    assert_eq!(body.as_object().expect("an object").keys().collect::<Vec<_>>(), ["data"]);
    let promotion = &body["data"][0];
    let mut fields: Vec<_> = promotion.as_object().expect("an object").keys().cloned().collect();
    fields.sort();
    assert_eq!(fields, ["discountPercent", "headline", "promotionId", "skus", "validUntil"]);
    for sku in promotion["skus"].as_array().expect("an array") {
        let path = format!("/products/{}", sku.as_str().expect("a string"));
        assert_eq!(harness.get("catalog", &path, None).await.status, StatusCode::OK);
    }
}

#[actix_web::test]
async fn accounts_count_in_minor_units_and_epoch_seconds() {
    let harness = Harness::with(&["accounts"]).await;
    let answer = harness.get("accounts", "/balance", Some(&harness.alice())).await;
    assert_eq!(answer.status, StatusCode::OK);
    let mut body = answer.json();
    assert!(body["available"].take().is_u64());
    assert!(body["pending"].take().is_u64());
    assert!(body["as_of"].take().is_i64());
    assert_eq!(body, json!({ "available": null, "pending": null, "currency": "EUR", "as_of": null }));
}

#[actix_web::test]
async fn every_service_has_an_error_shape_of_its_own() {
    let harness = Harness::with(&["catalog", "orders", "accounts", "promotions", "cart", "support"]).await;
    let token = harness.alice();
    let message = "there is nothing at this path";
    let expected = [
        ("catalog", json!({ "error": { "code": "not_found", "message": message } })),
        ("accounts", json!({ "errorCode": "NOT_FOUND", "errorMessage": message })),
        ("promotions", json!({ "errors": [{ "code": "not_found", "detail": message }] })),
        ("cart", json!({ "error": "not_found", "error_description": message })),
        ("support", json!({ "code": "not_found", "message": message })),
    ];
    for (service, body) in expected {
        let answer = harness.get(service, "/nowhere", Some(&token)).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::NOT_FOUND, body), "{service}");
    }
    let answer = harness.call(Method::DELETE, "orders", "", Some(&token), &[], None).await;
    let mut body = answer.json();
    assert!(body["timestamp"].take().as_str().is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok()));
    assert_eq!(
        body,
        json!({ "timestamp": null, "status": 404, "error": "Not Found", "message": message, "path": "/orders" })
    );
}

#[actix_web::test]
async fn the_same_seed_gives_the_same_data_and_another_seed_gives_other_data() {
    let mut bodies = Vec::new();
    for seed in [7, 7, 8] {
        let builder = sandbox::Sandbox::builder().only(["catalog"]).seed(seed);
        let harness = Harness::of(builder.start().await.expect("a sandbox"));
        bodies.push(harness.get("catalog", "/products/SKU-00001", None).await.json());
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_ne!(bodies[0], bodies[2]);
}
