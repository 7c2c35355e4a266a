//! The page around the list of products: whole, with optional parts down, with the needed part down, and slow.

use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};

use crate::harness::{World, shown};

const PATH: &str = "/api/v2/products-page?size=1";

/// All categories would fill the snapshot; what they look like is seen in the first two.
fn shortened(mut shown: Value) -> Value {
    if let Some(categories) = shown["body"]["categories"].as_array_mut() {
        assert!(categories.len() > 2);
        categories.truncate(2);
    }
    shown
}

#[actix_web::test]
async fn the_page_shows_products_categories_and_promotions_to_anyone() {
    let world = World::start().await;
    let answer = world.service.get(PATH).await;
    insta::assert_json_snapshot!(shortened(shown(&answer)), { ".body.receipt.*.asOf" => "[time]" });
}

#[actix_web::test]
async fn without_categories_and_promotions_the_page_says_why_they_are_missing() {
    let world = World::start().await;
    world.disturb("categories", Rule::fault(Fault::WrongContentType));
    world.disturb("promotions", Rule::status(500));
    let answer = world.service.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.receipt.*.asOf" => "[time]" });
}

#[actix_web::test]
async fn without_products_there_is_a_problem_that_names_them() {
    let world = World::start().await;
    world.disturb("catalog", Rule::status(503).header("retry-after", "7"));
    let answer = world.service.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
    assert_eq!(answer.header("retry-after"), Some("7"));
}

#[actix_web::test]
async fn slow_promotions_are_left_out() {
    let quick = [
        ("BFF_WEB__DOWNSTREAMS__PROMOTIONS__TIMEOUT_MS", "300"),
        ("BFF_WEB__DOWNSTREAMS__PROMOTIONS__RETRY__MAX_ATTEMPTS", "1"),
    ];
    let world = World::start_with(&quick).await;
    world.disturb("promotions", Rule::fault(Fault::HangAfterHeaders));
    let answer = world.service.get(PATH).await;
    insta::assert_json_snapshot!(shortened(shown(&answer)), { ".body.receipt.*.asOf" => "[time]" });
}

/// Shows: S1
#[actix_web::test]
async fn the_page_takes_the_parameters_of_the_list_and_refuses_others() {
    let world = World::start().await;
    let page = world.service.get("/api/v2/products-page?size=3&page=2&sort=price,desc").await.json();
    let list = world.service.get("/api/v2/products?size=3&page=2&sort=price,desc").await.json();
    assert_eq!(page["products"], list);
    let refused = world.service.get("/api/v2/products-page?sort=price;drop").await;
    assert_eq!((refused.status.as_u16(), &refused.json()["errors"][0]["field"]), (400, &json!("sort")));
}
