//! The connections that carry a worker's gRPC streams to one downstream.
//!
//! Streams get connections of their own, and each connection gets a bounded number of streams, for two reasons:
//! - A service allows so many streams at once on a connection (`SETTINGS_MAX_CONCURRENT_STREAMS`, RFC 9113 section 5.1.2).
//!   Further ones are not refused: they wait, without a word, until another ends, and these do not end.
//! - What has arrived on a stream and was not read counts against the window of the stream and against that of the connection
//!   (RFC 9113 section 5.2.1). Streams that nobody reads could so stop every other one. Here the window of a connection is
//!   as large as those of all its streams together, so whatever some do, the others keep their own.
//!
//! Unary calls have connections of their own and are not touched by either.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use serde::Deserialize;
use tonic::transport::{Channel, Endpoint};

use crate::settings::Findings;

/// The largest window of HTTP/2 (RFC 9113 section 6.9.1).
const MAX_WINDOW: u64 = (1 << 31) - 1;

/// The connections that carry a downstream's gRPC streams: `[downstreams.<name>.streams]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamConnectionSettings {
    /// Streams on one connection (default 100, which every server allows that follows RFC 9113's advice).
    pub per_connection: u32,
    /// Bytes that the service may send on a stream before they are read (default 65,535, the protocol's own).
    pub window_bytes: u32,
}

impl Default for StreamConnectionSettings {
    fn default() -> Self {
        Self { per_connection: 100, window_bytes: 65_535 }
    }
}

impl StreamConnectionSettings {
    /// Checks ranges.
    pub(in super::super) fn audit(&self, path: &str, findings: &mut Findings) {
        findings.require(self.per_connection >= 1, format!("{path}.per_connection"), "must be 1 or more");
        findings.require(self.window_bytes >= 1_024, format!("{path}.window_bytes"), "must be 1024 or more");
        let together = u64::from(self.per_connection) * u64::from(self.window_bytes);
        let message = "times per_connection must not be more than 2147483647, the largest window of a connection";
        findings.require(together <= MAX_WINDOW, format!("{path}.window_bytes"), message);
    }

    /// The same way to connect, with these windows.
    pub(super) fn apply(&self, endpoint: Endpoint) -> Endpoint {
        endpoint
            .initial_stream_window_size(self.window_bytes)
            .initial_connection_window_size(self.window_bytes.saturating_mul(self.per_connection))
    }
}

/// The connections, by the address of the instance. Cheap to clone; stays on its thread.
#[derive(Clone, Default)]
pub(super) struct StreamConnections(Rc<RefCell<HashMap<String, Vec<Connection>>>>);

#[derive(Clone)]
struct Connection {
    channel: Channel,
    streams: Rc<Cell<u32>>,
}

/// A stream's place on a connection, given back when dropped.
pub(super) struct StreamPlace {
    connections: StreamConnections,
    instance: String,
    streams: Rc<Cell<u32>>,
}

impl StreamConnections {
    /// A place on a connection to this instance, which `connect` makes where all are full.
    pub(super) fn place<E>(
        &self,
        instance: &str,
        per_connection: u32,
        connect: impl FnOnce() -> Result<Channel, E>,
    ) -> Result<(Channel, StreamPlace), E> {
        let mut all = self.0.borrow_mut();
        let here = all.entry(instance.to_owned()).or_default();
        let connection = match here.iter().find(|connection| connection.streams.get() < per_connection) {
            Some(connection) => connection.clone(),
            None => {
                let connection = Connection { channel: connect()?, streams: Rc::default() };
                here.push(connection.clone());
                connection
            }
        };
        connection.streams.set(connection.streams.get() + 1);
        let place =
            StreamPlace { connections: self.clone(), instance: instance.to_owned(), streams: connection.streams };
        Ok((connection.channel, place))
    }

    #[cfg(test)]
    fn loads(&self, instance: &str) -> Vec<u32> {
        let all = self.0.borrow();
        all.get(instance)
            .map(|here| here.iter().map(|connection| connection.streams.get()).collect())
            .unwrap_or_default()
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.streams.set(self.streams.get() - 1);
        if self.streams.get() > 0 {
            return;
        }
        let mut all = self.connections.0.borrow_mut();
        if let Some(here) = all.get_mut(&self.instance) {
            here.retain(|connection| connection.streams.get() > 0);
            if here.is_empty() {
                all.remove(&self.instance);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(connections: &StreamConnections, instance: &str) -> StreamPlace {
        let connect = || Ok::<_, ()>(Endpoint::from_static("http://127.0.0.1:1").connect_lazy());
        connections.place(instance, 2, connect).expect("nothing fails").1
    }

    /// Shows: W17
    #[actix_web::test]
    async fn no_connection_carries_more_streams_than_it_may_and_none_is_kept_without() {
        let connections = StreamConnections::default();
        let mut places: Vec<_> = (0..5).map(|_| place(&connections, "a")).collect();
        let other = place(&connections, "b");
        assert_eq!(connections.loads("a"), [2, 2, 1]);
        places.remove(0);
        places.push(place(&connections, "a"));
        assert_eq!(connections.loads("a"), [2, 2, 1], "a place that was given back is taken before a new connection");
        drop(places);
        assert_eq!(connections.loads("a"), [0; 0]);
        assert_eq!(connections.loads("b"), [1]);
        drop(other);
        assert!(connections.0.borrow().is_empty());
    }

    #[test]
    fn the_window_of_a_connection_holds_those_of_all_its_streams() {
        let mut findings = Findings::new();
        StreamConnectionSettings { per_connection: 40_000, window_bytes: 65_535 }.audit("streams", &mut findings);
        assert!(!findings.is_empty());
        let mut findings = Findings::new();
        StreamConnectionSettings::default().audit("streams", &mut findings);
        assert!(findings.is_empty());
    }
}
