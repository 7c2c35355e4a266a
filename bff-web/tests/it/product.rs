//! The page of one product: whole, with optional parts down, with the needed part down, and slow.

use sandbox::chaos::{Fault, Rule};
use serde_json::json;

use crate::harness::{World, shown};

const PATH: &str = "/api/v2/products/SKU-03857";

#[actix_web::test]
async fn the_page_shows_the_product_its_category_and_its_promotions_to_anyone() {
    let world = World::start().await;
    let answer = world.service.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.receipt.*.asOf" => "[time]" });
}

#[actix_web::test]
async fn without_category_and_promotions_the_page_says_why_they_are_missing() {
    let world = World::start().await;
    world.disturb("categories", Rule::status(500));
    world.disturb("promotions", Rule::fault(Fault::MalformedJson));
    let answer = world.service.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.receipt.*.asOf" => "[time]" });
    assert_eq!(answer.header("cache-control"), Some("no-store"), "nobody keeps half a page");
}

#[actix_web::test]
async fn without_the_catalog_there_is_a_problem_that_names_the_part() {
    let world = World::start().await;
    world.disturb("catalog", Rule::status(500));
    let answer = world.service.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
}

#[actix_web::test]
async fn a_slow_catalog_is_a_timeout() {
    let quick = [
        ("BFF_WEB__DOWNSTREAMS__CATALOG__TIMEOUT_MS", "300"),
        ("BFF_WEB__DOWNSTREAMS__CATALOG__RETRY__MAX_ATTEMPTS", "1"),
    ];
    let world = World::start_with(&quick).await;
    world.disturb("catalog", Rule::fault(Fault::Hang));
    let answer = world.service.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
}

#[actix_web::test]
async fn a_product_that_does_not_exist_is_not_found() {
    let world = World::start().await;
    for path in ["/api/v2/products/SKU-99999", "/api/v2/products/..%2Fusers", "/api/v2/products/%00"] {
        let answer = world.service.get(path).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (404, &json!("not-found")), "{path}");
    }
    let asked: Vec<_> = world.sandbox.chaos().calls("catalog").into_iter().map(|call| call.path).collect();
    assert_eq!(asked.len(), 1, "what cannot be an id is not asked for: {asked:?}");
    assert_eq!(world.service.get(&format!("{PATH}?colour=red")).await.status, 400);
}
