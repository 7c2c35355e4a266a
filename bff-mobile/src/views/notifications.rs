//! Notifications as an app keeps them: once all, and from then on only what has changed.
//!
//! An app asks without `since`, keeps what it gets, and sends `next` as `since` the next time. It then gets what was
//! added (`items`, to be put in or put in the place of what has the same id) and what was read elsewhere (`read`). When
//! the changes can no longer be told it gets 410: it throws away what it kept and asks without `since`.

use std::collections::HashMap;

use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use futures_util::try_join;
use serde::Serialize;
use shared_lib::{
    pagination::{FromQuery, Query, QueryReader},
    problem::{FieldError, Problem, ProblemKind, kinds},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::OnBehalf,
    opaque::{self, OpaqueError},
    openapi::Refusals,
    services::{
        Services,
        notifications::{Event, EventsError, Notification, NotificationEvent},
    },
};

/// What the tokens are for.
const SYNC: &str = "notifications";
/// How many of the newest a full answer holds.
const FULL: u32 = 50;
/// How many events one answer tells of.
const MAX_EVENTS: usize = 200;
/// The longest id, in bytes.
const MAX_ID_BYTES: usize = 128;

/// Gone: the changes since the token can no longer be told.
pub static RESYNC_REQUIRED: ProblemKind = ProblemKind {
    code: "resync-required",
    status: StatusCode::GONE,
    title: "The changes since then can no longer be told",
    remedy: "Drop what was kept and ask again without `since`.",
};

/// Where an app goes on from.
pub struct SyncParams {
    since: Option<String>,
}

/// Where an app goes on from, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct SyncQuery {
    /// `next` of the answer before; left out: everything.
    since: Option<String>,
}

impl FromQuery for SyncParams {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        Self { since: query.text("since") }
    }
}

/// What has changed, or everything.
#[derive(Serialize, ToSchema)]
pub struct NotificationsView {
    /// Whether this is everything (the newest fifty), so that what the app kept is to be dropped.
    full: bool,
    /// Notifications that are new to the app, newest first.
    items: Vec<NotificationView>,
    /// The ids of those that the app has and that have been read since.
    read: Vec<String>,
    /// How many are not read; absent when nothing has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<u32>,
    /// What to send as `since` the next time. Not to be read or changed.
    next: String,
    /// Whether there are more changes that can be asked for at once.
    more: bool,
}

/// A notification.
#[derive(Serialize, ToSchema)]
pub struct NotificationView {
    id: String,
    title: String,
    body: String,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z.
    at: i64,
    read: bool,
}

impl From<Notification> for NotificationView {
    fn from(notification: Notification) -> Self {
        let Notification { id, title, body, created_at_ms, read, .. } = notification;
        Self { id, title, body, at: created_at_ms.div_euclid(1000), read }
    }
}

/// What has changed about the user's notifications since the app last asked.
///
/// Without `since` it is everything. A 410 with the code `resync-required` means: drop what was kept and ask without.
#[utoipa::path(
    tag = "notifications",
    params(SyncQuery),
    responses(
        (status = 200, description = "What has changed, or everything", body = NotificationsView),
        (status = 410, description = "The changes can no longer be told: drop what was kept, ask without `since`",
            body = shared_lib::problem::ProblemView, content_type = "application/problem+json"),
        Refusals
    )
)]
#[get("/notifications")]
pub async fn sync_notifications(
    user: OnBehalf,
    services: web::Data<Services>,
    Query(params): Query<SyncParams>,
) -> Result<web::Json<NotificationsView>, Problem> {
    let subject = user.context().require_caller()?.subject.clone();
    let Some(token) = params.since else { return everything(&user, &services, &subject).await };
    match opaque::decode(SYNC, &[&subject], &token) {
        Ok(cursor) => changes(&user, &services, &subject, cursor).await,
        Err(OpaqueError::Foreign) => Err(Problem::new(&RESYNC_REQUIRED)),
        Err(OpaqueError::Malformed) => {
            Err(Problem::validation(&[FieldError::query("since", "must be `next` of an earlier answer")]))
        }
    }
}

async fn everything(
    user: &OnBehalf,
    services: &Services,
    subject: &str,
) -> Result<web::Json<NotificationsView>, Problem> {
    let (inbox, unread) =
        try_join!(services.notifications.newest(user, FULL), services.notifications.unread_count(user))?;
    let inbox = inbox.value;
    Ok(web::Json(NotificationsView {
        full: true,
        items: inbox.notifications.into_iter().map(NotificationView::from).collect(),
        read: Vec::new(),
        unread: Some(unread.value),
        next: opaque::encode(SYNC, &[subject], inbox.latest_cursor),
        more: false,
    }))
}

async fn changes(
    user: &OnBehalf,
    services: &Services,
    subject: &str,
    cursor: u64,
) -> Result<web::Json<NotificationsView>, Problem> {
    let latest = services.notifications.newest(user, 1).await?.value.latest_cursor;
    let events = match latest.checked_sub(cursor) {
        // The service has forgotten more than we have seen.
        None => return Err(Problem::new(&RESYNC_REQUIRED)),
        Some(0) => Vec::new(),
        Some(_) => match services.notifications.events(user, cursor, latest, MAX_EVENTS).await {
            Ok(events) => events,
            Err(error @ EventsError::OutOfRange) => return Err(Problem::new(&RESYNC_REQUIRED).caused_by(error)),
            Err(EventsError::Failed(error)) => return Err(error.into()),
        },
    };
    let reached = events.last().map_or(cursor, |event| event.cursor);
    let unread = events.last().map(|event| event.unread_count);
    let (items, read) = folded(events);
    let next = opaque::encode(SYNC, &[subject], reached);
    Ok(web::Json(NotificationsView { full: false, items, read, unread, next, more: reached < latest }))
}

/// One entry for each notification, however many events there were about it.
fn folded(events: Vec<NotificationEvent>) -> (Vec<NotificationView>, Vec<String>) {
    let (mut items, mut read) = (Vec::<NotificationView>::new(), Vec::new());
    let mut places = HashMap::new();
    for event in events {
        match event.event {
            Some(Event::Created(notification)) => {
                places.insert(notification.id.clone(), items.len());
                items.push(notification.into());
            }
            Some(Event::Read(event)) => match places.get(&event.id) {
                Some(place) => items[*place].read = true,
                None => read.push(event.id),
            },
            // Of an event of a kind that is not known here, nothing can be told.
            None => {}
        }
    }
    items.reverse();
    (items, read)
}

/// Marks a notification as read. To do it again changes nothing.
#[utoipa::path(
    tag = "notifications",
    params(("id" = String, Path, description = "The notification")),
    responses(
        (status = 204, description = "It is read"),
        (status = 404, description = "There is no such notification",
            body = shared_lib::problem::ProblemView, content_type = "application/problem+json"),
        Refusals
    )
)]
#[post("/notifications/{id}/read")]
pub async fn read_notification(
    user: OnBehalf,
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    if id.len() > MAX_ID_BYTES || !services.notifications.mark_read(&user, &id).await? {
        return Err(Problem::new(&kinds::NOT_FOUND));
    }
    Ok(HttpResponse::NoContent().finish())
}
