//! The stream that a key's events come from, opened once a key and process and opened again when it breaks.

use std::{error::Error, fmt, pin::Pin, rc::Rc, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt, stream::LocalBoxStream};
use tokio::{select, time::Sleep};

use super::{event::Event, hub::Room};

/// From where an upstream stream is to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// From now on. The stream first says where that is, with [`Signal::Position`].
    Now,
    /// With the first event above this id.
    After(u64),
}

/// What an upstream stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The next event. One that is not above the position is passed over.
    Event(Event),
    /// The stream stands at `after`. As the answer to [`Cursor::Now`] it says where "now" is. As the answer to
    /// [`Cursor::After`] with another id it says that what lies between can no longer be told, and readers get a gap.
    Position {
        /// The id before the next event.
        after: u64,
    },
}

/// Why an upstream stream ended.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The reader on whose behalf it was opened may not have it (any more). That reader's stream ends; when there are
    /// others of the key, one of them opens it in its own name.
    #[error("the upstream service refuses this reader")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// Anything else: it is opened again after a while.
    #[error("the upstream stream broke")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

/// An open upstream stream.
pub type UpstreamStream = LocalBoxStream<'static, Result<Signal, UpstreamError>>;

/// Opens upstream streams on behalf of one reader. It stays on the reader's worker, where the HTTP and gRPC clients are.
#[derive(Clone)]
pub struct Upstream(Rc<dyn Fn(Cursor) -> UpstreamStream>);

impl Upstream {
    /// `open` makes a stream that begins at the cursor. It may take its time and fail within the stream. A stream that
    /// ends without an error is opened again like one that breaks.
    pub fn new<S>(open: impl Fn(Cursor) -> S + 'static) -> Self
    where
        S: Stream<Item = Result<Signal, UpstreamError>> + 'static,
    {
        Self(Rc::new(move |cursor| open(cursor).boxed_local()))
    }

    /// Keeps the stream open on behalf of `owner` until that is no longer its business.
    pub(super) fn keep_open(&self, room: &Arc<Room>, owner: u64) {
        // Made here and not by the task: a task that is dropped before its first turn must hand the topic over too.
        let tenure = Tenure { room: Arc::clone(room), owner };
        let task = run(self.clone(), tenure);
        actix_web::rt::spawn(task);
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Upstream")
    }
}

/// An owner that ends for whatever reason, a panic and the end of its worker included, gives the topic to another reader.
struct Tenure {
    room: Arc<Room>,
    owner: u64,
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.room.task_ended(self.owner);
    }
}

/// What a reader that is about to be cut is given to catch up. It is also what holds the upstream back: while we pause, we
/// do not read, and the connection's flow control does the rest.
const BREATH: Duration = Duration::from_millis(1);

/// How one opening ended.
enum End {
    /// Another epoch has begun: look whose business it is and from where.
    Stale,
    Refused(Box<dyn Error + Send + Sync>),
    /// Broken, or at its end.
    Broken(Option<Box<dyn Error + Send + Sync>>),
}

async fn run(upstream: Upstream, tenure: Tenure) {
    let (room, owner) = (&tenure.room, tenure.owner);
    let mut failures = 0_u32;
    loop {
        let (epoch, end, progress) = {
            // The one before has closed its stream when this is had: a key never has two.
            let _turn = room.upstream_turn().await;
            let Some((epoch, cursor)) = room.opening(owner) else { return };
            let stream = (upstream.0)(cursor);
            let (end, progress) = follow(room, epoch, stream).await;
            (epoch, end, progress)
        };
        failures = if progress { 1 } else { failures.saturating_add(1) };
        match end {
            End::Stale => failures = 0,
            End::Refused(error) => {
                tracing::info!(error = %error, "an upstream stream was refused to its reader");
                return;
            }
            End::Broken(error) => {
                let delay = room.rejoin_delay(failures);
                let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                match error {
                    Some(error) => {
                        tracing::warn!(error = %error, failures, delay_ms, "an upstream stream broke and is opened again");
                    }
                    None => tracing::debug!(failures, delay_ms, "an upstream stream ended and is opened again"),
                }
                pause(delay, room, epoch).await;
            }
        }
    }
}

/// In a box: the task would else have room for a timer as long as it lives, and most never need one.
fn wait(time: Duration) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep(time))
}

/// Waits, or until another epoch begins: a new reader should not wait for the back-off of an old failure.
async fn pause(delay: Duration, room: &Room, epoch: u64) {
    if delay.is_zero() {
        return tokio::task::yield_now().await;
    }
    select! {
        () = wait(delay) => {}
        () = room.another_epoch(epoch) => {}
    }
}

/// Takes in one opening to its end, and says whether it brought anything.
async fn follow(room: &Room, epoch: u64, mut stream: UpstreamStream) -> (End, bool) {
    let (mut progress, mut in_a_row) = (false, 0);
    loop {
        let item = select! {
            biased;
            () = room.another_epoch(epoch) => return (End::Stale, progress),
            item = stream.next() => item,
        };
        let signal = match item {
            Some(Ok(signal)) => signal,
            Some(Err(UpstreamError::Refused(error))) => return (End::Refused(error), progress),
            Some(Err(UpstreamError::Broken(error))) => return (End::Broken(Some(error)), progress),
            None => return (End::Broken(None), progress),
        };
        progress = true;
        let (stale, crowded) = room.apply(epoch, signal);
        if stale {
            return (End::Stale, progress);
        }
        in_a_row += 1;
        if crowded {
            wait(BREATH).await;
        } else if in_a_row >= room.turn() {
            // A stream that always has something would keep the readers on this worker from their turn.
            in_a_row = 0;
            tokio::task::yield_now().await;
        }
    }
}
