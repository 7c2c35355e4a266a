//! Support chat, over WebSocket.

use shared_lib::{
    context::RequestContext,
    downstream::{
        Downstream, DownstreamError,
        websocket::{WebSocket, WebSocketDownstream, WebSocketRequest},
    },
};

/// The subprotocol of the chat, which we pass on and do not look into.
pub const SUBPROTOCOL: &str = "support.v1";

/// The support service.
#[derive(Clone)]
pub struct Support {
    downstream: WebSocketDownstream,
}

impl Support {
    /// On this downstream, with so many chats at once.
    #[must_use]
    pub fn new(downstream: Downstream, max_chats: usize) -> Self {
        Self { downstream: WebSocketDownstream::new(downstream, max_chats) }
    }

    /// Opens a chat of the signed-in user. Frames of the service above `max_frame_bytes` end it.
    ///
    /// # Errors
    /// Any [`DownstreamError`].
    pub async fn open_chat(&self, ctx: &RequestContext, max_frame_bytes: usize) -> Result<WebSocket, DownstreamError> {
        let request = WebSocketRequest { path: &["chat"], protocol: SUBPROTOCOL, max_frame_bytes };
        self.downstream.open(ctx, request).await
    }
}
