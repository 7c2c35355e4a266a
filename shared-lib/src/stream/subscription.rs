//! One reader's place in a topic, as a stream of encoded blocks.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;

use super::{event, hub::Room, topic::Step, upstream::Upstream};

/// A reader's place. It is a stream of blocks to send, the opening one (`retry`, and the position where it is known) first.
/// It ends when the reader is cut or the process drains. Dropping it gives the place back, and the last one of a key to go
/// takes the upstream stream with it.
#[derive(Debug)]
pub struct Subscription {
    room: Arc<Room>,
    id: u64,
    upstream: Upstream,
    opening: Option<Bytes>,
    ended: bool,
}

impl Subscription {
    pub(super) fn new(room: Arc<Room>, id: u64, seen: Option<u64>, upstream: Upstream) -> Self {
        let opening = Some(event::opening(room.hub.settings.retry(), seen));
        Self { room, id, upstream, opening, ended: false }
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// A heartbeat has passed; true when there may be something to take.
    pub(super) fn beat(&self) -> bool {
        self.room.topic().beat(self.id)
    }

    /// What there is now. The last block may leave it ended.
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            if self.room.hub.is_draining() {
                self.ended = true;
                return Poll::Ready(Some(event::retry(self.room.hub.drain_retry())));
            }
            if let Some(opening) = self.opening.take() {
                return Poll::Ready(Some(opening));
            }
            let step = self.room.topic().take(self.id, context.waker());
            return Poll::Ready(match step {
                Step::Event(encoded) => Some(encoded),
                Step::Position(position) => Some(event::position(position)),
                Step::Gap(resumes_after) => Some(event::gap(resumes_after)),
                Step::Cut => {
                    self.ended = true;
                    None
                }
                Step::Wait { orphaned } => {
                    if orphaned && self.room.claim(self.id) {
                        self.upstream.keep_open(&self.room, self.id);
                    }
                    // Looked at again now that the waker is in its place: a drain that began in between found none.
                    if self.room.hub.is_draining() {
                        continue;
                    }
                    return Poll::Pending;
                }
            });
        }
    }
}

impl Stream for Subscription {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.advance(context)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.room.leave(self.id);
    }
}
