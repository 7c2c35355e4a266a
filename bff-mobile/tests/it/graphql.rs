//! The graph: the same data, policies and budget as the screens have.

use actix_web::http::Method;
use sandbox::chaos::Rule;
use serde_json::{Value, json};
use shared_lib::testing::{Received, receive};

use crate::harness::{SERVICES, Stage};

/// The home screen as a document.
pub const HOME: &str = "{ me { name } balance { minor currency } unread lastOrder { id status total { minor currency } } \
     promotions { id title percent } }";

pub async fn ask(stage: &Stage, body: &Value) -> Received {
    receive(stage.request(Method::POST, "/graphql").send_json(body)).await
}

async fn query(stage: &Stage, document: &str) -> Received {
    ask(stage, &json!({ "query": document })).await
}

/// Calls to services, without those to the provider.
pub fn calls(stage: &Stage) -> usize {
    SERVICES.iter().map(|service| stage.sandbox.chaos().calls(service).len()).sum()
}

fn codes(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().into_iter().flatten();
    errors.map(|error| error["extensions"]["code"].as_str().expect("every error has a code")).collect()
}

/// Shows: M9
#[actix_web::test]
async fn the_home_screen_is_the_same_either_way() {
    let stage = Stage::new().await;
    let screen = stage.get("/v1/home").await.json();
    let before = calls(&stage);
    let answer = query(&stage, HOME).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let graph = answer.json();
    assert_eq!(graph.get("errors"), None);
    let data = &graph["data"];
    assert_eq!(data["me"]["name"], screen["name"]);
    for member in ["balance", "unread", "lastOrder", "promotions"] {
        assert_eq!(data[member], screen[member], "{member}");
    }
    assert_eq!(calls(&stage) - before, 5, "one call for each service");
}

/// Shows: M9
#[actix_web::test]
async fn products_and_orders_are_the_pages_of_the_screens() {
    let stage = Stage::new().await;
    let screen = stage.get("/v1/products?size=3&sort=price,desc&search=kettle&fields=id,name").await.json();
    let body = json!({
        "query": "query P($size: Int!) { products(size: $size, order: PRICE_DESC, search: \"kettle\") { content { id name } totalElements } }",
        "variables": { "size": 3 },
    });
    let page = ask(&stage, &body).await.json();
    assert_eq!(page["data"]["products"]["content"], screen["content"]);
    assert_eq!(page["data"]["products"]["totalElements"], screen["totalElements"]);
    let screen = stage.get("/v1/orders?size=2").await.json();
    let page =
        query(&stage, "{ orders(size: 2) { content { id status placedAt items total { minor currency } } } }").await;
    assert_eq!(page.json()["data"]["orders"]["content"], screen["content"]);
    let inbox = stage.get("/v1/notifications").await.json();
    let newest = query(&stage, "{ notifications(first: 2) { id title body at read } }").await.json();
    assert_eq!(newest["data"]["notifications"][0], inbox["items"][0]);
    assert_eq!(newest["data"]["notifications"].as_array().map(Vec::len), Some(2));
}

/// Shows: M9
#[actix_web::test]
async fn the_products_of_all_lines_of_all_orders_are_one_call() {
    let stage = Stage::new().await;
    let document = "{ orders(size: 10) { content { lines { quantity product { id name } } } } }";
    let answer = query(&stage, document).await.json();
    assert_eq!(answer.get("errors"), None, "{answer}");
    let orders = answer["data"]["orders"]["content"].as_array().expect("a list");
    let lines: Vec<_> = orders.iter().flat_map(|order| order["lines"].as_array().expect("a list")).collect();
    assert!(lines.len() > 10, "{} lines", lines.len());
    assert!(lines.iter().all(|line| line["product"]["name"].is_string()), "{answer}");
    assert_eq!((calls(&stage), stage.sandbox.chaos().calls("catalog").len()), (2, 1));
}

/// Shows: M9
#[actix_web::test]
async fn a_field_needs_the_scopes_of_its_route_and_others_are_answered() {
    let stage = Stage::new().await;
    let token = stage.token_with("alice", &["catalog:read", "orders:read"], |token| token);
    let ask = async |document: &str| {
        let request = stage.service.client().post(stage.service.url("/graphql")).bearer_auth(&token);
        receive(request.send_json(&json!({ "query": document }))).await.json()
    };
    let mixed = ask("{ unread products(size: 1) { content { id } } }").await;
    assert_eq!((&mixed["data"]["unread"], codes(&mixed)), (&Value::Null, vec!["insufficient-scope"]));
    assert_eq!(mixed["errors"][0]["path"], json!(["unread"]));
    assert_eq!(mixed["errors"][0]["extensions"]["scopes"], json!(["notifications:read"]));
    assert!(mixed["data"]["products"]["content"][0]["id"].is_string());
    let placed =
        ask("mutation { placeOrder(idempotencyKey: \"k\", lines: [{product: \"SKU-00001\", quantity: 1}]) { id } }")
            .await;
    assert_eq!((placed["data"].is_null(), codes(&placed)), (true, vec!["insufficient-scope"]));
    assert!(stage.sandbox.chaos().calls("notifications").is_empty());
    assert!(stage.sandbox.chaos().calls("orders").is_empty());
    let nobody =
        receive(stage.service.client().post(stage.service.url("/graphql")).send_json(&json!({"query": HOME}))).await;
    assert_eq!((nobody.status.as_u16(), &nobody.json()["code"]), (401, &json!("unauthenticated")));
}

