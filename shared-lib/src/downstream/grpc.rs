//! gRPC calls through the same layers as HTTP calls.
//!
//! A service module builds its generated client on [`GrpcDownstream::channel`] and makes each unary call through
//! [`GrpcDownstream::unary`], which adds the deadline, the trace and the caller, and reports to the breaker.

use std::{future::Future, sync::Arc, time::Duration};

use tonic::{
    Request, Response, Status,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};

use super::{
    error::{DownstreamError, Failure},
    fetched::{Fetched, Freshness},
    layers::{Attempt, Described, Layers},
    registry::Downstream,
};
use crate::{
    context::RequestContext,
    telemetry::{propagation, request_id},
};

/// A downstream that speaks gRPC. Cheap to clone.
#[derive(Clone)]
pub struct GrpcDownstream {
    downstream: Downstream,
    channel: Channel,
}

impl GrpcDownstream {
    /// Opens the channel on first use, so a service that is away does not stop the start. Call it on the worker that
    /// will use it: the channel's task lives there.
    ///
    /// # Errors
    /// An address that is no URI.
    pub fn new(downstream: Downstream) -> Result<Self, tonic::transport::Error> {
        let settings = &downstream.shared.settings;
        let address = downstream.shared.urls.first().map(ToString::to_string).unwrap_or_default();
        let channel = Endpoint::from_shared(address)?
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_while_idle(false)
            .connect_lazy();
        Ok(Self { downstream, channel })
    }

    /// The channel for the generated client. Set the client's decoding limit to
    /// [`max_body_bytes`](Self::max_body_bytes).
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The largest message that is read, in bytes.
    #[must_use]
    pub fn max_body_bytes(&self) -> usize {
        self.downstream.shared.settings.max_body_bytes
    }

    /// Makes a unary call. `method` is its full name (`package.Service/Method`), for traces; `idempotent` says whether
    /// making it twice has the effect of making it once.
    ///
    /// # Errors
    /// As an HTTP call; an error status is a [`Failure::Grpc`].
    pub async fn unary<Q, A, F>(
        &self,
        context: &RequestContext,
        method: &'static str,
        idempotent: bool,
        message: Q,
        send: impl Fn(Request<Q>) -> F,
    ) -> Result<Fetched<A>, DownstreamError>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let shared = &self.downstream.shared;
        let layers = Layers { shared, context, operation: method, idempotent };
        let (message, send) = (&message, &send);
        let value = layers
            .run(|attempt| async move {
                let request = self.request(context, &attempt, message.clone())?;
                let answer = send(request).await.map_err(|status| from_status(&status))?;
                Ok((answer.into_inner(), OK))
            })
            .await
            .map_err(|failure| DownstreamError::new(&shared.name, failure))?;
        Ok(Fetched { value, freshness: Freshness::Live, as_of: shared.clock.wall() })
    }

    fn request<Q>(&self, context: &RequestContext, attempt: &Attempt, message: Q) -> Result<Request<Q>, Failure> {
        let mut request = Request::new(message);
        // tonic writes `grpc-timeout` from this, and ends the call itself.
        request.set_timeout(attempt.timeout);
        let metadata = request.metadata_mut();
        propagation::inject_metadata(&attempt.trace, metadata);
        request_id::inject_metadata(context.request_id(), metadata);
        if let Some(token) = context.caller().and_then(|caller| caller.token.as_ref()) {
            let value = MetadataValue::try_from(format!("Bearer {}", token.expose()))
                .map_err(|error| Failure::Request(Arc::new(error)))?;
            metadata.insert("authorization", value);
        }
        Ok(request)
    }
}

/// The gRPC status OK, as the semantic conventions record it.
const OK: u16 = 0;

/// A status that tonic made because the connection failed carries the cause as its source.
fn from_status(status: &Status) -> Failure {
    if status.code() == tonic::Code::Unavailable && std::error::Error::source(status).is_some() {
        return Failure::Connect(Described::new(&status.message()));
    }
    Failure::Grpc(status.code())
}
