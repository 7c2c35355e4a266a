//! The limit on concurrent requests, as clients and operators see it.

use serde_json::json;
use shared_lib::testing::{Answer, FakeDownstream, Received, TestService, receive};

use crate::tiny::{Tiny, settings};

async fn service(backend: &FakeDownstream) -> TestService {
    TestService::start::<Tiny>(settings(&[
        ("TINY__DOWNSTREAMS__BACKEND__URLS", &backend.url()),
        ("TINY__SERVER__ADAPTIVE_LIMIT__INITIAL", "2"),
        ("TINY__SERVER__ADAPTIVE_LIMIT__MIN", "2"),
        ("TINY__SERVER__ADAPTIVE_LIMIT__MAX", "2"),
    ]))
    .await
}

fn asking(service: &TestService, path: &str) -> actix_web::rt::task::JoinHandle<Received> {
    actix_web::rt::spawn(receive(service.client().get(service.url(path)).send()))
}

/// Shows: S5
#[actix_web::test]
async fn a_request_that_is_one_too_many_is_refused_at_once_and_says_when_to_come_back() {
    let backend = FakeDownstream::start(Answer::json(&json!({"done": true})));
    let service = service(&backend).await;
    let hold = backend.hold();
    let admitted = [asking(&service, "/v1/work"), asking(&service, "/v1/work")];
    backend.arrived(2).await;

    let refused = service.get("/v1/work").await;
    assert_eq!(refused.status.as_u16(), 503);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let wait: u64 = refused.header("retry-after").expect("it says when").parse().expect("in seconds");
    assert!((1..=3).contains(&wait), "{wait}");
    assert_eq!(refused.header("x-content-type-options"), Some("nosniff"), "it is an answer like any other");
    let problem = refused.json();
    assert_eq!(problem["code"], "overloaded");
    assert_eq!(problem["requestId"].as_str(), refused.header("x-request-id"));
    assert_eq!(backend.calls(), 2, "nothing was done for it");

    assert_eq!(service.get_management("/readyz").await.status.as_u16(), 200, "probes are not limited");
    let metrics = service.get_management("/metrics").await.text();
    for name in [
        "trifront_server_concurrency_limit",
        "trifront_server_requests_in_flight",
        "trifront_server_requests_shed_total",
    ] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name}: {metrics}");
    }

    hold.release();
    for answer in admitted {
        assert_eq!(answer.await.expect("it ends").status.as_u16(), 200);
    }
    assert_eq!(service.get("/v1/work").await.status.as_u16(), 200, "the places came back");
}

/// Shows: S5
#[actix_web::test]
async fn a_route_that_waits_on_purpose_takes_no_place() {
    let backend = FakeDownstream::start(Answer::json(&json!({})));
    let service = service(&backend).await;
    let hold = backend.hold();
    let waiting = [asking(&service, "/v1/poll"), asking(&service, "/v1/poll"), asking(&service, "/v1/poll")];
    backend.arrived(3).await;
    assert_eq!(service.get("/v1/things/7").await.json(), json!({"id": "7"}));
    hold.release();
    for answer in waiting {
        assert_eq!(answer.await.expect("it ends").status.as_u16(), 200);
    }
}

/// Shows: S5
#[actix_web::test]
async fn clients_that_leave_give_their_places_back() {
    let backend = FakeDownstream::start(Answer::json(&json!({})));
    let service = service(&backend).await;
    let hold = backend.hold();
    let leaving = [asking(&service, "/v1/work"), asking(&service, "/v1/work")];
    backend.arrived(2).await;
    for request in leaving {
        request.abort();
    }
    backend.idle().await;
    hold.release();
    let back = shared_lib::testing::eventually(std::time::Duration::from_secs(10), || async {
        service.get("/v1/work").await.status.as_u16() == 200
    });
    assert!(back.await);
}
