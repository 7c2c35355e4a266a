//! The list of products.

use sandbox::chaos::{Fault, Rule};
use serde_json::json;

use crate::harness::{Stage, assert_body};

#[actix_web::test]
async fn products_come_a_page_at_a_time() {
    let stage = Stage::new().await;
    let page = stage.get("/v1/products?size=2&page=1").await;
    assert_eq!(page.status, 200);
    assert_body!("products", page);
}

#[actix_web::test]
async fn products_are_searched_filtered_and_ordered_by_the_catalog() {
    let stage = Stage::new().await;
    let page = stage.get("/v1/products?search=oak&category=kitchen&sort=price,desc&size=2").await;
    assert_eq!(page.status, 200);
    let queries: Vec<String> = stage.sandbox.chaos().calls("catalog").into_iter().map(|call| call.query).collect();
    assert_eq!(queries, ["offset=0&limit=2&order_by=price%3Adesc&q=oak&category=kitchen"]);
}

/// Shows: S1
#[actix_web::test]
async fn a_page_beyond_the_end_is_empty_and_a_size_beyond_the_limit_is_capped() {
    let stage = Stage::new().await;
    let beyond = stage.get("/v1/products?page=4294967295&size=100000").await;
    assert_eq!(beyond.status, 200);
    assert_eq!(
        beyond.json(),
        json!({
            "content": [], "page": 4_294_967_295_u32, "size": 100, "totalElements": 10_000, "totalPages": 100,
            "first": false, "last": true,
        })
    );
}

/// Shows: S1
#[actix_web::test]
async fn every_wrong_parameter_is_named_and_the_catalog_is_not_asked() {
    let stage = Stage::new().await;
    let refused = stage.get("/v1/products?page=4294967296&sort=stock,asc&category=../users&colour=red").await;
    assert_eq!(refused.status, 400);
    assert_body!("products_refused", refused);
    assert!(stage.sandbox.chaos().calls("catalog").is_empty());
}

#[actix_web::test]
async fn products_fail_truthfully_without_the_catalog() {
    let stage = Stage::new().await;
    stage.disturb("catalog", Rule::status(500));
    let failed = stage.get("/v1/products").await;
    assert_eq!(failed.status, 502);
    assert_body!("products_without_the_catalog", failed);
}

#[actix_web::test]
async fn products_fail_truthfully_when_the_catalog_is_slow() {
    let stage = Stage::with(&[
        ("BFF_PARTNER__DOWNSTREAMS__CATALOG__TIMEOUT_MS", "100"),
        ("BFF_PARTNER__DOWNSTREAMS__CATALOG__RETRY__MAX_ATTEMPTS", "1"),
    ])
    .await;
    stage.disturb("catalog", Rule::fault(Fault::Hang));
    let failed = stage.get("/v1/products").await;
    assert_eq!(failed.status, 504);
    assert_body!("products_when_the_catalog_is_slow", failed);
}
