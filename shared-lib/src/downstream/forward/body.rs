//! The body that a service answers, on its way through.

use std::{
    cell::RefCell,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_http::{Payload, encoding::Decoder};
use actix_web::{
    body::{BodySize, MessageBody},
    http::StatusCode,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::{task::JoinHandle, time::Instant};

use super::{
    super::{error::Failure, layers::Described},
    Passage,
};

/// What the client gives.
pub(super) type Response = awc::ClientResponse<Decoder<Payload>>;

/// How long and how large it may be.
pub(super) struct Bounds {
    /// The length that was said.
    pub(super) expected: Option<u64>,
    pub(super) most: u64,
    pub(super) deadline: Instant,
    pub(super) timeout: Duration,
}

/// A body that is still to come. As a [`MessageBody`] it is an answer's body as it is; an error breaks the answer off, so
/// that nobody takes a part for the whole. Dropping it ends the exchange with the service.
pub struct ForwardedBody {
    state: Rc<RefCell<State>>,
    expected: Option<u64>,
    timer: Option<JoinHandle<()>>,
}

enum State {
    Open(Box<Flow>),
    Failed(Failure),
    Ended,
}

struct Flow {
    response: Response,
    status: StatusCode,
    passage: Passage,
    expected: Option<u64>,
    most: u64,
    received: u64,
    /// Whether whoever reads was waiting for the service when this was last looked at.
    waits_for_service: bool,
    waker: Option<Waker>,
}

impl ForwardedBody {
    pub(super) fn new(response: Response, status: StatusCode, passage: Passage, bounds: &Bounds) -> Self {
        let flow = Flow {
            response,
            status,
            passage,
            expected: bounds.expected,
            most: bounds.most,
            received: 0,
            waits_for_service: true,
            waker: None,
        };
        let state = Rc::new(RefCell::new(State::Open(Box::new(flow))));
        // A timer of its own: a client that does not read does not ask for the next chunk either, and what the exchange
        // holds has to come back all the same.
        let at_deadline = Rc::downgrade(&state);
        let (deadline, timeout) = (bounds.deadline, bounds.timeout);
        let timer = actix_web::rt::spawn(async move {
            tokio::time::sleep_until(deadline).await;
            if let Some(state) = at_deadline.upgrade() {
                expire(&state, timeout);
            }
        });
        Self { state, expected: bounds.expected, timer: Some(timer) }
    }

    /// None to come; `length` is what the answer to a `HEAD` says of the one that a `GET` would get.
    pub(super) fn empty(length: Option<u64>) -> Self {
        Self { state: Rc::new(RefCell::new(State::Ended)), expected: length.or(Some(0)), timer: None }
    }

    /// Its length, where the service says it.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.expected
    }
}

/// Ends an exchange whose time is up.
fn expire(state: &RefCell<State>, timeout: Duration) {
    let failure = Failure::TimedOut(timeout);
    let before = state.replace(State::Failed(failure.clone()));
    let State::Open(flow) = before else {
        state.replace(before);
        return;
    };
    let Flow { passage, status, waits_for_service, waker, response, .. } = *flow;
    drop(response);
    // A client that reads too slowly says nothing about the service.
    if waits_for_service {
        passage.end(status, Err(&failure));
    }
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Flow {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        let polled = self.response.poll_next_unpin(context);
        self.waits_for_service = polled.is_pending();
        if polled.is_pending() {
            self.waker = Some(context.waker().clone());
        }
        Poll::Ready(match std::task::ready!(polled) {
            Some(Err(error)) => Err(Failure::Broken(Described::new(&error))),
            Some(Ok(chunk)) => {
                self.received = self.received.saturating_add(chunk.len() as u64);
                if self.received > self.most {
                    Err(Failure::TooLarge(usize::try_from(self.most).unwrap_or(usize::MAX)))
                } else {
                    Ok(Some(chunk))
                }
            }
            // The client takes the end of the connection for the end of any body.
            None if self.expected.is_some_and(|expected| expected != self.received) => {
                Err(Failure::Broken(Described::new(&"the connection ended before the body did")))
            }
            None => Ok(None),
        })
    }
}

impl Stream for ForwardedBody {
    type Item = Result<Bytes, Failure>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.state.borrow_mut();
        let ended = match &mut *state {
            State::Ended => return Poll::Ready(None),
            State::Failed(failure) => {
                let failure = failure.clone();
                *state = State::Ended;
                return Poll::Ready(Some(Err(failure)));
            }
            State::Open(flow) => match std::task::ready!(flow.poll(context)) {
                Ok(Some(chunk)) => return Poll::Ready(Some(Ok(chunk))),
                Ok(None) => Ok(()),
                Err(failure) => Err(failure),
            },
        };
        if let State::Open(flow) = std::mem::replace(&mut *state, State::Ended) {
            flow.passage.end(flow.status, ended.as_ref().copied());
        }
        Poll::Ready(ended.err().map(Err))
    }
}

impl MessageBody for ForwardedBody {
    type Error = Failure;

    fn size(&self) -> BodySize {
        self.expected.map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        Stream::poll_next(self, context)
    }
}

impl Drop for ForwardedBody {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
    }
}

impl fmt::Debug for ForwardedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardedBody").field("length", &self.expected).finish_non_exhaustive()
    }
}
