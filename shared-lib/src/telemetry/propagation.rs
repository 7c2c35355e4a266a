//! The trace's context in and out: W3C `traceparent`, `tracestate` and `baggage`, by the process's propagators (see
//! `OTEL_PROPAGATORS`). actix and awc stand on `http` 0.2, for which OpenTelemetry has no carrier, so ours are here.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::{Context, global};
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};

/// The context that a caller sent, on top of no other. Empty when the caller sent none or a malformed one.
pub fn extract(headers: &HeaderMap) -> Context {
    global::get_text_map_propagator(|propagator| propagator.extract_with_context(&Context::new(), &Inbound(headers)))
}

/// Writes the context into the headers of a call, in place of any that is there.
pub fn inject(context: &Context, headers: &mut HeaderMap) {
    global::get_text_map_propagator(|propagator| {
        for field in propagator.fields() {
            headers.remove(field);
        }
        propagator.inject_context(context, &mut Outbound(headers));
    });
}

/// [`inject`] for gRPC.
pub fn inject_metadata(context: &Context, metadata: &mut MetadataMap) {
    global::get_text_map_propagator(|propagator| {
        for field in propagator.fields() {
            metadata.remove(field);
        }
        propagator.inject_context(context, &mut OutboundMetadata(metadata));
    });
}

struct Inbound<'a>(&'a HeaderMap);

impl Extractor for Inbound<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values: Vec<&str> = self.0.get_all(key).filter_map(|value| value.to_str().ok()).collect();
        (!values.is_empty()).then_some(values)
    }
}

struct Outbound<'a>(&'a mut HeaderMap);

impl Injector for Outbound<'_> {
    fn set(&mut self, key: &str, value: String) {
        // An empty `tracestate` says nothing, and some servers refuse it.
        if value.is_empty() {
            return;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

struct OutboundMetadata<'a>(&'a mut MetadataMap);

impl Injector for OutboundMetadata<'_> {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            return;
        }
        if let (Ok(key), Ok(value)) = (MetadataKey::from_bytes(key.as_bytes()), MetadataValue::try_from(value)) {
            self.0.insert(key, value);
        }
    }
}
