//! Several requests in one.

use actix_web::http::Method;
use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};
use shared_lib::testing::{Received, receive};

use crate::harness::Stage;

async fn batch(stage: &Stage, requests: &Value) -> Received {
    receive(stage.request(Method::POST, "/v1/batch").send_json(&json!({"requests": requests}))).await
}

/// Shows: M10
#[actix_web::test]
async fn parts_are_answered_as_if_each_had_been_asked_alone() {
    let stage = Stage::new().await;
    let alone = stage.get("/v1/orders?size=2").await.json();
    let exchanges = stage.sandbox.provider().counters().token_exchanges;
    let order = json!({"lines": [{"product": "SKU-00001", "quantity": 1}]});
    let answer = batch(
        &stage,
        &json!([
            {"id": "orders", "path": "/v1/orders?size=2"},
            {"id": "place", "method": "POST", "path": "/v1/orders", "headers": {"Idempotency-Key": "k"}, "body": order},
            {"id": "forget", "method": "DELETE", "path": "/v1/devices/none"},
            {"id": "wrong", "path": "/v1/products?sort=stock,asc"},
            {"id": "nothing", "path": "/v1/nothing"},
        ]),
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    let parts = answer["responses"].as_array().expect("a list");
    let statuses: Vec<_> = parts.iter().map(|part| (&part["id"], &part["status"])).collect();
    let expected = [("orders", 200), ("place", 201), ("forget", 204), ("wrong", 400), ("nothing", 404)];
    let expected: Vec<_> = expected.iter().map(|(id, status)| (json!(id), json!(status))).collect();
    assert_eq!(statuses, expected.iter().map(|(id, status)| (id, status)).collect::<Vec<_>>());
    assert_eq!(parts[0]["body"]["size"], alone["size"]);
    assert_eq!(parts[2].get("body"), None);
    assert_eq!(parts[3]["body"]["code"], "validation-failed");
    assert_eq!(parts[4]["body"]["code"], "not-found");
    assert_eq!(stage.sandbox.provider().counters().token_exchanges, exchanges + 1, "one caller, one exchange");
}

/// Shows: M10
#[actix_web::test]
async fn a_part_needs_the_scopes_of_its_route_as_the_same_caller() {
    let stage = Stage::new().await;
    let token = stage.token_with("bob", &["catalog:read", "orders:read"], |token| token);
    let request = stage.service.client().post(stage.service.url("/v1/batch")).bearer_auth(token);
    let body = json!({"requests": [
        {"id": "products", "path": "/v1/products?size=1"},
        {"id": "orders", "path": "/v1/orders?size=1"},
        {"id": "home", "path": "/v1/home"},
    ]});
    let answer = receive(request.send_json(&body)).await.json();
    let statuses: Vec<_> = answer["responses"].as_array().expect("a list").iter().map(|part| &part["status"]).collect();
    assert_eq!(statuses, [200, 200, 403]);
    let refused = &answer["responses"][2];
    assert_eq!(refused["body"]["code"], "insufficient-scope");
    assert!(refused["headers"]["www-authenticate"].as_str().expect("a challenge").contains("accounts:read"));
    assert_eq!(stage.sandbox.chaos().calls("orders")[0].subject.as_deref(), Some("usr_bob"));
    let nobody = receive(stage.service.client().post(stage.service.url("/v1/batch")).send_json(&body)).await;
    assert_eq!(nobody.status, 401);
}

/// Shows: M10
#[actix_web::test]
async fn a_batch_is_capped_and_holds_no_batch() {
    let stage = Stage::new().await;
    let many: Vec<_> = (0..11).map(|number| json!({"id": number.to_string(), "path": "/v1/home"})).collect();
    let table = [
        json!([]),
        json!(many),
        json!([{"id": "a", "method": "POST", "path": "/v1/batch", "body": {"requests": []}}]),
        json!([{"id": "a", "method": "POST", "path": "/graphql"}]),
        json!([{"id": "a", "path": "https://evil.example/v1/home"}]),
        json!([{"id": "a", "path": "/admin"}]),
        json!([{"id": "a", "method": "TRACE", "path": "/v1/home"}]),
        json!([{"id": "", "path": "/v1/home"}]),
        json!([{"id": "a", "path": "/v1/home", "headers": {"Authorization": "Bearer another"}}]),
    ];
    for requests in table {
        let refused = batch(&stage, &requests).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["code"]),
            (400, &json!("validation-failed")),
            "{requests}"
        );
    }
    let sly = json!([{"id": "a", "method": "POST", "path": "/v1/%62atch", "body": {"requests": []}}]);
    assert_eq!(batch(&stage, &sly).await.json()["responses"][0]["status"], 404, "there is no such route for a part");
    assert!(stage.sandbox.chaos().calls("users").is_empty(), "a refused batch costs nothing");
}

