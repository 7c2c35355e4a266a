//! Spans as they reach a collector, and the context on its way in and out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpResponse, web};
use futures_util::stream;
use opentelemetry::TraceId;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::TraceContextExt;
use shared_lib::clock::Clock;
use shared_lib::telemetry::request_id::{RequestId, TrustedCallers};
use shared_lib::telemetry::request_span::{LongAnswer, RequestSpan};
use shared_lib::telemetry::{for_test, propagation};
use shared_lib::testing::otlp::ReceivedSpan;
use tonic::metadata::MetadataMap;

const PATIENCE: Duration = Duration::from_secs(10);
const PARENT: &str = "b7ad6b7169203331";

/// A trace of the test's own, and the header by which a caller sends it.
fn trace(sampled: bool) -> (TraceId, String) {
    let id = TraceId::from_bytes(*uuid::Uuid::new_v4().as_bytes());
    (id, format!("00-{id}-{PARENT}-{}", if sampled { "01" } else { "00" }))
}

/// Sends one request from a trusted proxy through the middleware of a service and returns its status.
async fn send(request: TestRequest) -> u16 {
    send_from("10.0.0.7:4000", request).await
}

/// [`send`] from this address.
async fn send_from(peer: &str, request: TestRequest) -> u16 {
    for_test();
    let request = request.peer_addr(peer.parse().expect("an address"));
    let app = App::new()
        .app_data(TrustedCallers::new(&["10.0.0.0/8".parse().expect("a network")]))
        .wrap(RequestSpan::new(Clock::system()))
        .service(
            web::scope("/api/v2")
                .route("/items/{id}", web::get().to(|id: RequestId| async move { id.to_string() }))
                .route("/broken", web::get().to(HttpResponse::BadGateway))
                .route("/ticks", web::get().to(ticks)),
        );
    let app = init_service(app).await;
    let answer = call_service(&app, request.to_request()).await;
    let status = answer.status().as_u16();
    if answer.response().extensions().contains::<LongAnswer>() {
        drop(LEFT_OPEN.replace(Some(answer.map_into_boxed_body())));
        return status;
    }
    read_body(answer).await;
    status
}

thread_local! {
    /// A long answer, which its reader keeps.
    static LEFT_OPEN: RefCell<Option<ServiceResponse>> = const { RefCell::new(None) };
}

/// An answer that goes on for as long as its client likes.
async fn ticks() -> HttpResponse {
    let mut answer = HttpResponse::Ok().streaming(stream::pending::<Result<web::Bytes, actix_web::Error>>());
    LongAnswer::mark(&mut answer);
    answer
}

async fn only_span(id: TraceId) -> ReceivedSpan {
    let arrived = for_test().receiver.wait_for_trace(id, |spans| !spans.is_empty(), PATIENCE).await;
    let [span] = arrived.expect("the span arrives").try_into().expect("one span");
    span
}

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Shows: S8
#[actix_web::test]
async fn a_request_reaches_the_collector_as_a_server_span_with_the_callers_trace_and_nothing_personal() {
    let (id, traceparent) = trace(true);
    let request = TestRequest::get()
        .uri("/api/v2/items/4711?email=a@b.example")
        .insert_header(("traceparent", traceparent))
        .insert_header(("x-request-id", "edge-1"))
        .insert_header(("host", "shop.example:8443"))
        .insert_header(("x-forwarded-proto", "https"))
        .insert_header(("cookie", "session=secret"))
        .insert_header(("user-agent", "someone's phone"));
    assert_eq!(send(request).await, 200);
    let span = only_span(id).await;
    assert_eq!((span.name.as_str(), span.kind, span.is_error), ("GET /api/v2/items/{id}", "server", false));
    assert_eq!(span.parent_span_id, PARENT);
    assert_eq!(
        span.attributes,
        attributes(&[
            ("http.request.method", "GET"),
            ("http.route", "/api/v2/items/{id}"),
            ("http.response.status_code", "200"),
            ("url.scheme", "https"),
            ("server.address", "shop.example"),
            ("network.protocol.version", "1.1"),
            ("request_id", "edge-1"),
        ])
    );
    assert_eq!(span.resource["service.name"], "test");
}

/// Shows: S8
#[actix_web::test]
async fn a_failure_of_the_server_is_an_error_and_one_of_the_client_is_not() {
    let ((broken, broken_parent), (missing, missing_parent)) = (trace(true), trace(true));
    let get = |path: &str, parent: &str| TestRequest::get().uri(path).insert_header(("traceparent", parent.to_owned()));
    assert_eq!(send(get("/api/v2/broken", &broken_parent)).await, 502);
    assert_eq!(send(get("/no/such/path/4711", &missing_parent)).await, 404);
    let broken = only_span(broken).await;
    assert!(broken.is_error);
    assert_eq!((broken.attribute("error.type"), broken.attribute("http.response.status_code")), ("502", "502"));
    let missing = only_span(missing).await;
    assert!(!missing.is_error);
    assert_eq!((missing.name.as_str(), missing.attribute("error.type")), ("GET", ""));
    assert!(!format!("{missing:?}").contains("4711"), "{missing:?}");
}

