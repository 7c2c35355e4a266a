//! The span of one inbound request, by OpenTelemetry's stable HTTP semantic conventions. It never holds a raw path, a
//! query, a cookie, an address or a user agent: those are unbounded or personal.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HOST;
use actix_web::http::uri::Authority;
use actix_web::http::{Method, StatusCode, Version};
use opentelemetry::trace::TraceContextExt;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::propagation;
use super::request_id::{RequestId, TrustedCallers};

/// The target of request spans. The log filter always lets it through, so that an error is found by its request id
/// whatever the log level is.
pub(super) const TARGET: &str = "http_server";

const MAX_HOST_BYTES: usize = 253;

/// The span of a request that begins, which gets its id.
pub(super) fn begin(request: &ServiceRequest) -> Span {
    let request_id = RequestId::assign(request);
    let method = method_name(request.method());
    let route = request.match_pattern();
    let name = match &route {
        Some(route) => format!("{} {route}", if method == OTHER { "HTTP" } else { method }),
        None => if method == OTHER { "HTTP" } else { method }.to_owned(),
    };
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        url.scheme = scheme(request),
        server.address = host(request),
        network.protocol.version = version(request.version()),
        error.type = Empty,
        request_id = request_id.as_str(),
    );
    let sent = propagation::extract(request.headers());
    if TrustedCallers::continue_trace(request) {
        // Fails only where no layer exports spans, and then there is no parent to set.
        let _ = span.set_parent(sent);
    } else if sent.span().span_context().is_valid() {
        // Found from either trace, but neither the caller's decision to record nor its baggage goes any further.
        span.add_link(sent.span().span_context().clone());
    }
    span
}

/// The name of what [`after`] gives, which is never exported.
pub(super) const AFTERWARDS: &str = "after the request";

/// What is logged in the name of a request whose span has ended is logged within this: it has the request's id.
pub(super) fn after(request: Option<&RequestId>) -> Span {
    tracing::info_span!(target: TARGET, AFTERWARDS, request_id = request.map(RequestId::as_str))
}

/// For a server, only its own failures make the span an error.
pub(super) fn record_status(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("error.type", status.as_str());
        span.record("otel.status_code", "ERROR");
    }
}

const OTHER: &str = "_OTHER";

/// The methods of RFC 9110 and RFC 5789; any other is `_OTHER`, so that a client cannot make up values.
pub(super) fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or(OTHER)
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// What the client used, as far as that is known: a trusted proxy says it, else it is what this listener speaks.
fn scheme(request: &ServiceRequest) -> &'static str {
    let forwarded = TrustedCallers::trusts(request).then(|| request.connection_info().scheme() == "https");
    if forwarded.unwrap_or_else(|| request.app_config().secure()) { "https" } else { "http" }
}

/// The host that the client asked for, without its port.
fn host(request: &ServiceRequest) -> Option<String> {
    let asked = if TrustedCallers::trusts(request) {
        request.connection_info().host().to_owned()
    } else {
        let authority = request.uri().authority().map(Authority::as_str);
        authority.or_else(|| request.headers().get(HOST)?.to_str().ok())?.to_owned()
    };
    let url = url::Url::parse(&format!("http://{asked}")).ok()?;
    url.host_str().filter(|host| host.len() <= MAX_HOST_BYTES).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_method_is_not_a_value_of_its_own() {
        assert_eq!(method_name(&Method::PATCH), "PATCH");
        assert_eq!(method_name(&Method::from_bytes(b"BREW").expect("a token")), "_OTHER");
    }
}
