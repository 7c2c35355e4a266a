//! One info line per request when it is over: `method`, `route` (the pattern), `status`, `duration_ms`; the log format
//! adds the request's and the trace's ids.
//!
//! Over means that the answer's body has ended, so a stream is logged with the time that it lived, under the ids of its
//! span, which may have ended long before ([`LongAnswer`]). A request whose client went away before it was answered is
//! logged as `cancelled`. Stands directly inside the request's span.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage, HttpRequest};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
use opentelemetry::{SpanId, TraceFlags, TraceId};
use pin_project_lite::pin_project;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::request_id::RequestId;
use super::request_span::LongAnswer;
use super::root_span::{self, method_name};
use crate::clock::Clock;

/// Logs requests: `App::wrap(AccessLog::new(clock)).wrap(RequestSpan)`.
#[derive(Debug, Clone)]
pub struct AccessLog {
    clock: Clock,
}

impl AccessLog {
    /// Measures by this clock.
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

impl<S, B> Transform<S, ServiceRequest> for AccessLog
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<LoggedBody<B>>;
    type Error = Error;
    type Transform = AccessLogService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(AccessLogService { service, clock: self.clock.clone() }))
    }
}

/// See [`AccessLog`].
#[derive(Debug)]
pub struct AccessLogService<S> {
    service: S,
    clock: Clock,
}

impl<S, B> Service<ServiceRequest> for AccessLogService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<LoggedBody<B>>;
    type Error = Error;
    type Future = LoggedResponse<S::Future>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let entry = Entry {
            place: Place::Within(Span::current()),
            started: self.clock.now(),
            clock: self.clock.clone(),
            method: method_name(request.method()),
            route: request.match_pattern(),
            status: None,
        };
        LoggedResponse { future: self.service.call(request), entry: Some(entry) }
    }
}

pin_project! {
    /// The answer in the making.
    pub struct LoggedResponse<F> {
        #[pin]
        future: F,
        entry: Option<Entry>,
    }
}

impl<F, B> Future for LoggedResponse<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Result<ServiceResponse<LoggedBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = std::task::ready!(this.future.poll(context));
        let mut entry = this.entry.take();
        if let Some(entry) = &mut entry {
            entry.status = Some(match &outcome {
                Ok(response) => response.status(),
                Err(error) => error.as_response_error().status_code(),
            });
            if let Ok(response) = &outcome
                && LongAnswer::is(response)
            {
                entry.place.leave_span(response.request());
            }
        }
        Poll::Ready(outcome.map(|response| response.map_body(|_, body| LoggedBody { body, entry })))
    }
}

pin_project! {
    /// A body whose end is the end of the request.
    pub struct LoggedBody<B> {
        #[pin]
        body: B,
        entry: Option<Entry>,
    }
}

impl<B: MessageBody> MessageBody for LoggedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        self.project().body.poll_next(context)
    }
}

/// One line, written when it is dropped: a dropped future and a dropped body are ends, too.
struct Entry {
    place: Place,
    clock: Clock,
    started: Instant,
    method: &'static str,
    route: Option<String>,
    status: Option<StatusCode>,
}

/// Where the line stands in the trace.
enum Place {
    /// Within the request's span, which is open.
    Within(Span),
    /// The span has ended. What is left of it are its ids.
    After { trace: TraceId, span: SpanId, flags: TraceFlags, request: Option<RequestId> },
}

impl Place {
    /// Lets go of the span and keeps its ids.
    fn leave_span(&mut self, request: &HttpRequest) {
        if let Self::Within(span) = self {
            let context = span.context();
            let (span, request) = (context.span(), request.extensions().get::<RequestId>().cloned());
            let ids = span.span_context();
            let (trace, span, flags) = (ids.trace_id(), ids.span_id(), ids.trace_flags());
            *self = Self::After { trace, span, flags, request };
        }
    }

    fn write(&self, line: impl FnOnce()) {
        match self {
            Self::Within(span) => span.in_scope(line),
            Self::After { trace, span, flags, request } => {
                let ids = SpanContext::new(*trace, *span, *flags, false, TraceState::NONE);
                let _attached = opentelemetry::Context::new().with_remote_span_context(ids).attach();
                root_span::after(request.as_ref()).in_scope(line);
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let (method, route) = (self.method, self.route.as_deref());
        let duration_ms = self.clock.now().saturating_duration_since(self.started).as_secs_f64() * 1000.0;
        self.place.write(|| match self.status {
            Some(status) => {
                tracing::info!(method, route, status = status.as_u16(), duration_ms, "request served");
            }
            None => tracing::info!(method, route, cancelled = true, duration_ms, "request cancelled by its client"),
        });
    }
}
