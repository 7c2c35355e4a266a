//! The list of products, and what may be asked of it.

use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};

use crate::harness::{World, shown};

const PATH: &str = "/api/v2/products";

fn field(page: &Value, name: &str) -> Vec<Value> {
    page["content"].as_array().expect("a page").iter().map(|product| product[name].clone()).collect()
}

/// The decimal amounts of a page as numbers, for comparison only.
fn prices(page: &Value) -> Vec<f64> {
    let amounts = field(page, "price").into_iter().map(|price| price["amount"].clone());
    amounts.map(|amount| amount.as_str().and_then(|text| text.parse().ok()).expect("a decimal")).collect()
}

#[actix_web::test]
async fn anyone_gets_a_page_of_products() {
    let world = World::start().await;
    let answer = world.service.get("/api/v2/products?size=2&page=3").await;
    insta::assert_json_snapshot!(shown(&answer));
    let calls = world.sandbox.chaos().calls("catalog");
    assert!(calls.iter().all(|call| !call.headers.contains_key("authorization")), "nobody's token goes along");
}

#[actix_web::test]
async fn the_page_comes_in_the_order_and_within_the_filters_that_were_asked_for() {
    let world = World::start().await;
    let page = async |query: &str| world.service.get(&format!("{PATH}?size=50&{query}")).await.json();

    let cheapest = page("sort=price,asc&minPrice=20&maxPrice=30.50").await;
    let found = prices(&cheapest);
    assert!(found.is_sorted() && found.iter().all(|price| (20.0..=30.5).contains(price)), "{found:?}");
    assert!(!found.is_empty());
    let dearest = prices(&page("sort=price,desc").await);
    assert!(dearest.is_sorted_by(|a, b| a >= b), "{dearest:?}");

    let names = field(&page("sort=name,desc").await, "name");
    assert!(names.is_sorted_by(|a, b| a.as_str() >= b.as_str()), "{names:?}");
    let newest = field(&page("sort=createdAt,desc").await, "createdAt");
    assert!(newest.is_sorted_by(|a, b| a.as_str() >= b.as_str()), "{newest:?}");

    let category = field(&cheapest, "categoryId")[0].clone();
    let id = category.as_str().expect("an id");
    let same = field(&page(&format!("category={id}")).await, "categoryId");
    assert!(!same.is_empty() && same.iter().all(|found| *found == category));

    let lamps = page("search=lamp").await;
    assert!(lamps["totalElements"].as_u64().is_some_and(|total| (1..10_000).contains(&total)), "{lamps}");
}

/// Shows: S1
#[actix_web::test]
async fn the_catalog_is_never_asked_for_more_than_a_hundred() {
    let world = World::start().await;
    let page = world.service.get("/api/v2/products?size=10000").await.json();
    assert_eq!((&page["size"], page["content"].as_array().map(Vec::len)), (&json!(100), Some(100)));
    let calls = world.sandbox.chaos().calls("catalog");
    assert_eq!(calls.len(), 1);
    assert!(calls[0].query.split('&').any(|parameter| parameter == "limit=100"), "{}", calls[0].query);
}

/// Shows: S1
#[actix_web::test]
async fn what_is_not_allowed_is_refused_and_never_reaches_the_catalog() {
    let world = World::start().await;
    let answer = world.service.get("/api/v2/products?sort=price;drop").await;
    insta::assert_json_snapshot!("an_unknown_sort", shown(&answer), { ".body.requestId" => "[id]" });
    let answer = world.service.get("/api/v2/products?page=99999999999999999999").await;
    insta::assert_json_snapshot!("an_overflow", shown(&answer), { ".body.requestId" => "[id]" });
    for query in [
        "page=-1",
        "size=0",
        "size=ten",
        "sort=rating,desc",
        "sort=createdAt,asc",
        "minPrice=cheap",
        "minPrice=1.234",
        "minPrice=5&maxPrice=4",
        "category=a/../b",
        "category=",
        "colour=red",
        "search=%00",
        "page=1&page=2",
    ] {
        let answer = world.service.get(&format!("{PATH}?{query}")).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (400, &json!("validation-failed")), "{query}");
    }
    assert_eq!(world.sandbox.chaos().calls("catalog"), []);
}

/// Shows: S1
#[actix_web::test]
async fn a_page_beyond_the_end_is_empty() {
    let world = World::start().await;
    let page = world.service.get("/api/v2/products?page=4294967295&size=100").await.json();
    assert_eq!((&page["content"], &page["last"], &page["totalElements"]), (&json!([]), &json!(true), &json!(10_000)));
}

#[actix_web::test]
async fn without_the_catalog_there_is_a_problem_that_names_it() {
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
    world.disturb("catalog", Rule::fault(Fault::SlowDrip));
    let answer = world.service.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
}
