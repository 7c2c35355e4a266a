//! What is kept, by whom and for how long; what is not sent again; and in which coding the rest is sent.

use actix_web::http::{
    Method,
    header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH},
};
use sandbox::chaos::Rule;
use serde_json::{Value, json};
use shared_lib::testing::{Received, receive};

use crate::harness::World;

const PRODUCTS: &str = "/api/v2/products?size=50";

async fn get(world: &World, path: &str, headers: &[(HeaderName, &str)]) -> Received {
    let mut request = world.service.client().get(world.service.url(path)).no_decompress();
    for (name, value) in headers {
        request = request.insert_header((name.clone(), *value));
    }
    receive(request.send()).await
}

fn varies_by(answer: &Received) -> Vec<String> {
    let mut names: Vec<_> = answer
        .header_values("vary")
        .iter()
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    names.sort_unstable();
    names
}

/// Shows: S6
#[actix_web::test]
async fn public_data_is_asked_for_once_and_stands_in_while_its_service_is_away() {
    let brief = [
        ("BFF_WEB__DOWNSTREAMS__CATEGORIES__CACHE__FRESH_MS", "0"),
        ("BFF_WEB__DOWNSTREAMS__CATEGORIES__CACHE__STALE_WHILE_REVALIDATE_MS", "0"),
    ];
    let world = World::start_with(&brief).await;
    let page = async || get(&world, "/api/v2/products-page?size=1", &[]).await;
    let first = page().await;
    assert_eq!(first.header("cache-control"), Some("public, max-age=30, stale-while-revalidate=60"));
    let again = page().await.json();
    assert_eq!(
        (&again["receipt"]["products"]["state"], &again["receipt"]["promotions"]["state"]),
        (&json!("cached"), &json!("cached"))
    );
    assert_eq!(world.sandbox.chaos().calls("catalog").len(), 1);
    world.disturb("categories", Rule::status(503));
    let stale = page().await;
    assert_eq!(
        (&stale.json()["receipt"]["categories"]["state"], &stale.json()["receipt"]["categories"]["reason"]),
        (&json!("stale"), &json!("server-error"))
    );
    assert_eq!(stale.json()["categories"], first.json()["categories"]);
    assert_eq!(stale.header("cache-control"), Some("no-store"), "what is old here is kept nowhere else");
}

/// Shows: W15
#[actix_web::test]
async fn who_may_keep_an_answer_follows_from_whose_it_is() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    for (path, control, vary) in [
        ("/api/v2/dashboard", "private, no-cache", &["accept-encoding", "accept-language", "cookie"][..]),
        ("/api/v2/orders", "private, no-cache", &["accept-encoding", "accept-language", "cookie"]),
        ("/api/v2/cart", "private, no-cache", &["accept-encoding", "accept-language", "cookie"]),
        ("/api/v1/dashboard", "private, no-cache", &["accept-encoding", "accept-language", "cookie"]),
        ("/api/v2/products", "public, max-age=30, stale-while-revalidate=60", &["accept-encoding", "accept-language"]),
        (
            "/api/v2/products/SKU-00001",
            "public, max-age=30, stale-while-revalidate=60",
            &["accept-encoding", "accept-language"],
        ),
        ("/api/auth/session", "no-store", &[]),
        ("/api/v2/products?size=0", "no-store", &[]),
        ("/api/v2/nothing", "no-store", &[]),
    ] {
        let answer = alice.get(path).await;
        assert_eq!(answer.header("cache-control"), Some(control), "{path}");
        assert_eq!(varies_by(&answer), vary, "{path}");
        assert_eq!(answer.header("etag").is_some(), !vary.is_empty(), "{path}");
    }
}

/// Shows: W15, M5
#[actix_web::test]
async fn a_page_that_has_not_changed_is_not_sent_again_whenever_it_was_put_together() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let first = alice.get("/api/v2/dashboard").await;
    let tag = first.header("etag").expect("a tag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let known = [(IF_NONE_MATCH, format!("\"other\", {tag}"))];
    let again = alice.fetch_with(Method::GET, "/api/v2/dashboard", &known).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    for name in ["etag", "cache-control", "vary", "date"] {
        assert!(again.header(name).is_some(), "{name}");
    }
    assert_eq!((again.header("etag"), varies_by(&again)), (Some(tag.as_str()), varies_by(&first)));
    assert_eq!(again.header("content-type"), None);
    // Bob has another page, so Alice's tag says nothing to him.
    let bobs = world.signed_in("bob").await.fetch_with(Method::GET, "/api/v2/dashboard", &known).await;
    assert_eq!((bobs.status.as_u16(), &bobs.json()["user"]["id"]), (200, &json!("usr_bob")));
    // And an order changes hers.
    let key = [(HeaderName::from_static("idempotency-key"), "k")];
    let order = json!({ "lines": [{ "productId": "SKU-00001", "quantity": 1 }] });
    assert_eq!(alice.fetch_json(Method::POST, "/api/v2/orders", &key, &order).await.status, 201);
    assert_eq!(alice.fetch_with(Method::GET, "/api/v2/dashboard", &known).await.status, 200);
}

