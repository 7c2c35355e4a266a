//! Notifications: the caller's own, over gRPC.

use shared_lib::downstream::{Downstream, DownstreamError, Fetched, grpc::GrpcDownstream};
use tonic::{Request, transport::Channel};

use self::proto::{GetUnreadCountRequest, notification_service_client::NotificationServiceClient};
use crate::auth::OnBehalf;

/// What the proto file generates.
mod proto {
    tonic::include_proto!("trifront.notifications.v1");
}

/// The service that keeps the notifications.
pub struct Notifications {
    downstream: GrpcDownstream,
}

impl Notifications {
    /// The service behind this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream: GrpcDownstream::new(downstream) }
    }

    /// How many notifications the caller has not read.
    ///
    /// # Errors
    /// As any call.
    pub async fn unread_count(&self, user: &OnBehalf) -> Result<Fetched<u32>, DownstreamError> {
        const METHOD: &str = "trifront.notifications.v1.NotificationService/GetUnreadCount";
        let send = |channel, request: Request<_>| {
            let mut client = self.client(channel);
            async move { client.get_unread_count(request).await }
        };
        let fetched = self.downstream.unary(user.context(), METHOD, true, GetUnreadCountRequest {}, send).await?;
        Ok(fetched.map(|answer| answer.unread_count))
    }

    fn client(&self, channel: Channel) -> NotificationServiceClient<Channel> {
        NotificationServiceClient::new(channel).max_decoding_message_size(self.downstream.max_body_bytes())
    }
}
