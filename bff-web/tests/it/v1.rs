//! Version 1: the same screens in the old words, at the cost of the new ones, and on their way out.

use actix_web::http::header::HeaderName;
use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};
use shared_lib::{
    clock::Clock,
    testing::{Received, receive},
};

use crate::harness::{World, shown};

const SERVICES: [&str; 7] = ["users", "orders", "accounts", "notifications", "catalog", "categories", "promotions"];

/// The whole page would fill the snapshot; what categories look like is seen in the first.
fn shortened(mut shown: Value) -> Value {
    if let Some(categories) = shown["body"]["categories"].as_array_mut() {
        categories.truncate(1);
    }
    if let Some(offers) = shown["body"]["offers"].as_array_mut() {
        offers.truncate(1);
    }
    shown
}

#[actix_web::test]
async fn the_dashboard_is_told_in_the_old_words() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let answer = alice.get("/api/v1/dashboard").await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.receipt.*.asOf" => "[time]" });
    let v2 = alice.get("/api/v2/dashboard").await.json();
    assert_eq!(
        v2["balance"]["amount"].as_str().map(str::parse),
        Some(Ok(answer.json()["balance"].as_f64().expect("a number")))
    );
}

#[actix_web::test]
async fn the_products_page_is_told_in_the_old_words() {
    let world = World::start().await;
    let answer = world.service.get("/api/v1/products-page?size=1").await;
    insta::assert_json_snapshot!(shortened(shown(&answer)), { ".body.receipt.*.asOf" => "[time]" });
}

#[actix_web::test]
async fn the_products_are_told_in_the_old_words() {
    let world = World::start().await;
    let answer = world.service.get("/api/v1/products?size=1").await;
    insta::assert_json_snapshot!(shown(&answer));
    let links = answer.header_values("link").join(", ");
    assert!(
        links.contains("</api/v1/products?size=1&page=1>; rel=\"next\"") && links.contains("rel=\"successor-version\""),
        "{links}"
    );
}

/// Compares with the snapshot of this name, without what differs each time.
fn keep(name: &str, answer: &Received) {
    let mut shown = shortened(shown(answer));
    let body = &mut shown["body"];
    if body.get("requestId").is_some() {
        body["requestId"] = json!("[id]");
    }
    if let Some(parts) = body["receipt"].as_object_mut() {
        parts.values_mut().filter(|part| part.get("asOf").is_some()).for_each(|part| part["asOf"] = json!("[time]"));
    }
    insta::assert_json_snapshot!(name, shown);
}

/// Happy is above; here are the other three cases of each screen.
#[actix_web::test]
async fn parts_that_fail_or_dawdle_are_missing_or_problems_in_the_old_words_too() {
    let quick = [
        ("BFF_WEB__DOWNSTREAMS__USERS__TIMEOUT_MS", "300"),
        ("BFF_WEB__DOWNSTREAMS__USERS__RETRY__MAX_ATTEMPTS", "1"),
        ("BFF_WEB__DOWNSTREAMS__CATALOG__TIMEOUT_MS", "300"),
        ("BFF_WEB__DOWNSTREAMS__CATALOG__RETRY__MAX_ATTEMPTS", "1"),
        ("BFF_WEB__DOWNSTREAMS__PROMOTIONS__TIMEOUT_MS", "300"),
        ("BFF_WEB__DOWNSTREAMS__PROMOTIONS__RETRY__MAX_ATTEMPTS", "1"),
    ];
    let world = World::start_with(&quick).await;
    let mut alice = world.signed_in("alice").await;
    world.disturb("accounts", Rule::status(500));
    keep("dashboard_without_accounts", &alice.get("/api/v1/dashboard").await);
    // Nothing is kept of Bob yet that could stand in.
    let mut bob = world.signed_in("bob").await;
    world.disturb("users", Rule::fault(Fault::Hang));
    keep("dashboard_with_slow_users", &bob.get("/api/v1/dashboard").await);
    world.disturb("users", Rule::status(500));
    keep("dashboard_without_users", &bob.get("/api/v1/dashboard").await);

    world.disturb("promotions", Rule::fault(Fault::Hang));
    keep("products_page_with_slow_promotions", &world.service.get("/api/v1/products-page?size=1").await);
    for (path, down, slow) in [
        ("/api/v1/products-page?page=7", "products_page_without_the_catalog", "products_page_with_a_slow_catalog"),
        ("/api/v1/products?page=8", "products_without_the_catalog", "products_with_a_slow_catalog"),
    ] {
        world.disturb("catalog", Rule::status(500));
        keep(down, &world.service.get(path).await);
        world.disturb("catalog", Rule::fault(Fault::Hang));
        keep(slow, &world.service.get(path).await);
    }
}