/// Shows: M10
#[actix_web::test]
async fn all_parts_share_one_budget_of_attempts() {
    // Nothing but the budget is in the way of ten parts with five attempts each.
    let stage = Stage::with(&[
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__RETRY__MAX_ATTEMPTS", "5"),
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__RETRY__BASE_MS", "1"),
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__RETRY__CAP_MS", "1"),
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__RETRY__BUDGET_FLOOR_PER_SECOND", "1000"),
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__CIRCUIT_BREAKER__INITIAL_STATE", "disabled"),
    ])
    .await;
    stage.disturb("catalog", Rule::status(503));
    let part = |number: u32| json!({"id": number.to_string(), "path": format!("/v1/products?size={number}")});
    let parts: Vec<_> = (1..=10).map(part).collect();
    let answer = batch(&stage, &json!(parts)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(stage.sandbox.chaos().calls("catalog").len(), 32, "the attempts of one request, and not of ten");
}

/// Shows: M10
#[actix_web::test]
async fn the_language_of_a_batch_is_that_of_its_parts() {
    let stage = Stage::new().await;
    let request = stage.request(Method::POST, "/v1/batch").insert_header(("accept-language", "de-AT"));
    let answer = receive(request.send_json(&json!({"requests": [{"id": "a", "path": "/v1/products?size=1"}]}))).await;
    assert_eq!(answer.json()["responses"][0]["status"], 200);
    assert_eq!(stage.sandbox.chaos().calls("catalog")[0].headers["accept-language"], "de-AT");
}

/// Shows: M10
#[actix_web::test]
async fn all_parts_end_at_one_deadline() {
    let stage = Stage::with(&[
        ("BFF_MOBILE__SERVER__REQUEST_TIMEOUT_MS", "600"),
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__TIMEOUT_MS", "30000"),
    ])
    .await;
    // The keys are there, so that the time is spent on the parts.
    assert_eq!(stage.get("/v1/orders?size=1").await.status, 200);
    stage.disturb("catalog", Rule::fault(Fault::Hang));
    let requests = json!([{"id": "slow", "path": "/v1/products?size=1"}, {"id": "fast", "path": "/v1/orders?size=1"}]);
    let answer = batch(&stage, &requests).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!((&answer["responses"][0]["status"], &answer["responses"][1]["status"]), (&json!(504), &json!(200)));
}

/// Shows: M10, M5
#[actix_web::test]
async fn a_part_that_has_not_changed_is_not_sent_again() {
    let stage = Stage::new().await;
    let first = batch(&stage, &json!([{"id": "a", "path": "/v1/products?size=3"}])).await.json();
    let tag = first["responses"][0]["headers"]["etag"].as_str().expect("a tag");
    let again = json!([{"id": "a", "path": "/v1/products?size=3", "headers": {"If-None-Match": tag}}]);
    let again = batch(&stage, &again).await.json();
    assert_eq!((&again["responses"][0]["status"], again["responses"][0].get("body")), (&json!(304), None));
}
