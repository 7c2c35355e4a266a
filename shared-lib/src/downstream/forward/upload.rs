//! The body that a client sends, counted on its way through.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, MessageBody},
    error::PayloadError,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::LocalBoxStream};

/// A body that is still to come.
pub struct Upload {
    source: LocalBoxStream<'static, Result<Bytes, PayloadError>>,
    length: Option<u64>,
    most: u64,
}

/// What was wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UploadFault {
    /// It has more than this many bytes.
    #[error("a body of more than {0} bytes")]
    TooLarge(u64),
    /// It did not come to its end.
    #[error("the body broke off")]
    BrokenOff,
}

impl Upload {
    /// `length` is what the request says, and `most` how many bytes are allowed.
    pub fn new(
        source: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
        length: Option<u64>,
        most: u64,
    ) -> Self {
        Self { source: source.boxed_local(), length, most }
    }

    /// The body for the wire, and what tells afterwards how it went.
    pub(super) fn split(self) -> Result<(Body, Watched), UploadFault> {
        if self.length.is_some_and(|length| length > self.most) {
            return Err(UploadFault::TooLarge(self.most));
        }
        let watched = Watched(Rc::default());
        let body = Body { upload: self, sent: 0, watched: watched.clone() };
        Ok((body, watched))
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("length", &self.length).field("most", &self.most).finish_non_exhaustive()
    }
}

/// How an upload is going.
#[derive(Clone, Default)]
pub(super) struct Watched(Rc<Cell<Progress>>);

#[derive(Clone, Copy, Default)]
struct Progress {
    fault: Option<UploadFault>,
    /// Whether the service was waiting for the client when this was last looked at.
    waits_for_client: bool,
}

impl Watched {
    pub(super) fn fault(&self) -> Option<UploadFault> {
        self.0.get().fault
    }

    /// Whether a failure at this moment is the client's and not the service's.
    pub(super) fn is_to_blame(&self) -> bool {
        let progress = self.0.get();
        progress.fault.is_some() || progress.waits_for_client
    }

    fn note(&self, fault: Option<UploadFault>, waits_for_client: bool) {
        self.0.set(Progress { fault: fault.or(self.fault()), waits_for_client });
    }
}

/// The body on the wire.
pub(super) struct Body {
    upload: Upload,
    sent: u64,
    watched: Watched,
}

impl MessageBody for Body {
    type Error = UploadFault;

    fn size(&self) -> BodySize {
        self.upload.length.map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, UploadFault>>> {
        let polled = self.upload.source.poll_next_unpin(context);
        self.watched.note(None, polled.is_pending());
        let fault = match std::task::ready!(polled) {
            Some(Ok(chunk)) => {
                self.sent = self.sent.saturating_add(chunk.len() as u64);
                // A length that was said bounds what is sent: what comes beyond it would be another request.
                if self.sent <= self.upload.length.unwrap_or(self.upload.most).min(self.upload.most) {
                    return Poll::Ready(Some(Ok(chunk)));
                }
                UploadFault::TooLarge(self.upload.most)
            }
            None if self.upload.length.is_none_or(|length| length == self.sent) => return Poll::Ready(None),
            None | Some(Err(_)) => UploadFault::BrokenOff,
        };
        self.watched.note(Some(fault), false);
        Poll::Ready(Some(Err(fault)))
    }
}
