//! What a key may do in a while.

use std::time::Duration;

use bff_partner::keys::NewKey;
use futures_util::join;
use sandbox::chaos::{BarrierRule, Rule};
use serde_json::json;
use shared_lib::{clock::Clock, testing::eventually};

use crate::harness::{ORDER, Stage, assert_body, new_key};

const PRODUCTS: &str = "/v1/products?size=1";

const TIGHT: [(&str, &str); 6] = [
    ("BFF_PARTNER__PLANS__GOLD__BURST__QUOTA", "12"),
    ("BFF_PARTNER__PLANS__GOLD__BURST__WINDOW_S", "10"),
    ("BFF_PARTNER__PLANS__GOLD__BURST__AT_ONCE", "7"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__QUOTA", "100"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__WINDOW_S", "60"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__AT_ONCE", "20"),
];

/// Shows: P3
#[actix_web::test]
async fn every_answer_says_what_is_promised_and_what_is_left() {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(&TIGHT, clock).await;
    let first = stage.get(PRODUCTS).await;
    assert_eq!(
        first.header("ratelimit-policy"),
        Some("\"burst\";q=12;w=10, \"sustained\";q=100;w=60, \"concurrency\";q=100;qu=\"concurrent-requests\"")
    );
    assert_eq!(first.header("ratelimit"), Some("\"burst\";r=6;t=2, \"sustained\";r=19;t=1, \"concurrency\";r=99"));
    let second = stage.get("/v1/products?page=x").await;
    assert_eq!(second.status, 400);
    assert_eq!(
        second.header("ratelimit"),
        Some("\"burst\";r=5;t=4, \"sustained\";r=18;t=2, \"concurrency\";r=99"),
        "errors say it, too"
    );
    hand.advance(Duration::from_secs(60));
    assert_eq!(
        stage.get(PRODUCTS).await.header("ratelimit"),
        Some("\"burst\";r=6;t=2, \"sustained\";r=19;t=1, \"concurrency\";r=99")
    );
}

/// Shows: P3
#[actix_web::test]
async fn beyond_a_limit_the_answer_names_it_and_says_how_long_to_wait() {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(&TIGHT, clock).await;
    for call in 0..7 {
        assert_eq!(stage.get(PRODUCTS).await.status, 200, "call {call}");
    }
    let refused = stage.get(PRODUCTS).await;
    assert_eq!(refused.status, 429);
    assert_body!("beyond_a_limit", refused);
    assert_eq!(refused.header("ratelimit"), Some("\"burst\";r=0;t=2, \"sustained\";r=13;t=6, \"concurrency\";r=99"));
    assert_eq!(refused.header("retry-after"), Some("2"));
    for _ in 0..20 {
        let again = stage.get(PRODUCTS).await;
        assert_eq!(again.header("ratelimit"), refused.header("ratelimit"), "a refused call costs nothing");
    }
    hand.advance(Duration::from_secs(2));
    assert_eq!(stage.get(PRODUCTS).await.status, 200, "who waits as long as told gets in");
}

/// Shows: P3
#[actix_web::test]
async fn a_heavy_call_is_charged_more_and_what_is_not_let_in_nothing() {
    let stage = Stage::with(&TIGHT).await;
    for _ in 0..20 {
        assert_eq!(stage.get_with("/v1/orders", "tfp_test_x").await.header("ratelimit"), None);
    }
    let placed = stage.place_with(&stage.key, "k", ORDER).await;
    assert_eq!(placed.status, 201);
    assert!(placed.header("ratelimit").is_some_and(|left| left.starts_with("\"burst\";r=2;")), "{:?}", placed.headers);
    let refused = stage.place_with(&stage.key, "l", ORDER).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["violated-policies"]), (429, &json!(["burst"])));
    assert_eq!(stage.get(PRODUCTS).await.status, 200, "a lighter one still fits");
}

#[actix_web::test]
async fn each_key_has_the_limits_of_its_plan_to_itself() {
    let stage = Stage::with(&TIGHT).await;
    while stage.get(PRODUCTS).await.status == 200 {}
    let gold = stage.another_key(new_key("acme")).await;
    let other = stage.another_key(NewKey { plan: "free".to_owned(), ..new_key("acme") }).await;
    assert_eq!(stage.get_with(PRODUCTS, gold.key.expose()).await.status, 200);
    let answer = stage.get_with(PRODUCTS, other.key.expose()).await;
    assert_eq!(
        answer.header("ratelimit-policy"),
        Some(
            "\"burst\";q=20;w=1, \"sustained\";q=300;w=60, \"day\";q=10000, \"month\";q=200000, \"concurrency\";q=10;qu=\"concurrent-requests\""
        )
    );
}

#[actix_web::test]
async fn the_contract_is_not_limited() {
    let stage = Stage::with(&TIGHT).await;
    for _ in 0..20 {
        let served = stage.service.get("/v1/openapi.json").await;
        assert_eq!((served.status.as_u16(), served.header("ratelimit")), (200, None));
    }
}

/// Shows: P3
#[actix_web::test]
async fn calls_at_the_same_time_are_limited_and_places_come_back() {
    let stage = Stage::with(&[("BFF_PARTNER__PLANS__GOLD__CONCURRENCY", "1")]).await;
    // The catalog answers when a second call has come to it: that of another key.
    let barrier = BarrierRule { name: "together".to_owned(), parties: 2 };
    stage.disturb("catalog", Rule { barrier: Some(barrier), times: Some(2), ..Rule::default() });
    let other = stage.another_key(new_key("bolt")).await;
    let first = stage.get(PRODUCTS);
    let second = async {
        let arrived = || async { !stage.sandbox.chaos().calls("catalog").is_empty() };
        assert!(eventually(Duration::from_secs(10), arrived).await);
        let refused = stage.get("/v1/products?size=2").await;
        assert_eq!(stage.get_with("/v1/products?size=3", other.key.expose()).await.status, 200);
        refused
    };
    let (first, refused) = join!(first, second);
    assert_eq!(first.status, 200);
    assert_eq!((refused.status.as_u16(), &refused.json()["violated-policies"]), (429, &json!(["concurrency"])));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(stage.get(PRODUCTS).await.status, 200);
}
