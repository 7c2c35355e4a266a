//! gRPC calls through the same layers as HTTP calls.
//!
//! A service module makes each unary call of its generated client through [`GrpcDownstream::unary`], which adds the
//! deadline, the trace and the caller, and reports to the breaker. It opens streams by
//! [`GrpcDownstream::server_stream`], on connections of their own.

mod stream;
mod stream_connections;

use std::{cell::RefCell, collections::HashMap, future::Future, rc::Rc, sync::Arc, time::Duration};

use tonic::{
    ConnectError, Request, Response, Status, TimeoutExpired,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};

use self::stream_connections::StreamConnections;
pub use self::{stream::GrpcStream, stream_connections::StreamConnectionSettings};
use super::{
    error::{DownstreamError, Failure},
    fetched::{Fetched, Freshness},
    layers::{Attempt, Described, Layers},
    registry::Downstream,
};
use crate::{
    context::RequestContext,
    settings::Secret,
    telemetry::{propagation, request_id},
};

/// A downstream that speaks gRPC, as a worker calls it. Cheap to clone; stays on its thread, where the tasks of its
/// channels live.
#[derive(Clone)]
pub struct GrpcDownstream {
    downstream: Downstream,
    channels: Rc<RefCell<HashMap<String, Channel>>>,
    stream_connections: StreamConnections,
}

impl GrpcDownstream {
    /// Wraps a downstream. Channels are opened on first use, so a service that is away does not stop the start.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream, channels: Rc::default(), stream_connections: StreamConnections::default() }
    }

    /// The channel to one instance.
    fn channel(&self, instance: &str) -> Result<Channel, Failure> {
        if let Some(channel) = self.channels.borrow().get(instance) {
            return Ok(channel.clone());
        }
        let channel = self.endpoint(instance)?.connect_lazy();
        let mut channels = self.channels.borrow_mut();
        if channels.len() >= MAX_CHANNELS {
            // Instances come and go; those still in use are opened again at once.
            channels.clear();
        }
        channels.insert(instance.to_owned(), channel.clone());
        Ok(channel)
    }

    /// How an instance is connected to.
    fn endpoint(&self, instance: &str) -> Result<Endpoint, Failure> {
        let settings = &self.downstream.shared.settings;
        let mut endpoint =
            Endpoint::from_shared(instance.to_owned()).map_err(|error| Failure::Request(Arc::new(error)))?;
        if let Some(tls) = &self.downstream.shared.tls {
            endpoint = endpoint.tls_config(tls.grpc.clone()).map_err(|error| Failure::Request(Arc::new(error)))?;
        }
        Ok(endpoint
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_while_idle(false))
    }

    /// The largest message that is read, in bytes.
    #[must_use]
    pub fn max_body_bytes(&self) -> usize {
        self.downstream.shared.settings.max_body_bytes
    }

    /// Makes a unary call by `send`, which builds its generated client on the channel that it is given (with
    /// [`max_body_bytes`](Self::max_body_bytes) as its decoding limit). `method` is its full name (`package.Service/Method`), for traces; `idempotent` says whether
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
        send: impl Fn(Channel, Request<Q>) -> F,
    ) -> Result<Fetched<A>, DownstreamError>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let shared = &self.downstream.shared;
        let failed = |failure| DownstreamError::new(&shared.name, failure);
        let token = self.downstream.token(context).await.map_err(failed)?;
        let layers = Layers { shared, context, operation: method, idempotent };
        let (message, send, token) = (&message, &send, token.as_ref());
        let value = layers
            .run(|attempt| async move {
                let request = request(context, &attempt, token, message.clone())?;
                let answer = send(self.channel(&attempt.instance)?, request)
                    .await
                    .map_err(|status| from_status(&status, attempt.timeout))?;
                Ok((answer.into_inner(), OK))
            })
            .await
            .map_err(failed)?;
        Ok(Fetched { value, freshness: Freshness::Live, as_of: shared.clock.wall() })
    }
}

fn request<Q>(
    context: &RequestContext,
    attempt: &Attempt,
    token: Option<&Secret>,
    message: Q,
) -> Result<Request<Q>, Failure> {
    let mut request = request_without_end(context, &attempt.trace, token, message)?;
    // tonic writes `grpc-timeout` from this, and ends the call itself.
    request.set_timeout(attempt.timeout);
    Ok(request)
}

/// A request that may take as long as it likes.
fn request_without_end<Q>(
    context: &RequestContext,
    trace: &opentelemetry::Context,
    token: Option<&Secret>,
    message: Q,
) -> Result<Request<Q>, Failure> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    propagation::inject_metadata(trace, metadata);
    request_id::inject_metadata(context.request_id(), metadata);
    if let Some(token) = token {
        let value = MetadataValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|error| Failure::Request(Arc::new(error)))?;
        metadata.insert("authorization", value);
    }
    Ok(request)
}

/// Channels a worker keeps open to one downstream's instances.
const MAX_CHANNELS: usize = 64;

/// The gRPC status OK, as the semantic conventions record it.
const OK: u16 = 0;

/// What a status means. Those that tonic itself made carry a cause: the end of its own clock (which it calls cancelled),
/// no connection, or a connection that broke. Those that the service sent carry none.
fn from_status(status: &Status, timeout: Duration) -> Failure {
    let cause = std::error::Error::source(status);
    let caused_by = |is: fn(&(dyn std::error::Error + 'static)) -> bool| {
        std::iter::successors(cause, |cause| cause.source()).any(is)
    };
    match status.code() {
        // The service was told the same time, so it may notice first.
        tonic::Code::DeadlineExceeded => Failure::TimedOut(timeout),
        _ if caused_by(<dyn std::error::Error>::is::<TimeoutExpired>) => Failure::TimedOut(timeout),
        code if cause.is_none() => Failure::Grpc(code),
        _ if caused_by(<dyn std::error::Error>::is::<ConnectError>) => {
            Failure::Connect(Described::new(&status.message()))
        }
        tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Internal | tonic::Code::Cancelled => {
            Failure::Broken(Described::new(&status.message()))
        }
        code => Failure::Grpc(code),
    }
}
