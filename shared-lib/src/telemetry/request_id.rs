//! The id under which support finds one request: in the answer, in the logs, in the trace and at the downstreams.

use std::fmt;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use ipnet::IpNet;
use tonic::metadata::{MetadataMap, MetadataValue};
use uuid::Uuid;

use crate::settings::ContinuedTraces;

/// Carries the id, inbound and outbound.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static(NAME);

const NAME: &str = "x-request-id";

const MAX_LENGTH: usize = 64;

/// The id of one inbound request: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, so that it is safe in headers and logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A new id (UUID version 7, RFC 9562, so that ids sort by time).
    pub fn fresh() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// Takes an id from outside. `None` when it is not well-formed.
    pub fn parse(text: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let well_formed = (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed);
        well_formed.then(|| Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a header's value.
    pub fn header_value(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.as_str()).ok()
    }

    /// The id of an inbound request: the one it already has, else a trusted caller's, else a fresh one. Stored in the
    /// request's extensions.
    pub fn assign(request: &ServiceRequest) -> Self {
        if let Some(known) = request.extensions().get::<Self>() {
            return known.clone();
        }
        let given = TrustedCallers::trusts(request).then(|| single(request.headers())).flatten().and_then(Self::parse);
        let id = given.unwrap_or_else(Self::fresh);
        request.extensions_mut().insert(id.clone());
        id
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Never fails: a request that passed no telemetry middleware, as in a unit test, gets a fresh id.
impl FromRequest for RequestId {
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.extensions().get::<Self>().cloned();
        ready(Ok(id.unwrap_or_else(|| {
            let id = Self::fresh();
            request.extensions_mut().insert(id.clone());
            id
        })))
    }
}

/// The networks whose `x-request-id` and `traceparent` are believed: the edge proxies. Put it into the app's data
/// (`App::app_data(TrustedCallers::new(…))`); without it nobody is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedCallers {
    networks: Arc<[IpNet]>,
    traces: ContinuedTraces,
}

impl TrustedCallers {
    /// From `[server] trusted_proxies`.
    pub fn new(networks: &[IpNet]) -> Self {
        Self { networks: networks.into(), traces: ContinuedTraces::default() }
    }

    /// Sets whose traces are continued, from `[telemetry] continue_traces_of`.
    #[must_use]
    pub fn continuing_traces_of(mut self, traces: ContinuedTraces) -> Self {
        self.traces = traces;
        self
    }

    /// Whether the trace that the request came with goes on here.
    pub(super) fn continue_trace(request: &ServiceRequest) -> bool {
        let of_everyone = request.app_data::<Self>().is_some_and(|callers| callers.traces == ContinuedTraces::Everyone);
        of_everyone || Self::trusts(request)
    }

    /// Whether the request's peer is one of them.
    pub(super) fn trusts(request: &ServiceRequest) -> bool {
        let callers_and_peer = request.app_data::<Self>().zip(request.peer_addr());
        callers_and_peer.is_some_and(|(callers, peer)| callers.include(peer.ip()))
    }

    fn include(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// The header's value when there is exactly one.
fn single(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(REQUEST_ID_HEADER);
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}

/// Sends the id downstream, in place of any that is there.
pub fn inject(id: &RequestId, headers: &mut HeaderMap) {
    if let Some(value) = id.header_value() {
        headers.insert(REQUEST_ID_HEADER, value);
    }
}

/// [`inject`] for gRPC.
pub fn inject_metadata(id: &RequestId, metadata: &mut MetadataMap) {
    if let Ok(value) = MetadataValue::try_from(id.as_str()) {
        metadata.insert(NAME, value);
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn assigned(peer: &str, values: &[&str]) -> String {
        let mut request = TestRequest::default()
            .app_data(TrustedCallers::new(&["10.0.0.0/8".parse().expect("a network")]))
            .peer_addr(peer.parse().expect("an address"));
        for value in values {
            request = request.append_header((REQUEST_ID_HEADER, *value));
        }
        RequestId::assign(&request.to_srv_request()).to_string()
    }

    /// Shows: P8
    #[test]
    fn only_a_trusted_caller_chooses_the_id_and_only_a_well_formed_one() {
        assert_eq!(assigned("10.1.2.3:5", &["edge-1.a_B"]), "edge-1.a_B");
        assert_eq!(assigned("[::ffff:10.1.2.3]:5", &["edge"]), "edge");
        let refused = [
            assigned("192.0.2.1:5", &["edge"]),
            assigned("10.1.2.3:5", &["a b"]),
            assigned("10.1.2.3:5", &[""]),
            assigned("10.1.2.3:5", &["one", "two"]),
            assigned("10.1.2.3:5", &[&"x".repeat(65)]),
        ];
        for id in refused {
            let uuid: Uuid = id.parse().expect("a fresh id is a UUID");
            assert_eq!(uuid.get_version_num(), 7);
        }
    }

    #[test]
    fn a_request_keeps_its_id() {
        let request = TestRequest::default().to_srv_request();
        assert_eq!(RequestId::assign(&request), RequestId::assign(&request));
        assert_ne!(RequestId::fresh(), RequestId::fresh());
    }

    #[test]
    fn the_id_goes_downstream_and_replaces_what_is_there() {
        let id = RequestId::parse("r-1").expect("well-formed");
        let mut headers = HeaderMap::new();
        headers.append(REQUEST_ID_HEADER, HeaderValue::from_static("forged"));
        inject(&id, &mut headers);
        assert_eq!(single(&headers), Some("r-1"));
        let mut metadata = MetadataMap::new();
        inject_metadata(&id, &mut metadata);
        assert_eq!(metadata.get("x-request-id").map(MetadataValue::as_bytes), Some(&b"r-1"[..]));
    }
}
