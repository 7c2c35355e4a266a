//! Notifications: the caller's own, over gRPC.

use shared_lib::downstream::{Downstream, DownstreamError, Failure, Fetched, grpc::GrpcDownstream};
use tonic::{Code, Request, Response, transport::Channel};

use self::proto::{
    GetUnreadCountRequest, ListNotificationsRequest, MarkReadRequest, WatchRequest,
    notification_service_client::NotificationServiceClient,
};
pub use self::proto::{Notification, NotificationEvent, notification_event::Event};
use crate::auth::OnBehalf;

/// What the proto file generates.
#[expect(missing_docs, reason = "generated; documented in the proto file")]
mod proto {
    tonic::include_proto!("trifront.notifications.v1");
}

/// The service that keeps the notifications.
pub struct Notifications {
    downstream: GrpcDownstream,
}

/// The newest notifications.
pub struct Inbox {
    /// Newest first.
    pub notifications: Vec<Notification>,
    /// The cursor of the latest event about any of the caller's notifications.
    pub latest_cursor: u64,
}

/// Why the events after a cursor are not told.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// They can no longer be told, or the cursor has not been reached yet: all has to be listed anew.
    #[error("the events after the cursor cannot be told")]
    OutOfRange,
    /// The call failed.
    #[error(transparent)]
    Failed(#[from] DownstreamError),
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

    /// The newest notifications, at most `size` of them (up to 100), and where the events stand.
    ///
    /// # Errors
    /// As any call.
    pub async fn newest(&self, user: &OnBehalf, size: u32) -> Result<Fetched<Inbox>, DownstreamError> {
        const METHOD: &str = "trifront.notifications.v1.NotificationService/ListNotifications";
        let message = ListNotificationsRequest { page_size: size, page_token: String::new(), after_cursor: 0 };
        let send = |channel, request: Request<_>| {
            let mut client = self.client(channel);
            async move { client.list_notifications(request).await }
        };
        let fetched = self.downstream.unary(user.context(), METHOD, true, message, send).await?;
        Ok(fetched.map(|answer| Inbox { notifications: answer.notifications, latest_cursor: answer.latest_cursor }))
    }

    /// The events after one cursor up to another, which must have been reached; oldest first and at most `most`.
    ///
    /// # Errors
    /// [`EventsError`].
    pub async fn events(
        &self,
        user: &OnBehalf,
        after: u64,
        until: u64,
        most: usize,
    ) -> Result<Vec<NotificationEvent>, EventsError> {
        const METHOD: &str = "trifront.notifications.v1.NotificationService/Watch";
        let send = |channel, request: Request<_>| {
            let mut client = self.client(channel);
            async move {
                let mut stream = client.watch(request).await?.into_inner();
                let mut events = Vec::new();
                // The stream goes on with what will happen, so it is left at what had happened when it was asked for.
                while events.len() < most
                    && let Some(event) = stream.message().await?
                {
                    let is_last = event.cursor >= until;
                    events.push(event);
                    if is_last {
                        break;
                    }
                }
                Ok(Response::new(events))
            }
        };
        let message = WatchRequest { after_cursor: after };
        match self.downstream.unary(user.context(), METHOD, true, message, send).await {
            Ok(fetched) => Ok(fetched.value),
            Err(DownstreamError { failure: Failure::Grpc(Code::OutOfRange), .. }) => Err(EventsError::OutOfRange),
            Err(error) => Err(error.into()),
        }
    }

    /// Marks a notification as read. False when the caller has none of this id.
    ///
    /// # Errors
    /// As any call.
    pub async fn mark_read(&self, user: &OnBehalf, id: &str) -> Result<bool, DownstreamError> {
        const METHOD: &str = "trifront.notifications.v1.NotificationService/MarkRead";
        let send = |channel, request: Request<_>| {
            let mut client = self.client(channel);
            async move { client.mark_read(request).await }
        };
        let message = MarkReadRequest { id: id.to_owned() };
        match self.downstream.unary(user.context(), METHOD, true, message, send).await {
            Ok(_) => Ok(true),
            Err(DownstreamError { failure: Failure::Grpc(Code::NotFound), .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn client(&self, channel: Channel) -> NotificationServiceClient<Channel> {
        NotificationServiceClient::new(channel).max_decoding_message_size(self.downstream.max_body_bytes())
    }
}
