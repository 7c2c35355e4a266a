//! Calls whose bodies pass through as they come, for a client that speaks with a service through this BFF.
//!
//! The same layers stand around them as around every call: bulkhead, breaker, instance, request budget. What differs is
//! that the attempt lasts for as long as the answer's body does. It is one sample of the breaker, which is taken when the
//! last byte has come, and it ends at one deadline for everything, also when the client reads no further.
//!
//! Nothing is kept in memory but the chunk at hand: a side that does not read holds the other one back. Whoever leaves
//! ends the exchange at once, on both sides.
//!
//! A call with a body is sent once, because the body is gone then. One without is repeated by the downstream's policy for
//! as long as no answer has begun.

mod body;
mod upload;

use std::{sync::Arc, time::Duration};

use actix_web::http::{
    Method, StatusCode,
    header::{CONTENT_LENGTH, HeaderMap, LOCATION},
};
use awc::error::SendRequestError;
use bytes::Bytes;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

pub use body::ForwardedBody;
pub use upload::{Upload, UploadFault};

use self::upload::Watched;
use super::{
    balance::Lease,
    call::Call,
    error::{DownstreamError, Failure},
    layers::{Attempt, Described, Layers},
    registry::Shared,
    wire::from_send_error,
};
use crate::{circuit_breaker::Permit, context::RequestContext};

/// How a forwarded call may go.
#[derive(Debug, Clone, Copy)]
pub struct ForwardLimits {
    /// The longest that it may take, from the connection to the last byte of the answer.
    pub timeout: Duration,
    /// The largest answer, in bytes as they come.
    pub max_answer_bytes: u64,
}

