//! Events in the notation of the standard: WHATWG HTML, section 9.2.5 (parsing an event stream) and 9.2.6 (interpreting it).
//!
//! An event is encoded once, when it is made, and every reader gets the same bytes by reference.

use std::{fmt::Write as _, time::Duration};

use bytes::Bytes;

/// Names that mean something else: to this module ([`GAP`], [`TRY_LATER`], [`SESSION_ENDED`]), or to `EventSource`
/// itself, whose own `open` and `error` a script could not tell from these.
const RESERVED_NAMES: [&str; 5] = [GAP, TRY_LATER, SESSION_ENDED, "open", "error"];

/// The event that says that events are missing: load afresh what the stream is about.
pub const GAP: &str = "gap";
/// The event that says that this stream cannot be had now; the client comes back after the `retry` it carries.
pub const TRY_LATER: &str = "try-later";
/// The last event of a session's stream. It carries the reason, and the client does not come back.
pub const SESSION_ENDED: &str = "session-ended";

/// What cannot be an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// An empty name, or one with a line break, which would begin another field.
    #[error("the name of an event is a single line and not empty")]
    Name,
    /// A name that the stream or the browser uses itself.
    #[error("the name of this event is reserved")]
    Reserved,
}

/// An event with its id, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    id: u64,
    encoded: Bytes,
}

impl Event {
    /// An event. Ids of one key grow from event to event; 0 is not the id of an event, it stands before the first one.
    /// Without a name, the browser dispatches it as `message`. Line breaks of every kind in `data` arrive as a line
    /// feed, because the notation has no other.
    ///
    /// # Errors
    /// [`InvalidEvent`] for a name that cannot be used.
    pub fn new(id: u64, name: Option<&str>, data: &str) -> Result<Self, InvalidEvent> {
        if let Some(name) = name {
            if name.is_empty() || name.contains(['\r', '\n']) {
                return Err(InvalidEvent::Name);
            }
            if RESERVED_NAMES.contains(&name) {
                return Err(InvalidEvent::Reserved);
            }
        }
        let mut block = Block::default().id(id);
        if let Some(name) = name {
            block = block.event(name);
        }
        Ok(Self { id, encoded: block.data(data).end() })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Its bytes on the wire, the blank line at the end included.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }
}

/// A comment, which every client passes over. It keeps proxies from taking the stream for dead.
pub const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// The first block of a stream: when to come back, and where it stands. A block with an id and no data dispatches nothing,
/// but the client remembers the id, so that it can resume before it has seen its first event.
#[must_use]
pub(super) fn opening(retry: Duration, position: Option<u64>) -> Bytes {
    let block = Block::default().retry(retry);
    position.map_or(block.clone(), |id| block.id(id)).end()
}

/// Tells the client where it stands, and nothing else.
#[must_use]
pub(super) fn position(id: u64) -> Bytes {
    Block::default().id(id).end()
}

/// Says that events are missing before `resumes_after`.
#[must_use]
pub(super) fn gap(resumes_after: Option<u64>) -> Bytes {
    match resumes_after {
        Some(id) => Block::default().id(id).event(GAP).data(&format!(r#"{{"resumesAfter":{id}}}"#)).end(),
        None => Block::default().event(GAP).data("{}").end(),
    }
}

/// Says why there is no stream now, and when to come back.
#[must_use]
pub(super) fn try_later(reason: &str, retry: Duration) -> Bytes {
    let data = serde_json::json!({ "reason": reason }).to_string();
    Block::default().retry(retry).event(TRY_LATER).data(&data).end()
}

/// The last event of a session's stream.
#[must_use]
pub(super) fn session_ended(reason: &str) -> Bytes {
    let data = serde_json::json!({ "reason": reason }).to_string();
    Block::default().event(SESSION_ENDED).data(&data).end()
}

/// When to come back, and nothing else.
#[must_use]
pub(super) fn retry(after: Duration) -> Bytes {
    Block::default().retry(after).end()
}

/// The fields up to a blank line.
#[derive(Debug, Clone, Default)]
struct Block(String);

impl Block {
    fn id(self, id: u64) -> Self {
        self.field("id", &id.to_string())
    }

    fn event(self, name: &str) -> Self {
        self.field("event", name)
    }

    /// Milliseconds, digits only, as the standard asks.
    fn retry(self, after: Duration) -> Self {
        self.field("retry", &after.as_millis().to_string())
    }

    /// One field a line: the client joins them by line feeds. CR LF, LF and CR each end a line in the notation, so a
    /// line must not hold any of them.
    fn data(self, data: &str) -> Self {
        let mut block = self;
        let mut rest = data;
        while let Some(end) = rest.find(['\r', '\n']) {
            block = block.field("data", &rest[..end]);
            let width = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
            rest = &rest[end + width..];
        }
        block.field("data", rest)
    }

    /// The client takes one space after the colon away; without ours it would take one of the value's own.
    fn field(mut self, name: &str, value: &str) -> Self {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{name}: {value}");
        self
    }

    fn end(mut self) -> Bytes {
        self.0.push('\n');
        Bytes::from(self.0)
    }
}
