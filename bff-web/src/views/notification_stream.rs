//! What happens to the user's notifications, as it happens: server-sent events.
//!
//! All tabs of a user share one stream of the service, which is opened in the name of one of their sessions. Users whose
//! sessions were granted different scopes do not share: what one may see, another may not.

use std::{future::ready, rc::Rc, time::Duration};

use actix_session::Session;
use actix_web::{HttpRequest, get, web};
use futures_util::{FutureExt, Stream, StreamExt, TryFutureExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    context::{Caller, Credentials, RequestContext},
    downstream::{DownstreamError, Failure, budget::RequestBudget},
    problem::{Problem, ProblemView, kinds},
    stream::{Cursor, EndReason, Event, EventStream, Resume, Signal, Upstream, UpstreamError},
};
use tonic::Code;
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::{WorkerAuth, session_store::SessionSecret},
    live::Live,
    services::{
        Services,
        notifications::{NotificationChange, NotificationEvent, cannot_be_told},
    },
};

/// The time that opening a stream of the service may take, with all its attempts.
const OPENING_TIMEOUT: Duration = Duration::from_secs(5);

/// Where to go on, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[allow(dead_code, reason = "only its description is used")]
pub struct StreamQuery {
    /// The id of the last event that the client knows of, such as the dashboard's `lastEventId`. `Last-Event-ID`, which browsers
    /// send by themselves, counts before it. Without either, the stream begins with what happens next.
    #[param(example = "17")]
    last_event_id: Option<String>,
}

/// `event: notification`: there is a new one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NotificationCreated)]
pub struct CreatedView {
    /// The notification's id.
    pub id: String,
    /// Its headline.
    pub title: String,
    /// Its text.
    pub body: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// How many notifications the user has not read.
    pub unread_notifications: u32,
}

/// `event: notification-read`: one was read, on whatever device.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NotificationRead)]
pub struct ReadView {
    /// The notification's id.
    pub id: String,
    /// How many notifications the user has not read.
    pub unread_notifications: u32,
}

/// `event: unread-count`: something else has happened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UnreadCount)]
pub struct CountView {
    /// How many notifications the user has not read.
    pub unread_notifications: u32,
}

/// What the `data` of an event is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = NotificationStreamEvent)]
pub enum EventView {
    /// Of `notification`.
    Created(CreatedView),
    /// Of `notification-read`.
    Read(ReadView),
    /// Of `unread-count`.
    Count(CountView),
}

