//! A tab that counts its events and keeps none of them, on a socket of its own: for events by the million, and for one that
//! stops reading, whose system then takes no more than a small window of them.

use std::{net::SocketAddr, ops::Range};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::PATIENCE;

/// What is read at once at most, in bytes.
const BUFFER: usize = 64 * 1_024;

/// The receive buffer of a tab that is going to stop reading, in bytes. The system doubles it.
const SMALL: u32 = 4_096;

/// A tab.
pub struct EventReader {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    has_head: bool,
    has_ended: bool,
    /// Of the event that is being read.
    id: u64,
    /// Of the last one that was read.
    last: u64,
}

impl EventReader {
    /// Asks for the stream after this event. One that `stops` has a small receive buffer.
    pub async fn connect(service: SocketAddr, cookie: &str, after: u64, stops: bool) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        if stops {
            // Before it connects, because the window is agreed on then.
            socket.set_recv_buffer_size(SMALL).expect("the option is known");
        }
        let mut socket = socket.connect(service).await.expect("the service listens");
        SockRef::from(&socket).set_tcp_nodelay(true).expect("the option is known");
        let request = format!(
            "GET /api/v2/notifications/stream HTTP/1.1\r\nHost: localhost:8080\r\nAccept: text/event-stream\r\n\
             Last-Event-ID: {after}\r\nCookie: {cookie}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.expect("it takes a request");
        let (buffer, line) = (vec![0; BUFFER], Vec::new());
        Self { socket, buffer, line, has_head: false, has_ended: false, id: after, last: after }
    }

    /// Reads once, and gives the ids of the events that came, which follow each other without a gap or a double. `None` at
    /// the stream's end.
    ///
    /// # Panics
    /// When nothing comes, or anything else than a notification.
    pub async fn read(&mut self) -> Option<Range<u64>> {
        let first = self.last + 1;
        let reading = timeout(PATIENCE, self.socket.read(&mut self.buffer));
        let length = reading.await.expect("something comes in time").expect("the connection does not break");
        let buffer = std::mem::take(&mut self.buffer);
        for piece in buffer[..length].split_inclusive(|byte| *byte == b'\n') {
            if piece.last() != Some(&b'\n') {
                self.line.extend_from_slice(piece);
            } else if self.line.is_empty() {
                self.take(piece);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(piece);
                self.take(&line);
                line.clear();
                self.line = line;
            }
        }
        self.buffer = buffer;
        let ids = first..self.last + 1;
        // The connection outlives the stream.
        (length > 0 && !self.has_ended || !ids.is_empty()).then_some(ids)
    }

    /// Reads up to the event with this id.
    ///
    /// # Panics
    /// When the stream ends before.
    pub async fn read_to(&mut self, id: u64) {
        while self.last < id {
            let last = self.last;
            assert!(self.read().await.is_some(), "the stream ended after event {last}");
        }
    }

    /// The id of the last event that it has read.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Its own end of the connection.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("it is connected")
    }

    /// A line with its end. What is no field of an event is the head of the answer, or that of a chunk.
    fn take(&mut self, line: &[u8]) {
        if !std::mem::replace(&mut self.has_head, true) {
            assert!(line.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(line));
        } else if let Some(id) = line.strip_prefix(b"id: ") {
            self.id = std::str::from_utf8(id).ok().and_then(|id| id.trim_end().parse().ok()).expect("ids are numbers");
        } else if let Some(name) = line.strip_prefix(b"event: ") {
            assert_eq!(String::from_utf8_lossy(name).trim_end(), "notification", "after event {}", self.last);
        } else if line.starts_with(b"data: ") {
            assert_eq!(self.id, self.last + 1, "each event comes once, and none is missing");
            self.last = self.id;
        } else if line == b"0\r\n" {
            self.has_ended = true;
        }
    }
}
