//! The answer to a request for a stream: its headers, and a body that goes on until something ends it.

use std::{
    borrow::Cow,
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::{BodySize, MessageBody},
    http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue},
};
use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, future::LocalBoxFuture};

use crate::telemetry::request_span::LongAnswer;

use super::{event, heartbeat::Heartbeat, subscription::Subscription};

/// Tells nginx, and proxies that follow it, to pass each event on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Why a session ended, in a stable word such as `logout`. Clients read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndReason(pub Cow<'static, str>);

impl fmt::Display for EndReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A stream of server-sent events as an answer. It is its own [`Responder`] and [`MessageBody`].
pub struct EventStream {
    state: State,
}

enum State {
    Live(Box<Live>),
    /// One last block.
    Last(Bytes),
    Ended,
}

struct Live {
    subscription: Subscription,
    ends: LocalBoxFuture<'static, EndReason>,
    heartbeat: Heartbeat,
    /// Whether anything was sent since the last heartbeat, which is then not needed.
    sent: bool,
}

impl EventStream {
    /// A stream that lasts until `ends` does, or until its reader is cut or the process drains.
    #[must_use]
    pub fn live(subscription: Subscription, ends: impl Future<Output = EndReason> + 'static) -> Self {
        let heartbeat = Heartbeat::join(subscription.room().hub.settings.heartbeat());
        let live = Live { subscription, ends: ends.boxed_local(), heartbeat, sent: false };
        Self { state: State::Live(Box::new(live)) }
    }

    /// A stream of one block.
    pub(super) fn only(block: Bytes) -> Self {
        Self { state: State::Last(block) }
    }

    /// For a client whose session ended while it was away, and that has a way to be told: one event with the reason.
    /// Others get [`no_stream`].
    #[must_use]
    pub fn session_ended(reason: &EndReason) -> Self {
        Self::only(event::session_ended(&reason.0))
    }
}

/// The answer to a client that comes back after its session's end: 204 makes `EventSource` stop for good (WHATWG HTML
/// 9.2.3).
#[must_use]
pub fn no_stream() -> HttpResponse {
    HttpResponse::NoContent().insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store"))).finish()
}

impl Live {
    /// The next block, or why there will be none.
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Poll::Ready(block) = self.subscription.poll_next_unpin(context) {
                self.sent = true;
                return Poll::Ready(block);
            }
            if self.heartbeat.poll(context).is_pending() {
                return Poll::Pending;
            }
            let look_again = self.subscription.beat();
            if !std::mem::take(&mut self.sent) && !look_again {
                return Poll::Ready(Some(event::HEARTBEAT));
            }
        }
    }
}

impl EventStream {
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match &mut self.state {
            State::Live(live) => {
                // Before everything else: nothing is sent to a session that has ended.
                if let Poll::Ready(reason) = live.ends.poll_unpin(context) {
                    self.state = State::Ended;
                    return Poll::Ready(Some(event::session_ended(&reason.0)));
                }
                let block = live.advance(context);
                if matches!(block, Poll::Ready(None)) {
                    self.state = State::Ended;
                }
                block
            }
            State::Last(block) => {
                let block = std::mem::take(block);
                self.state = State::Ended;
                Poll::Ready(Some(block))
            }
            State::Ended => Poll::Ready(None),
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.state {
            State::Live(_) => "EventStream(live)",
            State::Last(_) => "EventStream(last block)",
            State::Ended => "EventStream(ended)",
        })
    }
}

impl Stream for EventStream {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.advance(context)
    }
}

impl MessageBody for EventStream {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.advance(context).map(|block| block.map(Ok))
    }
}

impl Responder for EventStream {
    type Body = Self;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<Self> {
        let mut response = HttpResponse::with_body(actix_web::http::StatusCode::OK, self);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
        LongAnswer::mark(&mut response);
        response
    }
}
