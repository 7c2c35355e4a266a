//! A collector for tests: receives spans by OTLP over gRPC and lets a test wait for them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use opentelemetry::TraceId;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use tokio::sync::{oneshot, watch};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use url::Url;

/// A span as it arrived, in the form in which tests ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedSpan {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// 16 hexadecimal digits; empty for the root of a trace.
    pub parent_span_id: String,
    /// The span's name.
    pub name: String,
    /// `server`, `client`, `internal`, `producer`, `consumer` or `unspecified`.
    pub kind: &'static str,
    /// Whether its status is an error.
    pub is_error: bool,
    /// The traces that it links to, 32 hexadecimal digits each.
    pub linked_traces: Vec<String>,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// The attributes of the resource that sent it, such as `service.name`, as text.
    pub resource: BTreeMap<String, String>,
    /// The instrumentation scope that made it.
    pub scope: String,
}

impl ReceivedSpan {
    /// An attribute's value, or empty text.
    pub fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

/// A collector on a port of its own and on a thread of its own, so that it outlives the runtime of the test that
/// started it. Dropping it stops it.
#[derive(Debug)]
pub struct OtlpReceiver {
    address: SocketAddr,
    spans: watch::Sender<Vec<ReceivedSpan>>,
    _stop: oneshot::Sender<()>,
}

impl OtlpReceiver {
    /// Starts a collector.
    ///
    /// # Panics
    /// When no socket or thread can be had.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a non-blocking socket");
        let address = listener.local_addr().expect("a bound socket");
        let (spans, _) = watch::channel(Vec::new());
        let (stop, stopped) = oneshot::channel::<()>();
        let collector = Collector(spans.clone());
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
                let server = Server::builder()
                    .add_service(TraceServiceServer::new(collector))
                    .serve_with_incoming(TcpIncoming::from(listener));
                tokio::select! {
                    served = server => served.expect("the collector serves"),
                    _ = stopped => {}
                }
            });
        };
        std::thread::Builder::new().name("otlp-receiver".to_owned()).spawn(serve).expect("a thread");
        Self { address, spans, _stop: stop }
    }

    /// What to set as `telemetry.otlp_endpoint`.
    ///
    /// # Panics
    /// Never: a socket's address is always part of a valid URL.
    pub fn endpoint(&self) -> Url {
        Url::parse(&format!("http://{}", self.address)).expect("a valid URL")
    }

    /// All spans that arrived so far.
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.spans.borrow().clone()
    }

    /// The spans of one trace that arrived so far.
    pub fn spans_of_trace(&self, id: TraceId) -> Vec<ReceivedSpan> {
        of_trace(&self.spans.borrow(), id)
    }

    /// Waits until the spans that arrived satisfy the predicate, and returns them all; `None` when the time is over.
    pub async fn wait_for(
        &self,
        predicate: impl Fn(&[ReceivedSpan]) -> bool,
        timeout: Duration,
    ) -> Option<Vec<ReceivedSpan>> {
        let mut arrivals = self.spans.subscribe();
        let wait = arrivals.wait_for(|spans| predicate(spans));
        let spans = tokio::time::timeout(timeout, wait).await.ok()?.ok()?;
        Some(spans.clone())
    }

    /// [`OtlpReceiver::wait_for`] over the spans of one trace, which it returns.
    pub async fn wait_for_trace(
        &self,
        id: TraceId,
        predicate: impl Fn(&[ReceivedSpan]) -> bool,
        timeout: Duration,
    ) -> Option<Vec<ReceivedSpan>> {
        let spans = self.wait_for(|spans| predicate(&of_trace(spans, id)), timeout).await?;
        Some(of_trace(&spans, id))
    }
}

fn of_trace(spans: &[ReceivedSpan], id: TraceId) -> Vec<ReceivedSpan> {
    let id = id.to_string();
    spans.iter().filter(|span| span.trace_id == id).cloned().collect()
}

struct Collector(watch::Sender<Vec<ReceivedSpan>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut arrived = Vec::new();
        for resource_spans in request.into_inner().resource_spans {
            let resource = texts(resource_spans.resource.map(|resource| resource.attributes).unwrap_or_default());
            for scope_spans in resource_spans.scope_spans {
                let scope = scope_spans.scope.map(|scope| scope.name).unwrap_or_default();
                arrived.extend(scope_spans.spans.into_iter().map(|span| received(span, &resource, &scope)));
            }
        }
        self.0.send_modify(|spans| spans.append(&mut arrived));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn received(span: Span, resource: &BTreeMap<String, String>, scope: &str) -> ReceivedSpan {
    let kind = match span.kind() {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Internal => "internal",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Unspecified => "unspecified",
    };
    ReceivedSpan {
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_span_id: hex(&span.parent_span_id),
        name: span.name,
        kind,
        is_error: span.status.is_some_and(|status| status.code() == StatusCode::Error),
        linked_traces: span.links.iter().map(|link| hex(&link.trace_id)).collect(),
        attributes: texts(span.attributes),
        resource: resource.clone(),
        scope: scope.to_owned(),
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::StringValue(text) => text,
        Value::BoolValue(flag) => flag.to_string(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = attributes.into_iter();
    pairs.map(|pair| (pair.key, pair.value.and_then(|any| any.value).map(text).unwrap_or_default())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
