//! One request is one trace, through all services.

use shared_lib::{telemetry, testing::receive};

use crate::harness::Stage;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Shows: S8
#[actix_web::test]
async fn the_orders_service_is_called_in_the_callers_trace() {
    telemetry::for_test();
    let stage = Stage::with(&[("BFF_PARTNER__TELEMETRY__CONTINUE_TRACES_OF", "everyone")]).await;
    let request = stage.service.client().get(stage.service.url("/v1/orders")).bearer_auth(&stage.key);
    let orders =
        receive(request.insert_header(("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))).send()).await;
    assert_eq!(orders.status, 200);
    let calls = stage.sandbox.chaos().calls("orders");
    let parent = calls[0].headers.get("traceparent").expect("the service saw a traceparent");
    let [version, trace, span, flags] = parent.split('-').collect::<Vec<_>>()[..] else { panic!("{parent}") };
    assert_eq!((version, trace, flags), ("00", TRACE, "01"));
    assert_ne!(span, "00f067aa0ba902b7", "it is called by us, not by the partner");
}

/// Shows: P8
#[actix_web::test]
async fn support_finds_a_request_by_the_id_that_the_service_saw_too() {
    let stage = Stage::new().await;
    let orders = stage.get("/v1/orders").await;
    let id = orders.header("x-request-id").expect("every answer has an id");
    let calls = stage.sandbox.chaos().calls("orders");
    assert_eq!(calls[0].headers.get("x-request-id").map(String::as_str), Some(id));
}

/// Shows: P8
#[actix_web::test]
async fn a_refusal_has_the_id_in_its_body_too() {
    let stage = Stage::new().await;
    let refused = stage.service.get("/v1/orders").await;
    assert_eq!(refused.json()["requestId"].as_str(), refused.header("x-request-id"));
}
