//! Products for endless scrolling.

use sandbox::chaos::Rule;
use serde_json::{Value, json};

use crate::harness::Stage;

const FEED: &str = "/v1/products/feed?category=kitchen&sort=price,asc&size=40";

fn ids(items: &Value) -> Vec<String> {
    items.as_array().expect("a list").iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[actix_web::test]
async fn the_feed_gives_every_product_of_the_list_once_and_in_its_order() {
    let stage = Stage::new().await;
    let page = stage.get("/v1/products?category=kitchen&sort=price,asc&size=100").await.json();
    let (mut feed, mut path) = (Vec::new(), FEED.to_owned());
    while feed.len() < 100 {
        let stretch = stage.get(&path).await;
        assert_eq!(stretch.status, 200, "{}", stretch.text());
        let stretch = stretch.json();
        feed.extend(ids(&stretch["items"]));
        let Some(next) = stretch["next"].as_str() else { break };
        path = format!("{FEED}&after={next}");
    }
    assert_eq!(feed[..100], ids(&page["content"]));
}

#[actix_web::test]
async fn the_end_of_the_feed_has_no_next() {
    let stage = Stage::new().await;
    let total = stage.get("/v1/products?search=oak&size=1").await.json()["totalElements"].as_u64().expect("a number");
    let (mut seen, mut path) = (0, "/v1/products/feed?search=oak&size=100".to_owned());
    loop {
        let stretch = stage.get(&path).await.json();
        seen += ids(&stretch["items"]).len() as u64;
        let Some(next) = stretch["next"].as_str() else { break };
        path = format!("/v1/products/feed?search=oak&size=100&after={next}");
    }
    assert_eq!(seen, total);
}

/// Shows: M6
#[actix_web::test]
async fn a_place_in_one_list_is_none_in_another() {
    let stage = Stage::new().await;
    let next = stage.get(FEED).await.json()["next"].as_str().expect("more").to_owned();
    for path in [
        format!("/v1/products/feed?category=kitchen&sort=price,desc&after={next}"),
        format!("/v1/products/feed?after={next}"),
        "/v1/products/feed?after=40".to_owned(),
        "/v1/products/feed?page=2".to_owned(),
    ] {
        let refused = stage.get(&path).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (400, &json!("validation-failed")), "{path}");
    }
}

/// Shows: M6
#[actix_web::test]
async fn fields_trim_the_feed_and_the_page_alike() {
    let stage = Stage::new().await;
    let feed = stage.get("/v1/products/feed?size=2&fields=id,price").await.json();
    let page = stage.get("/v1/products?size=2&fields=id,price").await.json();
    assert_eq!(feed["items"], page["content"]);
    let members: Vec<_> = page["content"][0].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["id", "price"]);
    let refused = stage.get("/v1/products?fields=stock").await;
    assert_eq!(refused.json()["errors"][0]["allowed"], json!(["id", "name", "price", "img"]));
}

#[actix_web::test]
async fn the_feed_fails_truthfully_without_the_catalog() {
    let stage = Stage::new().await;
    stage.disturb("catalog", Rule::status(500));
    let failed = stage.get(FEED).await;
    assert_eq!((failed.status.as_u16(), &failed.json()["part"]), (502, &json!("catalog")));
}