/// Notifications as they come
///
/// Server-sent events. Beside those of the schema, whose names are `notification`, `notification-read` and `unread-count`, there are:
/// `gap` (events before the id that it carries cannot be told: load the page afresh), `try-later` (there are too many streams, or sessions
/// cannot be looked up; come back after the `retry` that it carries), and `session-ended` (with the `reason`; the last one). The stream ends when the
/// client reads too slowly and when the service restarts; a client comes back with the id of the last event that it has
/// seen, to any replica, and misses nothing. A stream does not prolong the session.
#[utoipa::path(
    tag = "screens",
    params(StreamQuery, ("Last-Event-ID" = Option<String>, Header, description = "Sent by browsers that come back")),
    responses(
        (status = 200, description = "The stream", body = EventView, content_type = "text/event-stream"),
        (status = 204, description = "The session of a client that comes back has ended; browsers stop"),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "Sessions cannot be looked up, and the client does not say that it takes `text/event-stream`", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/notifications/stream")]
pub async fn stream_notifications(
    request: HttpRequest,
    ctx: RequestContext,
    session: Session,
    auth: web::Data<WorkerAuth>,
    services: web::Data<Services>,
    live: web::Data<Live>,
) -> Result<EventStream, Problem> {
    let current = auth.require_session(&session)?;
    let caller = ctx.require_caller()?.clone();
    let mut end = auth.sessions().subscribe(&current).await?;
    let ends = async move { EndReason(end.ended().await.as_str().into()) };
    let key = key(&caller);
    let reader = Rc::new(Reader { auth, secret: current.secret, services, caller });
    // In boxes of their own, here and below: what it takes to make calls would else be kept as long as the stream.
    let upstream = Upstream::new(move |cursor| Box::pin(Rc::clone(&reader).open(cursor)).try_flatten_stream());
    Ok(live.notifications.open(&key, Resume::from_request(&request), upstream, ends))
}

/// Who shares a stream of the service: the sessions of a user that were granted the same.
fn key(caller: &Caller) -> String {
    let mut scopes = caller.scopes.clone();
    scopes.sort_unstable();
    scopes.insert(0, caller.subject.clone());
    // A subject may hold anything but a line break, a scope neither (RFC 6749 section 3.3).
    scopes.join("\n")
}

/// A tab, as it asks the service.
struct Reader {
    auth: web::Data<WorkerAuth>,
    secret: SessionSecret,
    services: web::Data<Services>,
    /// Without a token.
    caller: Caller,
}

impl Reader {
    /// The service's stream from there on, for as long as the token lasts that it is opened with.
    async fn open(
        self: Rc<Self>,
        cursor: Cursor,
    ) -> Result<impl Stream<Item = Result<Signal, UpstreamError>>, UpstreamError> {
        let token = self.auth.live_token(&self.secret).await.map_err(no_token)?;
        let budget = RequestBudget::starting_now(OPENING_TIMEOUT);
        let ctx = RequestContext::on_behalf_of(budget, self.caller.clone());
        let ctx = ctx.with_credentials(Credentials::User(token.user));
        let (after, begins) = match cursor {
            Cursor::After(after) => (after, None),
            Cursor::Now => {
                let after = self.now(&ctx).await?;
                (after, Some(Ok(Signal::Position { after })))
            }
        };
        let events = match self.services.notifications.events_after(&ctx, after).await {
            Ok(events) => events.left_stream(),
            Err(error) if cannot_be_told(&error) => stream::once(ready(Err(error))).right_stream(),
            Err(error) => return Err(refused_or_broken(error)),
        };
        let signals = events.then(move |event| match event {
            Ok(event) => ready(signal(event)).left_future(),
            // The stream says where it stands, ends, and is opened anew from there.
            Err(error) if cannot_be_told(&error) => {
                let (reader, ctx) = (Rc::clone(&self), ctx.clone());
                Box::pin(async move { Ok(Signal::Position { after: reader.now(&ctx).await? }) }).right_future()
            }
            Err(error) => ready(Err(broken(error))).left_future(),
        });
        Ok(stream::iter(begins).chain(signals).take_until(tokio::time::sleep(token.lasts)))
    }

    /// The id of the user's latest event.
    async fn now(&self, ctx: &RequestContext) -> Result<u64, UpstreamError> {
        let unread = self.services.notifications.unread(ctx).await.map_err(refused_or_broken)?;
        Ok(unread.value.last_event_id)
    }
}

/// The event as clients get it.
fn signal(event: NotificationEvent) -> Result<Signal, UpstreamError> {
    let unread_notifications = event.unread;
    let (name, view) = match event.change {
        NotificationChange::Created { id, title, body, created_at } => {
            ("notification", EventView::Created(CreatedView { id, title, body, created_at, unread_notifications }))
        }
        NotificationChange::Read { id } => {
            ("notification-read", EventView::Read(ReadView { id, unread_notifications }))
        }
        NotificationChange::Other => ("unread-count", EventView::Count(CountView { unread_notifications })),
    };
    let data = serde_json::to_string(&view).map_err(|error| UpstreamError::Broken(error.into()))?;
    let event = Event::new(event.id, Some(name), &data).map_err(|error| UpstreamError::Broken(error.into()))?;
    Ok(Signal::Event(event))
}

fn broken(error: DownstreamError) -> UpstreamError {
    UpstreamError::Broken(error.into())
}

/// What the service says when it is asked for a stream. A fresh token that it does not take is a refusal; on an open stream
/// it would only be one that has ended.
fn refused_or_broken(error: DownstreamError) -> UpstreamError {
    match error.failure {
        Failure::Grpc(Code::Unauthenticated | Code::PermissionDenied) => UpstreamError::Refused(error.into()),
        _ => broken(error),
    }
}

/// Without a token there is no stream: none for this reader when the session has ended, and none for now otherwise.
fn no_token(problem: Problem) -> UpstreamError {
    if *problem.kind() == kinds::UNAUTHENTICATED {
        UpstreamError::Refused(problem.into())
    } else {
        UpstreamError::Broken(problem.into())
    }
}
