//! Log lines as they are written, and the end of a process, with subscribers of the tests' own.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::Service;
use actix_web::test::{TestRequest, call_and_read_body, call_service, init_service, read_body};
use actix_web::{App, HttpResponse, web};
use opentelemetry::trace::{Tracer, TracerProvider};
use serde_json::Value;
use tracing::Span;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::request_id::TrustedCallers;
use super::request_span::{LongAnswer, RequestSpan};
use super::*;
use crate::clock::ManualClock;
use crate::settings::ContinuedTraces;

const IDENTITY: ServiceIdentity = ServiceIdentity { name: "test", version: "1.2.3" };

fn settings(endpoint: Option<Url>, export_timeout: Duration) -> TelemetrySettings {
    TelemetrySettings {
        log_format: LogFormat::Json,
        log_level: "info".to_owned(),
        service_name: None,
        otlp_endpoint: endpoint,
        continue_traces_of: ContinuedTraces::Everyone,
        trace_sample_ratio: 1.0,
        export_interval_ms: 60_000,
        export_timeout_ms: u64::try_from(export_timeout.as_millis()).expect("a short time"),
    }
}

fn provider(settings: &TelemetrySettings) -> SdkTracerProvider {
    let provider = exporter::provider(settings, IDENTITY, &OtelVariables::default());
    provider.expect("valid settings").expect("the SDK is on")
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn all(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(bytes).expect("log lines are UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }
}

/// Logs of this thread, as JSON lines, the handle on their filter, and the time that they show.
struct Logging {
    lines: Lines,
    handle: reload::Handle<EnvFilter, Registry>,
    clock: Clock,
    time: ManualClock,
    _default: tracing::subscriber::DefaultGuard,
}

fn logging(level: &str) -> Logging {
    let (clock, time) = Clock::manual();
    let lines = Lines::default();
    let writer = lines.clone();
    let (filter, handle) = reload::Layer::new(guard::log_filter(level).expect("a valid level"));
    let provider = provider(&settings(None, Duration::from_secs(1)));
    let subscriber = tracing_subscriber::registry()
        .with(
            log_lines(LogFormat::Json, clock.clone(), BoxMakeWriter::new(move || writer.clone()), false)
                .with_filter(filter),
        )
        .with(spans(Some(&provider)));
    Logging { lines, handle, clock, time, _default: tracing::subscriber::set_default(subscriber) }
}

fn guard(provider: Option<SdkTracerProvider>, filter: reload::Handle<EnvFilter, Registry>) -> TelemetryGuard {
    let export_timeout = Duration::from_millis(300);
    TelemetryGuard { provider, filter, level: Arc::new(RwLock::new("info".to_owned())), export_timeout }
}

/// Shows: S8
#[actix_web::test]
async fn a_request_is_logged_once_with_its_ids_and_its_route_pattern() {
    let Logging { lines, clock, time, _default, .. } = logging("info");
    global::set_text_map_propagator(exporter::propagator(otel_variables::Propagators::default()));
    let app = App::new()
        .app_data(TrustedCallers::default().continuing_traces_of(ContinuedTraces::Everyone))
        .wrap(RequestSpan::new(clock))
        .route("/items/{id}", web::get().to(|| async { HttpResponse::ImATeapot().body("short") }));
    let app = init_service(app).await;
    let request = TestRequest::get()
        .uri("/items/4711?email=a@b.example")
        .insert_header(("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
        .to_request();
    let answer = call_service(&app, request).await;
    assert_eq!(lines.all(), Vec::<Value>::new(), "the request is over when its body is");
    time.advance(Duration::from_micros(12_500));
    read_body(answer).await;

    let [line] = lines.all().try_into().expect("one line");
    assert_eq!(line["message"], "request served");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["target"], "shared_lib::telemetry::access_log");
    assert_eq!(line["method"], "GET");
    assert_eq!(line["route"], "/items/{id}");
    assert_eq!(line["status"], 418);
    assert_eq!(line["duration_ms"], 12.5);
    assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_ne!(line["span_id"], "b7ad6b7169203331");
    assert_eq!(line["span_id"].as_str().map(str::len), Some(16));
    assert_eq!(line["request_id"].as_str().map(str::len), Some(36));
    assert_eq!(line["timestamp"], "2026-01-01T00:00:00.012500Z");
    assert!(!line.to_string().contains("4711") && !line.to_string().contains("a@b.example"), "{line}");
}

/// Shows: S8
#[actix_web::test]
async fn a_long_answer_is_logged_at_its_end_with_the_ids_of_its_span_which_ended_before() {
    let Logging { lines, clock, time, _default, .. } = logging("info");
    global::set_text_map_propagator(exporter::propagator(otel_variables::Propagators::default()));
    let ticks = async || {
        let (span, mut answer) = (Span::current().id(), HttpResponse::Ok().finish());
        LongAnswer::mark(&mut answer);
        answer.extensions_mut().insert(span.expect("a request has a span"));
        answer
    };
    let app = App::new()
        .app_data(TrustedCallers::default().continuing_traces_of(ContinuedTraces::Everyone))
        .wrap(RequestSpan::new(clock))
        .route("/ticks", web::get().to(ticks));
    let app = init_service(app).await;
    let request = TestRequest::get()
        .uri("/ticks")
        .insert_header(("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
        .to_request();
    let answer = call_service(&app, request).await;
    let span = answer.response().extensions().get::<tracing::Id>().cloned().expect("the handler told it");
    let open = |span: &tracing::Id| {
        tracing::dispatcher::get_default(|dispatch| {
            dispatch.downcast_ref::<Registry>().is_some_and(|spans| LookupSpan::span(spans, span).is_some())
        })
    };
    assert!(!open(&span), "its span has ended");
    assert_eq!(lines.all(), Vec::<Value>::new());
    time.advance(Duration::from_secs(7_200));
    read_body(answer).await;

    let [line] = lines.all().try_into().expect("one line");
    assert_eq!(
        (&line["message"], &line["route"], &line["status"]),
        (&"request served".into(), &"/ticks".into(), &200.into())
    );
    assert_eq!(line["duration_ms"], 7_200_000.0);
    assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_ne!(line["span_id"], "b7ad6b7169203331");
    assert_eq!(line["span_id"].as_str().map(str::len), Some(16));
    assert_eq!(line["request_id"].as_str().map(str::len), Some(36));
}

#[actix_web::test]
async fn a_request_whose_client_leaves_is_logged_as_cancelled() {
    let Logging { lines, clock, _default, .. } = logging("info");
    let app =
        App::new().wrap(RequestSpan::new(clock)).route("/slow", web::get().to(std::future::pending::<HttpResponse>));
    let app = init_service(app).await;
    let mut call = Box::pin(app.call(TestRequest::get().uri("/slow").to_request()));
    assert!(futures_util::poll!(call.as_mut()).is_pending());
    drop(call);
    let [line] = lines.all().try_into().expect("one line");
    assert_eq!((&line["cancelled"], &line["route"]), (&Value::from(true), &Value::from("/slow")));
    assert_eq!(line.get("status"), None);
}

/// Shows: P8
#[actix_web::test]
async fn an_error_carries_the_request_id_whatever_the_log_level_is() {
    let Logging { lines, clock, _default, .. } = logging("error");
    let app = App::new().wrap(RequestSpan::new(clock)).route(
        "/",
        web::get().to(|| async {
            let cause = io::Error::other("inner");
            tracing::error!(error = &cause as &dyn std::error::Error, target = "forged", "it broke");
            "answered"
        }),
    );
    let app = init_service(app).await;
    call_and_read_body(&app, TestRequest::get().uri("/").to_request()).await;
    let [line] = lines.all().try_into().expect("the access line is below the level");
    assert_eq!(line["message"], "it broke");
    assert_eq!(line["error"], "inner");
    assert_eq!(line["field_target"], "forged");
    assert_eq!(line["request_id"].as_str().map(str::len), Some(36));
    assert_eq!(line["trace_id"].as_str().map(str::len), Some(32));
}

#[test]
fn the_log_level_changes_at_run_time_and_a_wrong_one_changes_nothing() {
    let Logging { lines, handle, _default, .. } = logging("info");
    let guard = guard(None, handle);
    tracing::debug!("one");
    guard.set_log_level("debug").expect("a valid level");
    tracing::debug!("two");
    assert!(matches!(guard.set_log_level("info,=/"), Err(LogLevelError::Syntax(_))));
    tracing::debug!("three");
    guard.set_log_level("warn").expect("a valid level");
    tracing::info!("four");
    assert_eq!(guard.log_level(), "warn");
    let messages: Vec<Value> = lines.all().iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["two", "three"]);
}

/// Shows: S9
#[actix_web::test]
async fn shutdown_is_bounded_while_the_collector_is_down() {
    // A socket that is never accepted from: connections stand and nothing answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", silent.local_addr().expect("a bound socket"));
    let settings = settings(Some(address.parse().expect("a URL")), Duration::from_secs(30));
    let provider = provider(&settings);
    provider.tracer(SCOPE).in_span("lost", |_| {});
    let (_, handle) = reload::Layer::new(guard::log_filter("info").expect("a valid level"));
    let guard = guard(Some(provider), handle);
    let (clock, started) = (Clock::system(), Clock::system().now());
    guard.shutdown().await;
    let elapsed = clock.now() - started;
    assert!(elapsed >= Duration::from_millis(250), "it tried: {elapsed:?}");
    assert!(elapsed < Duration::from_secs(3), "far below the exporter's own 30 s: {elapsed:?}");
}

/// Shows: S9
#[cfg(feature = "test-util")]
#[actix_web::test]
async fn shutdown_delivers_every_span_that_is_left() {
    let receiver = crate::testing::otlp::OtlpReceiver::start();
    let provider = provider(&settings(Some(receiver.endpoint()), Duration::from_secs(5)));
    let tracer = provider.tracer(SCOPE);
    for _ in 0..1000 {
        tracer.in_span("kept", |_| {});
    }
    let (_, handle) = reload::Layer::new(guard::log_filter("info").expect("a valid level"));
    let mut guard = guard(Some(provider), handle);
    guard.export_timeout = Duration::from_secs(5);
    guard.shutdown().await;
    let spans = receiver.spans();
    assert_eq!(spans.len(), 1000);
    assert_eq!(spans[0].resource["service.name"], "test");
    assert_eq!(spans[0].resource["service.version"], "1.2.3");
}

#[test]
fn libraries_under_the_exporter_and_debug_spans_are_not_exported() {
    use opentelemetry::trace::TraceContextExt;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let _logging = logging("trace");
    let is_exported = |span: tracing::Span| span.context().span().span_context().is_valid();
    assert!(is_exported(tracing::info_span!("ours")));
    assert!(is_exported(tracing::info_span!(target: "hyperbole", "theirs")));
    assert!(!is_exported(tracing::debug_span!("ours")));
    assert!(!is_exported(tracing::info_span!(target: "h2::client", "connection")));
    assert!(!is_exported(tracing::info_span!(target: "tower", "buffer")));
}

#[actix_web::test]
async fn a_collector_behind_tls_and_an_authority_that_cannot_be_read() {
    let settings = settings(Some("https://collector.example:4317".parse().expect("a URL")), Duration::from_secs(1));
    provider(&settings);
    let variables = OtelVariables { certificate: Some("/nowhere/ca.pem".to_owned()), ..OtelVariables::default() };
    let refused = exporter::provider(&settings, IDENTITY, &variables);
    assert!(matches!(refused, Err(TelemetryError::Certificate { .. })), "{refused:?}");
}

/// Shows: S8
#[test]
fn a_disabled_sdk_makes_no_spans_and_passes_the_callers_context_on() {
    use opentelemetry::trace::TraceContextExt;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let variables = OtelVariables { sdk_disabled: true, ..OtelVariables::default() };
    let provider = exporter::provider(&settings(None, Duration::from_secs(1)), IDENTITY, &variables);
    assert!(provider.expect("valid settings").is_none());
    let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans(None)));
    let callers = opentelemetry::trace::SpanContext::new(
        opentelemetry::TraceId::from_bytes([7; 16]),
        opentelemetry::SpanId::from_bytes([8; 8]),
        opentelemetry::TraceFlags::SAMPLED,
        true,
        opentelemetry::trace::TraceState::default(),
    );
    let span = tracing::info_span!("request");
    let parent = opentelemetry::Context::new().with_remote_span_context(callers.clone());
    span.set_parent(parent).expect("a span that has not begun");
    assert_eq!(span.context().span().span_context().trace_id(), callers.trace_id());
    assert_eq!(span.context().span().span_context().span_id(), callers.span_id());
}