/// Shows: S6
#[actix_web::test]
async fn what_is_known_and_still_fresh_is_not_sent_again_and_costs_no_call() {
    let fresh = ["USERS", "ORDERS", "ACCOUNTS"].map(|name| format!("BFF_WEB__DOWNSTREAMS__{name}__CACHE__FRESH_MS"));
    let fresh: Vec<_> = fresh.iter().map(|name| (name.as_str(), "60000")).collect();
    let world = World::start_with(&fresh).await;
    let mut alice = world.signed_in("alice").await;
    for (path, services) in [
        ("/api/v2/products-page?size=3", &["catalog", "categories", "promotions"][..]),
        ("/api/v2/products?size=3", &["catalog"]),
        // The number of unread notifications is asked for each time: it changes without a call of ours.
        ("/api/v2/dashboard", &["users", "orders", "accounts"]),
    ] {
        let first = alice.get(path).await;
        let known = [(IF_NONE_MATCH, first.header("etag").expect("a tag").to_owned())];
        world.sandbox.chaos().clear_calls();
        let again = alice.fetch_with(Method::GET, path, &known).await;
        assert_eq!(again.status, 304, "{path}");
        for service in services {
            assert_eq!(world.sandbox.chaos().calls(service), [], "{path} asks {service}");
        }
    }
}

/// Shows: S6
#[actix_web::test]
async fn a_placed_order_has_that_users_parts_asked_for_anew_and_nobody_elses() {
    let fresh = ["USERS", "ORDERS", "ACCOUNTS"].map(|name| format!("BFF_WEB__DOWNSTREAMS__{name}__CACHE__FRESH_MS"));
    let fresh: Vec<_> = fresh.iter().map(|name| (name.as_str(), "60000")).collect();
    let world = World::start_with(&fresh).await;
    let (mut alice, mut bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let state = |page: &Value| page["receipt"]["recentOrders"]["state"].clone();
    for browser in [&mut alice, &mut bob] {
        browser.get("/api/v2/dashboard").await;
        assert_eq!(state(&browser.get("/api/v2/dashboard").await.json()), "cached");
    }
    let key = [(HeaderName::from_static("idempotency-key"), "event")];
    let order = json!({ "lines": [{ "productId": "SKU-00001", "quantity": 1 }] });
    let placed = alice.fetch_json(Method::POST, "/api/v2/orders", &key, &order).await.json();
    let page = alice.get("/api/v2/dashboard").await.json();
    assert_eq!((state(&page), &page["recentOrders"][0]["id"]), (json!("live"), &placed["id"]));
    assert_eq!(page["receipt"]["balance"]["state"], "live");
    assert_eq!(state(&bob.get("/api/v2/dashboard").await.json()), "cached");
}

/// Shows: M5
#[actix_web::test]
async fn each_coding_is_sent_to_who_asks_for_it_and_has_a_tag_of_its_own() {
    let world = World::start().await;
    let plain = get(&world, PRODUCTS, &[]).await;
    assert_eq!(plain.header("content-encoding"), None);
    let mut tags = vec![plain.header("etag").expect("a tag").to_owned()];
    for coding in ["br", "zstd", "gzip"] {
        let coded = get(&world, PRODUCTS, &[(ACCEPT_ENCODING, coding)]).await;
        assert_eq!(coded.header("content-encoding"), Some(coding));
        assert!(coded.body.len() * 3 < plain.body.len(), "{coding}: {} of {}", coded.body.len(), plain.body.len());
        assert_eq!(coded.header_values("vary"), ["Accept-Language", "Accept-Encoding"]);
        let tag = coded.header("etag").expect("a tag").to_owned();
        let known = get(&world, PRODUCTS, &[(ACCEPT_ENCODING, coding), (IF_NONE_MATCH, &tag)]).await;
        assert_eq!(
            (known.status.as_u16(), known.header("etag"), known.header("content-encoding")),
            (304, Some(tag.as_str()), None)
        );
        let other = get(&world, PRODUCTS, &[(IF_NONE_MATCH, &tag)]).await;
        assert_eq!(other.status, 200, "who has it in {coding} does not have it plain");
        tags.push(tag);
    }
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), 4);
    // What comes out again is what went in.
    let mut decoded = world
        .service
        .client()
        .get(world.service.url(PRODUCTS))
        .insert_header((ACCEPT_ENCODING, "gzip"))
        .send()
        .await
        .expect("an answer");
    let decoded: Value = decoded.json().limit(1 << 20).await.expect("JSON");
    assert_eq!(decoded, plain.json());
}

#[actix_web::test]
async fn small_answers_errors_and_what_is_about_the_session_are_sent_as_they_are() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let any = [(ACCEPT_ENCODING, "br, gzip, zstd".to_owned())];
    for path in ["/api/v2/products?size=1", "/api/v2/cart", "/api/v2/products?sort=x&page=y", "/api/auth/session", "/"]
    {
        let answer = alice.fetch_with(Method::GET, path, &any).await;
        assert_eq!(answer.header("content-encoding"), None, "{path}");
    }
}

/// Shows: S1
#[actix_web::test]
async fn the_pages_of_a_list_neither_overlap_nor_leave_one_out_when_keys_tie() {
    let world = World::start().await;
    let mut seen = std::collections::BTreeSet::new();
    let mut next = Some("/api/v2/products?size=100&sort=price,asc&maxPrice=15".to_owned());
    let mut total = 0;
    let mut prices = Vec::new();
    while let Some(path) = next.take() {
        let answer = world.service.get(&path).await;
        let page = answer.json();
        total = page["totalElements"].as_u64().expect("a number");
        for product in page["content"].as_array().expect("a list") {
            prices.push(product["price"]["amount"].as_str().expect("a text").to_owned());
            assert!(seen.insert(product["id"].to_string()), "{product} comes twice");
        }
        let link = answer.header("link").expect("links").to_owned();
        let links = link.split(", ").map(|link| link.split_once(">; rel=").expect("a link"));
        next = links.filter(|(_, relation)| *relation == "\"next\"").map(|(target, _)| target[1..].to_owned()).next();
    }
    assert_eq!(seen.len() as u64, total);
    prices.sort_unstable();
    prices.dedup();
    assert!(prices.len() < seen.len(), "there are ties among {total}");
}
