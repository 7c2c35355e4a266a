//! One info line per request when it is over: `method`, `route` (the pattern), `status`, `duration_ms`; the log format
//! adds the request's and the trace's ids.
//!
//! Over means that the answer's body has ended, so a stream is logged with the time that it lived, under the ids of its
//! span, which has ended long before. A request whose client went away before it was answered is logged as `cancelled`.

use std::time::Instant;

use actix_web::{HttpMessage, HttpRequest, dev::ServiceRequest, http::StatusCode};
use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    request_id::RequestId,
    root_span::{self, method_name},
};
use crate::clock::Clock;

/// The line of one request, and its span. It is written when it is dropped: a dropped future and a dropped body are ends,
/// too.
pub(super) struct Entry {
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

impl Entry {
    /// Of a request that begins.
    pub(super) fn begin(request: &ServiceRequest, clock: Clock) -> Self {
        Self {
            place: Place::Within(root_span::begin(request)),
            started: clock.now(),
            clock,
            method: method_name(request.method()),
            route: request.match_pattern(),
            status: None,
        }
    }

    /// Does this within the request's span, as long as that is open.
    pub(super) fn in_scope<T>(&self, step: impl FnOnce() -> T) -> T {
        match &self.place {
            Place::Within(span) => span.in_scope(step),
            Place::After { .. } => step(),
        }
    }

    /// The answer's head is there.
    pub(super) fn answered(&mut self, status: StatusCode) {
        if let Place::Within(span) = &self.place {
            root_span::record_status(span, status);
        }
        self.status = Some(status);
    }

    /// Ends the span and keeps its ids.
    pub(super) fn end_span(&mut self, request: &HttpRequest) {
        if let Place::Within(span) = &self.place {
            let context = span.context();
            let request = request.extensions().get::<RequestId>().cloned();
            let ids = context.span().span_context().clone();
            let (trace, span, flags) = (ids.trace_id(), ids.span_id(), ids.trace_flags());
            self.place = Place::After { trace, span, flags, request };
        }
    }

    fn write(&self) {
        let (method, route) = (self.method, self.route.as_deref());
        let duration_ms = self.clock.now().saturating_duration_since(self.started).as_secs_f64() * 1000.0;
        match self.status {
            Some(status) => {
                tracing::info!(method, route, status = status.as_u16(), duration_ms, "request served");
            }
            None => tracing::info!(method, route, cancelled = true, duration_ms, "request cancelled by its client"),
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        match &self.place {
            Place::Within(span) => span.in_scope(|| self.write()),
            Place::After { trace, span, flags, request } => {
                let ids = SpanContext::new(*trace, *span, *flags, false, TraceState::NONE);
                let _attached = Context::new().with_remote_span_context(ids).attach();
                root_span::after(request.as_ref()).in_scope(|| self.write());
            }
        }
    }
}
