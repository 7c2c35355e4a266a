//! The journal, the barrier, and `/chaos` over HTTP.

use actix_web::http::{Method, StatusCode};
use futures_util::future::join;
use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};

use crate::harness::{Harness, LONG, SHORT};

async fn chaos(harness: &Harness, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Option<Value>) {
    let request = harness.client.request(method, harness.sandbox.chaos_url() + path);
    let sent = match body {
        Some(body) => request.send_json(body).await,
        None => request.send().await,
    };
    let mut response = sent.expect("an answer");
    let body = response.body().await.expect("a body");
    (response.status(), serde_json::from_slice(&body).ok())
}

#[actix_web::test]
async fn a_call_is_recorded_with_its_caller_and_without_its_token() {
    let harness = Harness::with(&["orders"]).await;
    let token = harness.alice();
    let headers = [("x-request-id", "r-1"), ("cookie", "secret=1")];
    harness.call(Method::GET, "orders", "?page=0&size=1", Some(&token), &headers, None).await;
    let calls = harness.sandbox.chaos().calls("orders");
    assert_eq!(calls.len(), 1);
    let call = &calls[0];
    assert_eq!((call.method.as_str(), call.path.as_str(), call.query.as_str()), ("GET", "/orders", "page=0&size=1"));
    assert_eq!((call.subject.as_deref(), call.client_id.as_deref()), (Some("usr_alice"), Some("bff-web")));
    assert_eq!(call.headers["authorization"], "present");
    assert_eq!(call.headers["cookie"], "present");
    assert_eq!(call.headers["x-request-id"], "r-1");
    assert!(call.at.parse::<jiff::Timestamp>().is_ok());
}

#[actix_web::test]
async fn calls_that_are_refused_or_struck_by_a_fault_are_recorded_too() {
    let harness = Harness::with(&["accounts"]).await;
    harness.get("accounts", "/balance", None).await;
    harness.sandbox.chaos().set("accounts", vec![Rule::fault(Fault::Reset)]).expect("a valid rule");
    let url = harness.sandbox.url("accounts") + "/balance";
    harness.client.get(url).send().await.expect_err("a reset");
    assert_eq!(harness.sandbox.chaos().calls("accounts").len(), 2);
}

#[actix_web::test]
async fn the_journal_can_be_read_and_cleared_over_http() {
    let harness = Harness::with(&["catalog", "categories"]).await;
    harness.get("catalog", "/products?limit=1", None).await;
    harness.get("categories", "", None).await;
    let (status, calls) = chaos(&harness, Method::GET, "/calls/catalog", None).await;
    let mut call = calls.expect("JSON")[0].take();
    assert!(call["headers"].take()["host"].is_string());
    assert!(call["at"].take().is_string());
    let expected = json!({
        "method": "GET", "path": "/catalog/products", "query": "limit=1", "headers": null,
        "subject": null, "clientId": null, "at": null,
    });
    assert_eq!((status, call), (StatusCode::OK, expected));
    assert_eq!(chaos(&harness, Method::DELETE, "/calls/catalog", None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(chaos(&harness, Method::GET, "/calls/catalog", None).await.1, Some(json!([])));
    assert_eq!(harness.sandbox.chaos().calls("categories").len(), 1);
    assert_eq!(chaos(&harness, Method::GET, "/calls/nothing", None).await.0, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn rules_are_set_listed_and_removed_over_http_on_both_ports() {
    let harness = Harness::with(&["catalog"]).await;
    let rules = json!([{
        "route": "/products", "latency": { "p50Ms": 1, "p99Ms": 2 }, "errorRate": 1.0, "status": 503,
        "headers": { "retry-after": "1" }, "times": 3, "barrier": { "name": "dash", "parties": 1 },
    }]);
    assert_eq!(chaos(&harness, Method::PUT, "/catalog", Some(&rules)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(chaos(&harness, Method::GET, "", None).await, (StatusCode::OK, Some(json!({ "catalog": rules }))));
    assert_eq!(harness.get("catalog", "/products", None).await.status, StatusCode::SERVICE_UNAVAILABLE);
    let at_provider = format!("{}/chaos", harness.sandbox.issuer());
    let mut listed = harness.client.get(&at_provider).send().await.expect("an answer");
    assert_eq!(listed.json::<Value>().await.expect("JSON"), json!({ "catalog": rules }));
    assert_eq!(chaos(&harness, Method::DELETE, "/catalog", None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(harness.get("catalog", "/products", None).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn wrong_rules_are_refused_over_http_with_a_reason() {
    let harness = Harness::with(&["catalog"]).await;
    for (path, rules, status) in [
        ("/catalog", json!([{ "colour": "red" }]), StatusCode::BAD_REQUEST),
        ("/catalog", json!([{ "fault": "explode" }]), StatusCode::BAD_REQUEST),
        ("/catalog", json!([{ "latency": { "fixedMs": 1, "p50Ms": 2 } }]), StatusCode::BAD_REQUEST),
        ("/catalog", json!([{ "errorRate": 2 }]), StatusCode::BAD_REQUEST),
        ("/nothing", json!([]), StatusCode::NOT_FOUND),
    ] {
        let (answered, body) = chaos(&harness, Method::PUT, path, Some(&rules)).await;
        assert_eq!(answered, status, "{rules}");
        assert!(body.expect("JSON")["error"].is_string(), "{rules}");
    }
}

#[actix_web::test]
async fn a_barrier_holds_calls_to_several_services_until_all_have_arrived() {
    let harness = Harness::with(&["catalog", "categories", "promotions"]).await;
    for service in ["catalog", "categories", "promotions"] {
        harness.sandbox.chaos().set(service, vec![Rule::barrier("dash", 3)]).expect("a valid rule");
    }
    let two = join(harness.get("catalog", "/products", None), harness.get("categories", "", None));
    let mut two = Box::pin(two);
    tokio::time::timeout(SHORT, &mut two).await.map(|_| ()).expect_err("both wait for a third");
    let all = join(two, harness.get("promotions", "/active", None));
    let ((catalog, categories), promotions) = tokio::time::timeout(LONG, all).await.expect("answers in time");
    assert_eq!([catalog.status, categories.status, promotions.status], [StatusCode::OK; 3]);
}

#[actix_web::test]
async fn clearing_the_rules_lets_go_who_waits_at_a_barrier() {
    let harness = Harness::with(&["catalog"]).await;
    harness.sandbox.chaos().set("catalog", vec![Rule::barrier("alone", 2)]).expect("a valid rule");
    let mut call = Box::pin(harness.get("catalog", "/products", None));
    tokio::time::timeout(SHORT, &mut call).await.map(|_| ()).expect_err("a call that waits");
    harness.sandbox.chaos().clear();
    let answer = tokio::time::timeout(LONG, call).await.expect("an answer in time");
    assert_eq!(answer.status, StatusCode::OK);
}