/// Shows: S8
#[actix_web::test]
async fn the_span_of_a_long_answer_arrives_while_the_answer_goes_on_and_nothing_follows_it() {
    let (id, traceparent) = trace(true);
    let request = TestRequest::get().uri("/api/v2/ticks").insert_header(("traceparent", traceparent));
    assert_eq!(send(request).await, 200);
    let span = only_span(id).await;
    assert_eq!((span.name.as_str(), span.attribute("http.response.status_code")), ("GET /api/v2/ticks", "200"));
    assert!(LEFT_OPEN.take().is_some(), "the answer went on until now, and its line in the log is written");

    let (next, traceparent) = trace(true);
    send(TestRequest::get().uri("/api/v2/items/1").insert_header(("traceparent", traceparent))).await;
    // Spans leave in the order in which they ended, so another one would be there by now.
    only_span(next).await;
    assert_eq!(for_test().receiver.spans_of_trace(id).len(), 1);
}

/// Shows: S8
#[actix_web::test]
async fn a_callers_decision_not_to_sample_is_kept() {
    let ((unsampled, unsampled_parent), (sampled, sampled_parent)) = (trace(false), trace(true));
    for parent in [unsampled_parent, sampled_parent] {
        send(TestRequest::get().uri("/api/v2/items/1").insert_header(("traceparent", parent))).await;
    }
    // Spans leave in the order in which they ended, so the first one would be there by now.
    only_span(sampled).await;
    assert_eq!(for_test().receiver.spans_of_trace(unsampled), []);
}

/// Shows: S8
#[actix_web::test]
async fn a_request_of_a_stranger_begins_a_trace_of_its_own_that_links_to_the_callers() {
    let (id, traceparent) = trace(false);
    let request = TestRequest::get()
        .uri("/api/v2/items/1")
        .insert_header(("traceparent", traceparent))
        .insert_header(("baggage", "tenant=acme"));
    assert_eq!(send_from("192.0.2.1:4000", request).await, 200);
    let links_here = |span: &ReceivedSpan| span.linked_traces == [id.to_string()];
    let arrived = for_test().receiver.wait_for(|spans| spans.iter().any(links_here), PATIENCE).await;
    let span = arrived.expect("it is recorded, whatever the caller decided").into_iter().find(links_here);
    let span = span.expect("the span that was waited for");
    assert_eq!(span.parent_span_id, "", "it is the root of its trace");
    assert_ne!(span.trace_id, id.to_string());
    assert_eq!(for_test().receiver.spans_of_trace(id), []);
}

/// Shows: S8
#[test]
fn the_context_goes_in_and_out_in_the_w3c_headers() {
    for_test();
    let (id, traceparent) = trace(true);
    let mut inbound = HeaderMap::new();
    let mut add = |name: &'static str, value: &str| {
        inbound.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header's value"));
    };
    add("traceparent", &traceparent);
    add("tracestate", "vendor=1");
    add("baggage", "tenant=acme");
    let context = propagation::extract(&inbound);
    assert_eq!(context.span().span_context().trace_id(), id);
    assert_eq!(context.baggage().get("tenant").map(ToString::to_string).as_deref(), Some("acme"));

    let mut outbound = HeaderMap::new();
    outbound.insert(HeaderName::from_static("traceparent"), HeaderValue::from_static("forged"));
    propagation::inject(&context, &mut outbound);
    let text = |name: &str| outbound.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    assert_eq!(text("traceparent"), Some(traceparent.clone()));
    assert_eq!(text("tracestate").as_deref(), Some("vendor=1"));
    assert_eq!(text("baggage").as_deref(), Some("tenant=acme"));

    let mut metadata = MetadataMap::new();
    propagation::inject_metadata(&context, &mut metadata);
    assert_eq!(metadata.get("traceparent").and_then(|value| value.to_str().ok()), Some(traceparent.as_str()));
}

/// Shows: S8
#[test]
fn an_empty_tracestate_and_the_context_of_no_trace_are_not_sent() {
    for_test();
    let (_, traceparent) = trace(true);
    let mut inbound = HeaderMap::new();
    inbound
        .insert(HeaderName::from_static("traceparent"), HeaderValue::from_str(&traceparent).expect("a header's value"));
    let mut outbound = HeaderMap::new();
    propagation::inject(&propagation::extract(&inbound), &mut outbound);
    let names: Vec<&str> = outbound.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["traceparent"]);

    // A stale context of an earlier attempt does not stay.
    propagation::inject(&opentelemetry::Context::new(), &mut outbound);
    assert!(outbound.is_empty(), "{outbound:?}");
}
