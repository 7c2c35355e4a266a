//! WebSockets (RFC 6455) to a downstream.
//!
//! Opening one goes through the same layers as any call: the time-out, the bulkhead, the breaker, retries, an instance.
//! What is open holds no place in the bulkhead, or long conversations would take those of short calls; whoever opens
//! WebSockets bounds their number.

use std::sync::Arc;

use actix_codec::Framed;
use actix_http::ws::Codec;
use actix_web::http::{
    Method, StatusCode,
    header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL},
};
use awc::{BoxedSocket, Client, error::WsClientError};
use bytes::Bytes;
use url::Url;

use super::{
    call::Call,
    client,
    error::{DownstreamError, Failure},
    layers::{Attempt, Described, Layers},
    registry::Downstream,
    wire,
};
use crate::{
    context::RequestContext,
    settings::Secret,
    telemetry::{propagation, request_id},
};

/// An open WebSocket: frames come out of it, and messages go into it. Both sides wait for each other, and nothing is
/// queued beyond the buffers of the codec and the kernel.
pub type WebSocket = Framed<BoxedSocket, Codec>;

/// A downstream that speaks WebSocket, as a worker calls it. Cheap to clone; stays on its thread.
#[derive(Clone)]
pub struct WebSocketDownstream {
    downstream: Downstream,
    client: Client,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct WebSocketRequest<'a> {
    /// Segments below the base address.
    pub path: &'a [&'a str],
    /// The subprotocol, which the service has to agree to.
    pub protocol: &'a str,
    /// The largest frame that is read, in bytes.
    pub max_frame_bytes: usize,
}

impl WebSocketDownstream {
    /// Wraps a downstream. `max_open` are the WebSockets that this worker may have open at once.
    #[must_use]
    pub fn new(downstream: Downstream, max_open: usize) -> Self {
        // A connection that became a WebSocket never goes back into the pool, so the ordinary client's would run dry.
        let client =
            client::build_for_websockets(&downstream.shared.settings, downstream.shared.tls.as_ref(), max_open);
        Self { downstream, client }
    }

    /// Opens a WebSocket as the caller of this context.
    ///
    /// # Errors
    /// Any [`DownstreamError`]; an answer that is no WebSocket is a [`Failure::Status`].
    pub async fn open(
        &self,
        context: &RequestContext,
        request: WebSocketRequest<'_>,
    ) -> Result<WebSocket, DownstreamError> {
        let shared = &self.downstream.shared;
        // Nothing has happened before both sides have agreed, so it may be tried again.
        let layers = Layers { shared, context, operation: "WEBSOCKET", idempotent: true };
        let failed = |failure| DownstreamError::new(&shared.name, failure);
        let token = self.downstream.token(context).await.map_err(failed)?;
        let token = token.as_ref();
        let opened = layers.run(|attempt| async move {
            let socket = self.handshake(context, &attempt, token, request).await?;
            Ok((socket, StatusCode::SWITCHING_PROTOCOLS.as_u16()))
        });
        let opened = opened.await;
        if matches!(&opened, Err(Failure::Status { status, .. }) if *status == StatusCode::UNAUTHORIZED) {
            self.downstream.token_refused(context);
        }
        opened.map_err(failed)
    }

    async fn handshake(
        &self,
        context: &RequestContext,
        attempt: &Attempt,
        token: Option<&Secret>,
        request: WebSocketRequest<'_>,
    ) -> Result<WebSocket, Failure> {
        let mut url = Url::parse(&attempt.instance).map_err(|error| Failure::Request(Arc::new(error)))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(request.path);
        }
        let mut headers = HeaderMap::new();
        propagation::inject(&attempt.trace, &mut headers);
        request_id::inject(context.request_id(), &mut headers);
        // The name that was configured, whatever the address of the instance.
        let named = Call::new(self.downstream.clone(), context.clone(), Method::GET, request.path);
        if let Some(host) = named.host() {
            headers.insert(HOST, host);
        }
        if let Some(token) = token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
                .map_err(|error| Failure::Request(Arc::new(error)))?;
            headers.insert(AUTHORIZATION, value);
        }
        let mut asking =
            self.client.ws(url.as_str()).protocols([request.protocol]).max_frame_size(request.max_frame_bytes);
        for (name, value) in headers {
            asking = asking.set_header(name, value);
        }
        let (answer, socket) = asking.connect().await.map_err(from_ws_error)?;
        let agreed = answer.headers().get(SEC_WEBSOCKET_PROTOCOL);
        if agreed.is_none_or(|agreed| agreed != request.protocol) {
            return Err(Failure::Broken(Described::new(&"the service has not agreed to the subprotocol")));
        }
        Ok(socket)
    }
}

fn from_ws_error(error: WsClientError) -> Failure {
    match error {
        WsClientError::InvalidResponseStatus(status) => {
            Failure::Status { status, retry_after: None, body: Bytes::new() }
        }
        WsClientError::SendRequest(error) => wire::from_send_error(&error),
        error => Failure::Broken(Described::new(&error)),
    }
}
