//! One trace from the caller through this service to all four behind it.

use std::collections::BTreeMap;

use actix_web::http::{Method, header::HeaderName};
use opentelemetry::TraceId;
use shared_lib::telemetry;

use crate::harness::{PATIENCE, World};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Shows: S8
#[actix_web::test]
async fn one_trace_runs_from_the_caller_through_the_bff_to_all_four_services() {
    let telemetry = telemetry::for_test();
    let world = World::start_with(&[("BFF_WEB__TELEMETRY__CONTINUE_TRACES_OF", "everyone")]).await;
    let mut alice = world.signed_in("alice").await;
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let headers = [(HeaderName::from_static("traceparent"), traceparent)];
    let answer = alice.fetch_with(Method::GET, "/api/v2/dashboard", &headers).await;
    assert_eq!(answer.status, 200);

    let id = TraceId::from_hex(TRACE).expect("a trace id");
    let is_whole = |spans: &[shared_lib::testing::otlp::ReceivedSpan]| {
        spans.iter().any(|span| span.kind == "server") && spans.iter().filter(|span| span.kind == "client").count() >= 4
    };
    let spans = telemetry.receiver.wait_for_trace(id, is_whole, PATIENCE).await.expect("the trace arrives");
    let server = spans.iter().find(|span| span.kind == "server").expect("the request's span");
    assert_eq!(server.parent_span_id, PARENT, "the caller's span is the parent");
    assert_eq!(server.attribute("http.route"), "/api/v2/dashboard");

    // Each service was told the span of its own call as the parent.
    let clients: BTreeMap<&str, &str> = spans
        .iter()
        .filter(|span| span.kind == "client")
        .map(|span| (span.attribute("peer.service"), span.span_id.as_str()))
        .collect();
    let mut asked: Vec<&str> = clients.keys().copied().collect();
    asked.sort_unstable();
    assert_eq!(asked, ["accounts", "notifications", "orders", "users"]);
    for (service, span) in clients {
        let calls = world.sandbox.chaos().calls(service);
        let told: Vec<_> = calls.iter().filter_map(|call| call.headers.get("traceparent")).collect();
        assert_eq!(told, [&format!("00-{TRACE}-{span}-01")], "{service}");
    }
}
