//! What happens to a user's notifications, as it happens.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::Stream;
use jiff::Timestamp;
use shared_lib::{
    context::RequestContext,
    downstream::{DownstreamError, Failure, grpc::GrpcStream},
};
use tonic::Code;

use super::{
    Notifications,
    proto::{self, WatchRequest, notification_event::Event},
};

/// Something that happened to the user's notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationEvent {
    /// Grows by one with each event of the user.
    pub id: u64,
    /// What it was.
    pub change: NotificationChange,
    /// How many notifications were unread after it.
    pub unread: u32,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationChange {
    /// There is a new one.
    Created {
        /// Its id.
        id: String,
        /// Its headline.
        title: String,
        /// Its text.
        body: String,
        /// When it was made.
        created_at: Timestamp,
    },
    /// One was read.
    Read {
        /// Its id.
        id: String,
    },
    /// Something that this BFF does not know of.
    Other,
}

impl From<proto::NotificationEvent> for NotificationEvent {
    fn from(event: proto::NotificationEvent) -> Self {
        let change = match event.event {
            Some(Event::Created(created)) => NotificationChange::Created {
                created_at: Timestamp::from_millisecond(created.created_at_ms).unwrap_or_default(),
                id: created.id,
                title: created.title,
                body: created.body,
            },
            Some(Event::Read(read)) => NotificationChange::Read { id: read.id },
            None => NotificationChange::Other,
        };
        Self { id: event.cursor, change, unread: event.unread_count }
    }
}

/// A user's events, for as long as it is kept.
pub struct NotificationEvents(GrpcStream<proto::NotificationEvent>);

impl Notifications {
    /// The events of the signed-in user after this one: those that have happened, then those that happen.
    ///
    /// # Errors
    /// Any [`DownstreamError`]; see [`cannot_be_told`].
    pub async fn events_after(&self, ctx: &RequestContext, id: u64) -> Result<NotificationEvents, DownstreamError> {
        const METHOD: &str = "trifront.notifications.v1.NotificationService/Watch";
        let opened =
            self.downstream.server_stream(ctx, METHOD, WatchRequest { after_cursor: id }, |channel, request| {
                let mut client = self.client(channel);
                async move { client.watch(request).await }
            });
        opened.await.map(NotificationEvents)
    }
}

/// Whether the service says that it cannot tell what came after the event that was asked from: it is too old, or there
/// is none of that id.
#[must_use]
pub fn cannot_be_told(error: &DownstreamError) -> bool {
    matches!(error.failure, Failure::Grpc(Code::OutOfRange))
}

impl Stream for NotificationEvents {
    type Item = Result<NotificationEvent, DownstreamError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(context).map(|item| item.map(|event| event.map(NotificationEvent::from)))
    }
}
