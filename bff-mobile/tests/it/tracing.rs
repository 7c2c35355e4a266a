//! One request is one trace, through all services.

use shared_lib::{telemetry, testing::receive};

use crate::harness::Stage;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Shows: S8
#[actix_web::test]
async fn every_service_behind_a_screen_is_called_in_the_callers_trace() {
    telemetry::for_test();
    let stage = Stage::with(&[("BFF_MOBILE__TELEMETRY__CONTINUE_TRACES_OF", "everyone")]).await;
    let request = stage.service.client().get(stage.service.url("/v1/home")).bearer_auth(stage.token("alice"));
    let home = receive(request.insert_header(("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))).send()).await;
    assert_eq!(home.status, 200);
    let mut spans = Vec::new();
    for service in ["accounts", "notifications", "orders", "promotions", "users"] {
        let calls = stage.sandbox.chaos().calls(service);
        let parent = calls[0].headers.get("traceparent").unwrap_or_else(|| panic!("{service} saw no traceparent"));
        let [version, trace, span, flags] = parent.split('-').collect::<Vec<_>>()[..] else {
            panic!("{service}: {parent}");
        };
        assert_eq!((version, trace, flags), ("00", TRACE, "01"), "{service}");
        assert_ne!(span, "00f067aa0ba902b7", "{service} is called by us, not by the app");
        spans.push(span.to_owned());
    }
    spans.sort();
    spans.dedup();
    assert_eq!(spans.len(), 5, "each call has a span of its own");
}

#[actix_web::test]
async fn support_finds_a_request_by_the_id_that_the_services_saw_too() {
    let stage = Stage::new().await;
    let home = stage.get("/v1/home").await;
    let id = home.header("x-request-id").expect("every answer has an id");
    let calls = stage.sandbox.chaos().calls("users");
    assert_eq!(calls[0].headers.get("x-request-id").map(String::as_str), Some(id));
}
