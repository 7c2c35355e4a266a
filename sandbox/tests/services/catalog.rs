//! Product lists: pages, order, filters, conditional requests.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::Harness;

fn items(body: &Value) -> &Vec<Value> {
    body["items"].as_array().expect("items")
}

#[actix_web::test]
async fn a_list_tells_the_total_and_its_own_bounds() {
    let harness = Harness::with(&["catalog"]).await;
    let body = harness.get("catalog", "/products?offset=9990&limit=500", None).await.json();
    assert_eq!((&body["total"], &body["offset"], &body["limit"]), (&json!(10_000), &json!(9_990), &json!(500)));
    assert_eq!(items(&body).len(), 10);
    let mut fields: Vec<_> = items(&body)[0].as_object().expect("an object").keys().cloned().collect();
    fields.sort();
    let expected =
        ["category_id", "created_at", "description", "image_path", "price", "rating", "sku", "stock_level", "title"];
    assert_eq!(fields, expected);
    assert_eq!(items(&body)[0]["price"]["currency"], "EUR");
}

#[actix_web::test]
async fn lists_are_ordered_by_what_is_asked_for() {
    let harness = Harness::with(&["catalog"]).await;
    let price = |item: &Value| item["price"]["amount_minor"].as_u64().expect("an amount");
    let body = harness.get("catalog", "/products?order_by=price:desc&limit=100", None).await.json();
    assert!(items(&body).is_sorted_by(|a, b| price(a) >= price(b)));
    let name = |item: &Value| item["title"].as_str().expect("a title").to_owned();
    let body = harness.get("catalog", "/products?order_by=name:asc&limit=100", None).await.json();
    assert!(items(&body).is_sorted_by(|a, b| name(a) <= name(b)));
}

#[actix_web::test]
async fn filters_leave_only_what_they_name() {
    let harness = Harness::with(&["catalog"]).await;
    let path = "/products?q=NORDIC%20pan&category=kitchen&price_min=1000&price_max=30000&limit=500";
    let body = harness.get("catalog", path, None).await.json();
    assert!(!items(&body).is_empty());
    for item in items(&body) {
        let text = format!("{} {}", item["title"], item["description"]).to_lowercase();
        assert!(text.contains("nordic") && text.contains("pan"), "{text}");
        assert!(item["category_id"].as_str().expect("an id").starts_with("kitchen-"));
        assert!((1_000..=30_000).contains(&item["price"]["amount_minor"].as_u64().expect("an amount")));
    }
}

#[actix_web::test]
async fn parameters_that_make_no_sense_are_refused() {
    let harness = Harness::with(&["catalog"]).await;
    for query in [
        "limit=0",
        "limit=501",
        "order_by=colour:asc",
        "order_by=price:up",
        "offset=-1",
        "unknown=1",
        "after_value=1&after_sku=SKU-00001",
        "order_by=price:asc&after_sku=SKU-00001",
        "order_by=price:asc&after_value=dear&after_sku=SKU-00001",
        "order_by=price:asc&after_value=1&after_sku=SKU-00001&offset=0",
    ] {
        let answer = harness.get("catalog", &format!("/products?{query}"), None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.json()["error"]["code"].is_string(), "{query}");
    }
}

#[actix_web::test]
async fn a_caller_who_has_the_newest_version_gets_304() {
    let harness = Harness::with(&["catalog"]).await;
    let first = harness.get("catalog", "/products/SKU-00042", None).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"'));
    for known in [tag.clone(), format!("\"other\", W/{tag}")] {
        let headers = [("if-none-match", known.as_str())];
        let again = harness.call(Method::GET, "catalog", "/products/SKU-00042", None, &headers, None).await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (StatusCode::NOT_MODIFIED, 0, tag.as_str()));
    }
    let headers = [("if-none-match", "\"other\"")];
    let again = harness.call(Method::GET, "catalog", "/products/SKU-00042", None, &headers, None).await;
    assert_eq!(again.status, StatusCode::OK);
}

#[actix_web::test]
async fn what_stands_behind_a_product_goes_on_where_the_list_before_it_ended() {
    let harness = Harness::with(&["catalog"]).await;
    for (order, value) in
        [("name", "/title"), ("price", "/price/amount_minor"), ("created_at", "/created_at"), ("rating", "/rating")]
    {
        for direction in ["asc", "desc"] {
            let query = format!("category=kitchen-pans&order_by={order}:{direction}");
            let all = harness.get("catalog", &format!("/products?{query}&limit=500"), None).await.json();
            let mut walked: Vec<Value> = Vec::new();
            let mut place = String::new();
            loop {
                let body = harness.get("catalog", &format!("/products?{query}&limit=100{place}"), None).await.json();
                assert_eq!(body["total"], all["total"], "the total is that of the whole list");
                let Some(last) = items(&body).last() else { break };
                let last_value = match last.pointer(value).expect("a value") {
                    Value::String(text) => text.clone(),
                    number => number.to_string(),
                };
                let pairs = [("after_value", last_value.as_str()), ("after_sku", last["sku"].as_str().expect("an id"))];
                place = format!("&{}", serde_urlencoded::to_string(pairs).expect("pairs"));
                walked.extend(items(&body).iter().cloned());
            }
            assert!(walked.len() > 200, "{}", walked.len());
            assert_eq!(&walked, items(&all), "{query}");
        }
    }
}