/// An answer whose body is still to come. Its status is below 500 and neither 401 nor 429.
#[derive(Debug)]
pub struct Forwarded {
    /// The status.
    pub status: StatusCode,
    /// The headers, as they came.
    pub headers: HeaderMap,
    /// Where its `Location` leads, if that is at the same service: the path below the downstream's base address, with the
    /// query. Anything else is an address that no client should learn.
    pub location: Option<String>,
    /// The body.
    pub body: ForwardedBody,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The client's own body was the fault.
    #[error(transparent)]
    Upload(#[from] UploadFault),
    /// The service failed, or refuses us.
    #[error(transparent)]
    Downstream(#[from] DownstreamError),
}

/// What an attempt holds for as long as it lasts. Dropped before its end, it is as if the caller had gone away.
struct Passage {
    shared: Arc<Shared>,
    context: RequestContext,
    operation: Method,
    permit: Permit,
    lease: Lease,
    trace: opentelemetry::Context,
    started: std::time::Instant,
    _place: OwnedSemaphorePermit,
}

impl Passage {
    fn end(self, status: StatusCode, result: Result<(), &Failure>) {
        let shared = &self.shared;
        let outcome = match result {
            Ok(()) => crate::circuit_breaker::Outcome::Success,
            Err(failure) => shared.settings.failures.outcome(failure),
        };
        self.permit.record(outcome);
        self.lease.record(outcome);
        let took = shared.clock.now().saturating_duration_since(self.started);
        let result = result.map(|()| status.as_u16());
        shared.observer.end(&self.trace, self.context.trace(), self.operation.as_str(), took, result);
    }
}

impl Call {
    /// Sends exactly these headers, and those that every call carries: host, token, trace, request id, time.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Asks with this query string, as it was written.
    pub fn raw_query(mut self, query: Option<&str>) -> Self {
        self.url.set_query(query.filter(|query| !query.is_empty()));
        self
    }

    /// Sends the call with a body that is still to come, and gives the answer as soon as its head is there.
    ///
    /// # Errors
    /// [`ForwardError`]; an answer of 5xx, 401 or 429 is a failure of the downstream, as it is for any call.
    pub async fn forward(mut self, upload: Option<Upload>, limits: ForwardLimits) -> Result<Forwarded, ForwardError> {
        let shared = Arc::clone(&self.downstream.shared);
        let failed = |failure| DownstreamError::new(&shared.name, failure);
        self.ready().await.map_err(failed)?;
        if let Some(upload) = upload {
            let (body, watched) = upload.split()?;
            let outcome = self.pass(&mut None, 0, limits, Some((body, &watched))).await;
            // What the client did wrong is the reason, whatever the service made of it.
            return match watched.fault() {
                Some(fault) => Err(fault.into()),
                None => outcome.map_err(|failure| failed(failure).into()),
            };
        }
        let (mut attempt, mut tried) = (0, None);
        loop {
            let failure = match self.pass(&mut tried, attempt, limits, None).await {
                Ok(forwarded) => return Ok(forwarded),
                Err(failure) => failure,
            };
            let operation = self.method.as_str();
            let layers = Layers { shared: &shared, context: &self.context, operation, idempotent: self.idempotent };
            let Some(delay) = layers.retry_delay(attempt, &failure) else { return Err(failed(failure).into()) };
            tokio::time::sleep(delay).await;
            attempt += 1;
        }
    }

    /// One attempt, up to the head of its answer.
    async fn pass(
        &self,
        tried: &mut Option<String>,
        number: u32,
        limits: ForwardLimits,
        upload: Option<(upload::Body, &Watched)>,
    ) -> Result<Forwarded, Failure> {
        let shared = &self.downstream.shared;
        let operation = self.method.as_str();
        let layers = Layers { shared, context: &self.context, operation, idempotent: self.idempotent };
        let place = layers.place().await?;
        let (permit, lease, timeout) = layers.admit(tried.as_deref(), limits.timeout, number)?;
        let instance = lease.address().to_owned();
        *tried = Some(instance.clone());
        let parent = self.context.trace();
        let trace = shared.observer.begin(parent, operation, number);
        let deadline = Instant::now() + timeout;
        let passage = Passage {
            shared: Arc::clone(shared),
            context: self.context.clone(),
            operation: self.method.clone(),
            permit,
            lease,
            trace: trace.clone(),
            started: shared.clock.now(),
            _place: place,
        };
        let watched = upload.as_ref().map(|(_, watched)| (*watched).clone());
        let sent = tokio::time::timeout_at(deadline, self.head(&Attempt { timeout, instance, trace }, upload)).await;
        let outcome = match sent {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::TimedOut(timeout)),
        };
        let response = match outcome {
            Ok(response) => response,
            Err(failure) => {
                // Neither a client that sends too much nor one that sends too slowly says anything about the service.
                if !watched.is_some_and(|watched| watched.is_to_blame()) {
                    passage.end(StatusCode::OK, Err(&failure));
                }
                return Err(failure);
            }
        };
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(failure) = self.unusable(status, &headers, limits) {
            passage.end(status, Err(&failure));
            return Err(failure);
        }
        let expected = content_length(&headers);
        let has_no_body =
            self.method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        let body = if has_no_body {
            passage.end(status, Ok(()));
            ForwardedBody::empty(expected.filter(|_| self.method == Method::HEAD))
        } else {
            let bounds = &body::Bounds { expected, most: limits.max_answer_bytes, deadline, timeout };
            ForwardedBody::new(response, status, passage, bounds)
        };
        let location = headers.get(LOCATION).and_then(|value| self.below_base(value.to_str().ok()?));
        Ok(Forwarded { status, headers, location, body })
    }

    /// Where an address leads below the downstream's base address.
    fn below_base(&self, location: &str) -> Option<String> {
        let url = self.url.join(location).ok()?;
        let settings = &self.downstream.shared.settings;
        let base = settings.parsed_urls().into_iter().find(|base| base.origin() == url.origin())?;
        let below = url.path().strip_prefix(base.path().trim_end_matches('/'))?;
        if !(below.is_empty() || below.starts_with('/')) || url.fragment().is_some() {
            return None;
        }
        Some(url.query().map_or_else(|| below.to_owned(), |query| format!("{below}?{query}")))
    }

    /// Sends the request and waits for the head of the answer.
    async fn head(
        &self,
        attempt: &Attempt,
        upload: Option<(upload::Body, &Watched)>,
    ) -> Result<body::Response, Failure> {
        // The client decodes by itself what was coded for it.
        let request = self.wire_request(attempt)?.no_decompress();
        let sent = match upload {
            Some((body, _)) => request.send_body(body).await,
            // A method that usually has a body says that this one is empty.
            None if !self.method.is_safe() => request.send_body(Bytes::new()).await,
            None => request.send().await,
        };
        sent.map_err(|error| match error {
            SendRequestError::Body(_) => Failure::Broken(Described::new(&"the client's body ended too soon")),
            error => from_send_error(&error),
        })
    }

    fn unusable(&self, status: StatusCode, headers: &HeaderMap, limits: ForwardLimits) -> Option<Failure> {
        let is_failure = status.is_server_error()
            || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS)
            || status.is_informational();
        if is_failure {
            return Some(self.refusal(status, headers, Bytes::new()));
        }
        let is_too_large = content_length(headers).is_some_and(|length| length > limits.max_answer_bytes);
        (is_too_large && self.method != Method::HEAD)
            .then(|| Failure::TooLarge(usize::try_from(limits.max_answer_bytes).unwrap_or(usize::MAX)))
    }
}

/// The length that the answer says, where it says one that can be read.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