/// Shows: M9
#[actix_web::test]
async fn an_optional_part_that_is_down_is_null_and_a_required_one_takes_all_with_it() {
    let stage = Stage::new().await;
    stage.disturb("accounts", Rule::status(500));
    let partial = query(&stage, HOME).await;
    assert_eq!(partial.status, 200);
    let partial = partial.json();
    assert_eq!((&partial["data"]["balance"], codes(&partial)), (&Value::Null, vec!["downstream-error"]));
    assert_eq!(partial["errors"][0]["extensions"]["status"], 502);
    assert!(partial["errors"][0]["extensions"]["requestId"].is_string());
    assert_eq!(partial["data"]["me"]["name"], "Alice");
    stage.disturb("users", Rule::status(503));
    let failed = query(&stage, HOME).await.json();
    assert!(failed["data"].is_null() && codes(&failed).contains(&"downstream-unavailable"), "{failed}");
    let text = failed.to_string();
    for secret in ["127.0.0.1", "localhost", "users/me", "status 503"] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// Shows: M9, M8
#[actix_web::test]
async fn an_order_is_placed_once_for_its_key_whichever_way_it_is_asked_for() {
    let stage = Stage::new().await;
    let count = async || stage.get("/v1/orders?size=1").await.json()["totalElements"].as_u64().expect("a number");
    let before = count().await;
    let place = json!({
        "query": "mutation M($key: String!) { placeOrder(idempotencyKey: $key, lines: [{product: \"SKU-00001\", quantity: 2}]) { id items } }",
        "variables": { "key": "intent" },
    });
    let first = ask(&stage, &place).await.json();
    assert_eq!(first["data"]["placeOrder"]["items"], 2, "{first}");
    assert_eq!(ask(&stage, &place).await.json(), first);
    let order = json!({"lines": [{"product": "SKU-00001", "quantity": 2}]});
    let request = stage.request(Method::POST, "/v1/orders").insert_header(("idempotency-key", "intent"));
    let screen = receive(request.send_json(&order)).await.json();
    assert_eq!(screen["id"], first["data"]["placeOrder"]["id"]);
    assert_eq!(count().await, before + 1);

    let refused = async |arguments: &str| {
        let answer = query(&stage, &format!("mutation {{ placeOrder({arguments}) {{ id }} }}")).await.json();
        codes(&answer)[0].to_owned()
    };
    assert_eq!(
        refused("idempotencyKey: \"\", lines: [{product: \"SKU-00001\", quantity: 1}]").await,
        "idempotency-key-invalid"
    );
    assert_eq!(refused("idempotencyKey: \"a\", lines: []").await, "validation-failed");
    assert_eq!(
        refused("idempotencyKey: \"a\", lines: [{product: \"SKU-00001\", quantity: 0}]").await,
        "validation-failed"
    );
    assert_eq!(
        refused("idempotencyKey: \"intent\", lines: [{product: \"SKU-00002\", quantity: 1}]").await,
        "idempotency-key-reused"
    );
    assert_eq!(refused("lines: [{product: \"SKU-00001\", quantity: 1}]").await, "graphql-invalid-document");
    assert_eq!(count().await, before + 1);
}

#[actix_web::test]
async fn a_notification_is_marked_as_read() {
    let stage = Stage::new().await;
    let inbox = query(&stage, "{ unread notifications { id read } }").await.json();
    let unread = inbox["data"]["unread"].as_u64().expect("a number");
    let newest = inbox["data"]["notifications"].as_array().expect("a list").iter().find(|one| one["read"] == false);
    let id = newest.expect("one is not read")["id"].as_str().expect("an id");
    let marked = query(&stage, &format!("mutation {{ readNotification(id: \"{id}\") }}")).await.json();
    assert_eq!(marked, json!({"data": {"readNotification": true}}));
    assert_eq!(query(&stage, "{ unread }").await.json()["data"]["unread"], unread - 1);
    let unknown = query(&stage, "mutation { readNotification(id: \"none\") }").await.json();
    assert_eq!(codes(&unknown), ["not-found"]);
}

/// Shows: M9, M10
#[actix_web::test]
async fn a_document_spends_one_requests_attempts() {
    let stage = Stage::with(&[
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__RETRY__MAX_ATTEMPTS", "5"),
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__RETRY__BASE_MS", "1"),
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__RETRY__CAP_MS", "1"),
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__RETRY__BUDGET_FLOOR_PER_SECOND", "1000"),
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__CIRCUIT_BREAKER__INITIAL_STATE", "disabled"),
    ])
    .await;
    stage.disturb("catalog", Rule::status(503));
    let fields: String = (1..=10).map(|size| format!("p{size}: products(size: {size}) {{ totalElements }} ")).collect();
    let answer = query(&stage, &format!("{{ {fields} }}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(stage.sandbox.chaos().calls("catalog").len(), 32);
}

/// Shows: M9
#[actix_web::test]
async fn answers_are_coded_and_have_the_type_that_was_asked_for() {
    let stage = Stage::new().await;
    let request = stage.request(Method::POST, "/graphql").no_decompress();
    let request = request.insert_header(("accept", "application/graphql-response+json, application/json;q=0.9"));
    let request = request.insert_header(("accept-encoding", "br"));
    let answer = receive(request.send_json(&json!({ "query": HOME }))).await;
    assert_eq!(answer.header("content-type"), Some("application/graphql-response+json"));
    assert_eq!(answer.header("content-encoding"), Some("br"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("etag"), None, "the address does not say what was asked for");
}
