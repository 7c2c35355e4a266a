//! The gRPC face of the notifications.

use std::{pin::Pin, sync::Arc};

use actix_web::http::StatusCode;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::Stream;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{
    Notifications,
    proto::{
        GetUnreadCountRequest, GetUnreadCountResponse, ListNotificationsRequest, ListNotificationsResponse,
        MarkReadRequest, MarkReadResponse, NotificationEvent, WatchRequest,
        notification_service_server::NotificationService,
    },
};
use crate::access::{Access, PARTNER_HEADER, Refusal};

const DEFAULT_PAGE: u32 = 20;
const MAX_PAGE: u32 = 100;

/// The implementation of the notification service.
#[derive(Debug)]
pub(crate) struct Service {
    notifications: Arc<Notifications>,
    access: Access,
}

impl Service {
    /// The service over these notifications.
    pub(crate) fn new(notifications: Arc<Notifications>, access: Access) -> Self {
        Self { notifications, access }
    }

    /// Whose notifications the call is about.
    async fn owner(&self, metadata: &MetadataMap) -> Result<String, Status> {
        let text = |name| metadata.get(name).map(|value| value.to_str().unwrap_or_default());
        match self.access.check(text("authorization"), text(PARTNER_HEADER)).await {
            Ok(caller) => Ok(caller.owner()),
            Err(refusal) => Err(status(&refusal)),
        }
    }
}

fn status(refusal: &Refusal) -> Status {
    let message = refusal.to_string();
    match refusal.status() {
        StatusCode::SERVICE_UNAVAILABLE => Status::unavailable(message),
        StatusCode::FORBIDDEN => Status::permission_denied(message),
        StatusCode::BAD_REQUEST => Status::invalid_argument(message),
        _ => Status::unauthenticated(message),
    }
}

#[tonic::async_trait]
impl NotificationService for Service {
    async fn list_notifications(
        &self,
        request: Request<ListNotificationsRequest>,
    ) -> Result<Response<ListNotificationsResponse>, Status> {
        let owner = self.owner(request.metadata()).await?;
        let ListNotificationsRequest { page_size, page_token, after_cursor } = request.into_inner();
        let size = if page_size == 0 { DEFAULT_PAGE } else { page_size.min(MAX_PAGE) };
        let below = place(&page_token)?;
        let page = self.notifications.list(&owner, size as usize, below, after_cursor);
        Ok(Response::new(ListNotificationsResponse {
            notifications: page.notifications,
            next_page_token: page.next.map(token).unwrap_or_default(),
            latest_cursor: page.latest_cursor,
        }))
    }

    async fn get_unread_count(
        &self,
        request: Request<GetUnreadCountRequest>,
    ) -> Result<Response<GetUnreadCountResponse>, Status> {
        let owner = self.owner(request.metadata()).await?;
        let (unread_count, latest_cursor) = self.notifications.unread_count(&owner);
        Ok(Response::new(GetUnreadCountResponse { unread_count, latest_cursor }))
    }

    async fn mark_read(&self, request: Request<MarkReadRequest>) -> Result<Response<MarkReadResponse>, Status> {
        let owner = self.owner(request.metadata()).await?;
        let unread_count = self
            .notifications
            .mark_read(&owner, &request.into_inner().id)
            .ok_or_else(|| Status::not_found("there is no such notification"))?;
        Ok(Response::new(MarkReadResponse { unread_count }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<NotificationEvent, Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let owner = self.owner(request.metadata()).await?;
        let mut cursor = request.into_inner().after_cursor;
        // Subscribed before the first look, so that nothing falls between the past and the present.
        let mut latest = self.notifications.latest(&owner);
        let notifications = Arc::clone(&self.notifications);
        let mut batch =
            notifications.events_after(&owner, cursor).map_err(|error| Status::out_of_range(error.to_string()))?;
        let events = async_stream::try_stream! {
            loop {
                for event in batch {
                    cursor = event.cursor;
                    yield event;
                }
                if latest.changed().await.is_err() {
                    break;
                }
                batch = notifications
                    .events_after(&owner, cursor)
                    .map_err(|error| Status::out_of_range(error.to_string()))?;
            }
        };
        Ok(Response::new(Box::pin(events)))
    }
}

/// The page token for a place in the list. Opaque, so that nobody computes with it.
fn token(place: usize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("below {place}"))
}

fn place(token: &str) -> Result<Option<usize>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    BASE64_URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|text| String::from_utf8(text).ok())
        .and_then(|text| text.strip_prefix("below ")?.parse().ok())
        .map(Some)
        .ok_or_else(|| Status::invalid_argument("this page token is not one of this service"))
}
