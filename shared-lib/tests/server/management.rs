//! What operators can do on the management listener, and who is one.

use std::sync::Arc;

use actix_web::http::Method;
use serde_json::{Value, json};
use shared_lib::{
    clock::Clock,
    service::launch,
    telemetry::for_test,
    testing::{Answer, FakeDownstream, Received, TestService, receive},
};

use crate::tiny::{OPERATOR_TOKEN, Tiny, settings};

async fn put(service: &TestService, path: &str, body: &Value) -> Received {
    receive(service.client().put(service.management_url(path)).bearer_auth(OPERATOR_TOKEN).send_json(body)).await
}

async fn get(service: &TestService, path: &str) -> Received {
    receive(service.client().get(service.management_url(path)).bearer_auth(OPERATOR_TOKEN).send()).await
}

/// Shows: S12
#[actix_web::test]
async fn nobody_without_the_operator_token_gets_to_what_is_under_admin() {
    let service = TestService::start::<Tiny>(settings(&[])).await;
    for (method, path) in [
        (Method::GET, "/admin/circuit-breakers"),
        (Method::PUT, "/admin/circuit-breakers/backend"),
        (Method::GET, "/admin/log-level"),
        (Method::PUT, "/admin/log-level"),
    ] {
        for token in [None, Some("wrong-operator-token-0")] {
            let mut request = service.client().request(method.clone(), service.management_url(path));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answer = receive(request.send_json(&json!({"state": "disabled", "level": "off"}))).await;
            assert_eq!(
                (answer.status.as_u16(), answer.json()["code"].as_str()),
                (401, Some("unauthenticated")),
                "{path}"
            );
        }
        let public = service.get(path).await;
        assert_eq!(public.status.as_u16(), 404, "{path} is not on the public listener");
    }
    assert_eq!(get(&service, "/admin/circuit-breakers").await.json()["backend"]["state"], "closed");
}

/// Shows: S2, S12
#[actix_web::test]
async fn an_operator_forces_a_breaker_open_and_closes_it_again() {
    let backend = FakeDownstream::start(Answer::json(&json!({})));
    let service = TestService::start::<Tiny>(settings(&[("TINY__DOWNSTREAMS__BACKEND__URLS", &backend.url())])).await;
    assert_eq!(service.get("/v1/work").await.status.as_u16(), 200);

    let forced = put(&service, "/admin/circuit-breakers/backend", &json!({"state": "forced_open"})).await;
    assert_eq!((forced.status.as_u16(), &forced.json()["state"]), (200, &json!("forced_open")));
    let refused = service.get("/v1/work").await;
    assert_eq!((refused.status.as_u16(), backend.calls()), (503, 1), "{}", refused.text());
    for (state, shown) in [("disabled", "disabled"), ("metrics_only", "metrics_only"), ("closed", "closed")] {
        let set = put(&service, "/admin/circuit-breakers/backend", &json!({"state": state})).await;
        assert_eq!(set.json()["state"], shown);
        assert_eq!(service.get("/v1/work").await.status.as_u16(), 200);
    }
    let listed = get(&service, "/admin/circuit-breakers").await;
    assert_eq!(listed.json()["backend"]["state"], "closed");
}

/// Shows: S2
#[actix_web::test]
async fn the_state_and_the_transitions_of_each_breaker_are_metrics() {
    // The meters are the process's, so this downstream has a name that no other test uses.
    let service =
        TestService::start::<Tiny>(settings(&[("TINY__DOWNSTREAMS__WATCHED__URLS", "http://127.0.0.1:9")])).await;
    put(&service, "/admin/circuit-breakers/watched", &json!({"state": "disabled"})).await;
    put(&service, "/admin/circuit-breakers/watched", &json!({"state": "forced_open"})).await;
    let metrics = service.get_management("/metrics").await.text();
    let lines = || metrics.lines().filter(|line| line.contains(r#"peer_service="watched""#));
    let states = lines().filter(|line| line.starts_with("trifront_circuit_breaker_state"));
    let current: Vec<_> = states.filter(|line| line.ends_with(" 1")).collect();
    assert!(matches!(current[..], [line] if line.contains(r#"state="forced_open""#)), "{current:?}");
    let transitions: Vec<_> =
        lines().filter(|line| line.starts_with("trifront_circuit_breaker_transitions_total")).collect();
    assert!(matches!(transitions[..], [line] if line.ends_with(" 2")), "{transitions:?}");
}

/// Shows: S12
#[actix_web::test]
async fn wrong_orders_are_refused_with_what_would_be_right() {
    let service = TestService::start::<Tiny>(settings(&[])).await;
    let open = put(&service, "/admin/circuit-breakers/backend", &json!({"state": "open"})).await;
    assert_eq!(open.status.as_u16(), 400);
    assert_eq!(
        open.json()["errors"],
        json!([{
            "location": "body",
            "field": "/state",
            "detail": "not a state that an operator can set",
            "allowed": ["closed", "forced_open", "disabled", "metrics_only"],
        }])
    );
    let unknown = put(&service, "/admin/circuit-breakers/nobody", &json!({"state": "closed"})).await;
    assert_eq!((unknown.status.as_u16(), unknown.json()["code"].as_str()), (404, Some("not-found")));
    let shapeless = put(&service, "/admin/circuit-breakers/backend", &json!({"status": "closed"})).await;
    assert_eq!((shapeless.status.as_u16(), shapeless.json()["code"].as_str()), (400, Some("malformed-body")));
    assert_eq!(get(&service, "/admin/circuit-breakers").await.json()["backend"]["state"], "closed");
}

/// Shows: S12
#[actix_web::test]
async fn an_operator_sets_the_log_level_and_a_wrong_one_changes_nothing() {
    let guard = for_test().guard.clone();
    let running = launch::<Tiny>(Arc::new(settings(&[])), Clock::system(), Some(guard)).await.expect("it starts");
    let url = format!("http://{}/admin/log-level", running.management);
    let client = awc::Client::builder().disable_redirects().finish();
    let set = |level: &'static str| client.put(&url).bearer_auth(OPERATOR_TOKEN).send_json(&json!({"level": level}));
    let answer = receive(set("debug,h2=warn")).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"level": "debug,h2=warn"})));
    let wrong = receive(set("info,=/")).await;
    assert_eq!((wrong.status.as_u16(), &wrong.json()["errors"][0]["field"]), (400, &json!("/level")));
    let now = receive(client.get(&url).bearer_auth(OPERATOR_TOKEN).send()).await;
    assert_eq!(now.json(), json!({"level": "debug,h2=warn"}));
    assert_eq!(receive(set("info")).await.status.as_u16(), 200);
    running.drain().await;
}
