//! The user's cart: read, replaced, and not overwritten by who has not seen it.

use actix_web::http::{
    Method,
    header::{HeaderName, IF_MATCH, IF_NONE_MATCH},
};
use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};
use shared_lib::testing::Received;

use crate::harness::{Browser, World, shown};

const PATH: &str = "/api/v2/cart";

async fn put(browser: &mut Browser, if_match: &[(HeaderName, &str)], cart: &Value) -> Received {
    browser.fetch_json(Method::PUT, PATH, if_match, cart).await
}

fn cart(quantity: u32) -> Value {
    json!({ "items": [{ "productId": "SKU-00001", "quantity": quantity }] })
}

#[actix_web::test]
async fn the_cart_is_replaced_by_who_has_seen_its_last_version() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let empty = alice.get(PATH).await;
    assert_eq!(empty.json(), json!({ "items": [], "version": 0 }));
    let seen = empty.header("etag").expect("a tag").to_owned();
    assert_eq!(empty.header("cache-control"), Some("private, no-cache"));
    let changed = put(&mut alice, &[(IF_MATCH, &seen)], &cart(2)).await;
    insta::assert_json_snapshot!(shown(&changed));
    assert_eq!(changed.header("etag"), alice.get(PATH).await.header("etag"));
    assert_ne!(changed.header("etag"), Some(seen.as_str()));
    assert_eq!(alice.get(PATH).await.json(), changed.json());
    // Another tab has seen the empty one only.
    let lost = put(&mut alice, &[(IF_MATCH, &seen)], &cart(9)).await;
    insta::assert_json_snapshot!("another_version", shown(&lost), { ".body.requestId" => "[id]" });
    assert_eq!(alice.get(PATH).await.json(), changed.json());
    // As it was read, with the version in it.
    assert_eq!(put(&mut alice, &[(IF_MATCH, "*")], &changed.json()).await.status, 200);
    let mut bob = world.signed_in("bob").await;
    assert_eq!(bob.get(PATH).await.json()["items"], json!([]), "a cart is its owner's");
    // And so is its tag: the browser that both use must not take Alice's empty cart for Bob's.
    let kept = bob.fetch_with(Method::GET, PATH, &[(IF_NONE_MATCH, seen.clone())]).await;
    assert_eq!(kept.status, 200);
    assert_eq!(put(&mut bob, &[(IF_MATCH, &seen)], &cart(1)).await.status, 412);
}

#[actix_web::test]
async fn a_cart_that_nobody_has_seen_is_not_replaced() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let answer = put(&mut alice, &[], &cart(1)).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
    for tag in ["", "0", "W/\"0\"", "\"0\", \"1\""] {
        let answer = put(&mut alice, &[(IF_MATCH, tag)], &cart(1)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (400, &json!("validation-failed")), "{tag}");
    }
    assert_eq!(world.sandbox.chaos().calls("cart"), []);
}

#[actix_web::test]
async fn every_wrong_field_of_a_cart_is_listed_by_its_pointer() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let wrong = json!({ "items": [{ "productId": "", "quantity": 1000 }, { "sku": "SKU-00001" }] });
    let answer = put(&mut alice, &[(IF_MATCH, "*")], &wrong).await;
    let problem = answer.json();
    let fields: Vec<_> = problem["errors"].as_array().expect("a list").iter().map(|error| &error["field"]).collect();
    assert_eq!(
        fields,
        ["/items/0/productId", "/items/0/quantity", "/items/1/sku", "/items/1/productId", "/items/1/quantity"]
    );
    assert_eq!(world.sandbox.chaos().calls("cart"), []);
    let unknown = json!({ "items": [{ "productId": "SKU-99999", "quantity": 1 }] });
    let answer = put(&mut alice, &[(IF_MATCH, "*")], &unknown).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (422, &json!("cart-refused")));
}

#[actix_web::test]
async fn a_cart_that_was_read_is_not_sent_again() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let tag = alice.get(PATH).await.header("etag").expect("a tag").to_owned();
    let headers = [(IF_NONE_MATCH, tag)];
    let answer = alice.fetch_with(Method::GET, PATH, &headers).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0));
}

#[actix_web::test]
async fn without_the_carts_there_is_a_problem_that_names_them() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    world.disturb("cart", Rule::status(500));
    let answer = alice.get(PATH).await;
    insta::assert_json_snapshot!(shown(&answer), { ".body.requestId" => "[id]" });
    assert_eq!(put(&mut alice, &[(IF_MATCH, "*")], &cart(1)).await.status, 502);
}

#[actix_web::test]
async fn a_slow_cart_is_a_timeout() {
    let quick =
        [("BFF_WEB__DOWNSTREAMS__CART__TIMEOUT_MS", "300"), ("BFF_WEB__DOWNSTREAMS__CART__RETRY__MAX_ATTEMPTS", "1")];
    let world = World::start_with(&quick).await;
    let mut alice = world.signed_in("alice").await;
    world.disturb("cart", Rule::fault(Fault::SlowDrip));
    let answer = alice.get(PATH).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["part"]), (504, &json!("cart")));
}
