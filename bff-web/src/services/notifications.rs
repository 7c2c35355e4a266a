//! The notification service, over gRPC.

mod codec;
mod events;

use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched, grpc::GrpcDownstream},
};
use tonic::transport::Channel;

pub use self::events::{NotificationChange, NotificationEvent, NotificationEvents, cannot_be_told};
use self::proto::{GetUnreadCountRequest, MarkReadRequest, notification_service_client::NotificationServiceClient};

#[allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub, reason = "generated")]
mod proto {
    tonic::include_proto!("trifront.notifications.v1");
}

/// What the user has not read, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// How many notifications.
    pub count: u32,
    /// The id of the user's latest event at that moment.
    pub last_event_id: u64,
}

/// The notification service.
#[derive(Clone)]
pub struct Notifications {
    downstream: GrpcDownstream,
}

impl Notifications {
    /// On this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream: GrpcDownstream::new(downstream) }
    }

    /// What the signed-in user has not read.
    ///
    /// # Errors
    /// Any [`DownstreamError`].
    pub async fn unread(&self, ctx: &RequestContext) -> Result<Fetched<Unread>, DownstreamError> {
        const METHOD: &str = "trifront.notifications.v1.NotificationService/GetUnreadCount";
        let answer = self
            .downstream
            .unary(ctx, METHOD, true, GetUnreadCountRequest {}, |channel, request| {
                let mut client = self.client(channel);
                async move { client.get_unread_count(request).await }
            })
            .await?;
        Ok(answer.map(|answer| Unread { count: answer.unread_count, last_event_id: answer.latest_cursor }))
    }

    /// Marks one notification of the signed-in user as read, and says how many are left unread. To do it again changes
    /// nothing.
    ///
    /// # Errors
    /// Any [`DownstreamError`]; gRPC `NOT_FOUND` when the user has no such notification.
    pub async fn mark_read(&self, ctx: &RequestContext, id: &str) -> Result<u32, DownstreamError> {
        const METHOD: &str = "trifront.notifications.v1.NotificationService/MarkRead";
        let message = MarkReadRequest { id: id.to_owned() };
        let answer = self
            .downstream
            .unary(ctx, METHOD, true, message, |channel, request| {
                let mut client = self.client(channel);
                async move { client.mark_read(request).await }
            })
            .await?;
        Ok(answer.value.unread_count)
    }

    fn client(&self, channel: Channel) -> NotificationServiceClient<Channel> {
        NotificationServiceClient::new(channel).max_decoding_message_size(self.downstream.max_body_bytes())
    }
}
