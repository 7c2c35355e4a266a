//! One span and one measurement for each attempt on the wire, by the HTTP semantic conventions.
//!
//! Client spans are made by the OpenTelemetry API itself: they are the most frequent spans of a fan-out, and this way
//! an unsampled one costs a tenth of what it costs through `tracing`.

use std::{borrow::Cow, time::Duration};

use opentelemetry::{
    Context, KeyValue, global,
    metrics::Histogram,
    trace::{SpanKind, Status, TraceContextExt, Tracer},
};

use super::error::Failure;
use crate::telemetry::metrics::SECONDS;

/// Measures the attempts of one downstream.
#[derive(Debug)]
pub(super) struct Observer {
    service: String,
    duration: Histogram<f64>,
}

impl Observer {
    pub(super) fn new(service: &str) -> Self {
        let duration = global::meter("trifront.downstream")
            .f64_histogram("http.client.request.duration")
            .with_unit("s")
            .with_boundaries(SECONDS.to_vec())
            .with_description("Duration of one attempt on the wire, to the last byte of the body")
            .build();
        Self { service: service.to_owned(), duration }
    }

    /// Begins the span of an attempt below `parent`. Where the trace is not recorded, the parent goes on unchanged.
    pub(super) fn begin(&self, parent: &Context, method: &str, attempt: u32) -> Context {
        if !parent.span().span_context().is_sampled() {
            return parent.clone();
        }
        let tracer = global::tracer("trifront.downstream");
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("peer.service", self.service.clone()),
        ];
        if attempt > 0 {
            attributes.push(KeyValue::new("http.request.resend_count", i64::from(attempt)));
        }
        let span = tracer
            .span_builder(format!("{method} {}", self.service))
            .with_kind(SpanKind::Client)
            .with_attributes(attributes)
            .start_with_context(&tracer, parent);
        parent.with_span(span)
    }

    /// Ends the span and measures the attempt. `status` is the HTTP or gRPC status, where one came.
    pub(super) fn end(
        &self,
        own: &Context,
        parent: &Context,
        method: &str,
        took: Duration,
        outcome: Result<u16, &Failure>,
    ) {
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("peer.service", self.service.clone()),
        ];
        let status = match outcome {
            Ok(status) => Some(status),
            Err(Failure::Status { status, .. }) => Some(status.as_u16()),
            Err(_) => None,
        };
        attributes.extend(status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))));
        let error = outcome.err().map(Failure::reason);
        attributes.extend(error.map(|reason| KeyValue::new("error.type", reason)));
        self.duration.record(took.as_secs_f64(), &attributes);

        // A span of its own only exists where `begin` made one.
        if own.span().span_context().span_id() == parent.span().span_context().span_id() {
            return;
        }
        let span = own.span();
        span.set_attributes(attributes.into_iter().skip(2));
        if let Some(reason) = error {
            span.set_status(Status::Error { description: Cow::Borrowed(reason) });
        }
        span.end();
    }
}
