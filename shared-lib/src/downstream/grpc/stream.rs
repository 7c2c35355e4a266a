//! Streams that a service sends.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream;
use tonic::{Request, Response, Status, Streaming, transport::Channel};

use super::{GrpcDownstream, OK, from_status, request_without_end, stream_connections::StreamPlace};
use crate::{
    context::RequestContext,
    downstream::{
        error::{DownstreamError, Failure},
        layers::Layers,
    },
};

/// A stream of a service's messages. Dropping it ends it, at the service as well.
pub struct GrpcStream<A> {
    messages: Streaming<A>,
    downstream: GrpcDownstream,
    _place: StreamPlace,
}

impl GrpcDownstream {
    /// Opens a stream by `send`, as [`unary`](Self::unary) makes a call. Opening goes through all the layers: the time-out,
    /// retries, the bulkhead, the breaker. What is open is bounded by nothing here but its connection's windows, so whoever
    /// opens streams bounds their number.
    ///
    /// # Errors
    /// As a unary call. A stream that was open and ends with an error says so itself.
    pub async fn server_stream<Q, A, F>(
        &self,
        context: &RequestContext,
        method: &'static str,
        message: Q,
        send: impl Fn(Channel, Request<Q>) -> F,
    ) -> Result<GrpcStream<A>, DownstreamError>
    where
        Q: Clone,
        F: Future<Output = Result<Response<Streaming<A>>, Status>>,
    {
        let shared = &self.downstream.shared;
        let failed = |failure| DownstreamError::new(&shared.name, failure);
        let token = self.downstream.token(context).await.map_err(failed)?;
        let layers = Layers { shared, context, operation: method, idempotent: true };
        let (message, send, token) = (&message, &send, token.as_ref());
        let opened = layers.run(|attempt| async move {
            let request = request_without_end(context, &attempt.trace, token, message.clone())?;
            let settings = shared.settings.streams;
            let connect = || self.endpoint(&attempt.instance).map(|endpoint| settings.apply(endpoint).connect_lazy());
            let (channel, place) =
                self.stream_connections.place(&attempt.instance, settings.per_connection, connect)?;
            let answer = send(channel, request).await.map_err(|status| from_status(&status, attempt.timeout))?;
            Ok(((answer.into_inner(), place), OK))
        });
        let (messages, place) = opened.await.map_err(failed)?;
        Ok(GrpcStream { messages, downstream: self.clone(), _place: place })
    }
}

impl<A> Stream for GrpcStream<A> {
    type Item = Result<A, DownstreamError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = std::task::ready!(Pin::new(&mut self.messages).poll_next(context));
        let failed = |status: Status| {
            // No clock of ours runs on an open stream.
            let failure: Failure = from_status(&status, Duration::ZERO);
            DownstreamError::new(&self.downstream.downstream.shared.name, failure)
        };
        Poll::Ready(item.map(|message| message.map_err(failed)))
    }
}