#[actix_web::test]
async fn both_versions_of_a_screen_cost_the_same_calls() {
    for screen in ["dashboard", "products-page?size=3", "products?size=3"] {
        let mut costs = Vec::new();
        for version in ["v1", "v2"] {
            let world = World::start().await;
            let mut alice = world.signed_in("alice").await;
            world.sandbox.chaos().clear_calls();
            assert_eq!(alice.get(&format!("/api/{version}/{screen}")).await.status, 200);
            let calls = SERVICES.iter().flat_map(|service| world.sandbox.chaos().calls(service));
            let mut calls: Vec<_> = calls.map(|call| format!("{} {}?{}", call.method, call.path, call.query)).collect();
            calls.sort_unstable();
            costs.push(calls);
        }
        assert!(!costs[0].is_empty(), "{screen}");
        assert_eq!(costs[0], costs[1], "{screen}");
    }
}

/// Shows: S1
#[actix_web::test]
async fn an_unknown_sort_means_the_default_and_everything_else_is_as_strict() {
    let world = World::start().await;
    let names =
        async |query: &str| world.service.get(&format!("/api/v1/products?{query}")).await.json()["content"].clone();
    assert_eq!(names("sort=price;drop").await, names("sort=name,asc").await);
    assert_eq!(world.service.get("/api/v1/products?size=ten").await.status, 400);
}

/// Shows: P7
#[actix_web::test]
async fn the_old_version_says_its_end_and_the_new_one_nothing() {
    let moving = [("BFF_WEB__API_V1__DOCUMENTATION", "/docs/v2")];
    let world = World::start_with(&moving).await;
    for path in ["/api/v1/products", "/api/v1/products?size=0", "/api/v1/dashboard"] {
        let answer = world.service.get(path).await;
        assert_eq!(answer.header("deprecation"), Some("@1793491200"), "{path}");
        assert_eq!(answer.header("sunset"), Some("Mon, 01 Nov 2027 00:00:00 GMT"), "{path}");
        let links = answer.header_values("link").join(", ");
        assert!(links.contains("</docs/v2>; rel=\"deprecation\", </api/v2>; rel=\"successor-version\""), "{links}");
    }
    let answer = world.service.get("/api/v2/products").await;
    assert_eq!((answer.header("deprecation"), answer.header("sunset")), (None, None));
}

/// Shows: P7
#[actix_web::test]
async fn after_its_last_day_the_old_version_is_gone_if_that_was_configured() {
    let (clock, _) = Clock::manual_at("2027-11-01T00:00:00Z".parse().expect("a time"));
    let world = World::start_at(&[("BFF_WEB__API_V1__GONE_AFTER_SUNSET", "true")], clock).await;
    let answer = world.service.get("/api/v1/dashboard").await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
    assert!(answer.header("sunset").is_some());
    assert_eq!(world.service.get("/api/v2/products").await.status, 200);
    assert_eq!(world.sandbox.chaos().calls("users"), []);
}

/// Shows: P7, S8
#[actix_web::test]
async fn who_still_calls_the_old_version_is_counted_by_the_version_of_the_app() {
    let world = World::start().await;
    let version = HeaderName::from_static("x-app-version");
    for said in ["73.4.1", "73.4.2"] {
        let request = world.service.client().get(world.service.url("/api/v1/products?size=1"));
        receive(request.insert_header((version.clone(), said)).send()).await;
    }
    let metrics = world.service.get_management("/metrics").await.text();
    let line = metrics.lines().find(|line| line.starts_with("trifront_api_version_requests") && line.contains("73.4"));
    let line = line.expect("the calls are counted");
    assert!(line.contains("api_version=\"v1\"") && line.ends_with(" 2"), "{line}");
}
