//! A client that reads its stream and tells when what came.

use std::{net::SocketAddr, time::Instant};

use shared_lib::{
    clock::Clock,
    testing::{Dispatched, EventParser},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::UnboundedSender,
};

use super::sessions::SignedIn;

/// What a client has seen.
pub struct Seen {
    /// Its number.
    pub client: usize,
    /// The event.
    pub event: Dispatched,
    /// When.
    pub at: Instant,
}

/// Connects, waits for the head, and reads in a task of its own for as long as the stream lasts.
pub async fn connect(service: SocketAddr, user: &SignedIn, client: usize, seen: UnboundedSender<Seen>) {
    let mut socket = TcpStream::connect(service).await.expect("the service listens; is the file limit raised?");
    socket.set_nodelay(true).expect("the option is known");
    let request = format!(
        "GET /api/v2/notifications/stream HTTP/1.1\r\nHost: localhost:8080\r\nAccept: text/event-stream\r\n\
         Last-Event-ID: 0\r\nCache-Control: no-store\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
         Accept-Language: en-GB,en;q=0.7\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
         Referer: http://localhost:8080/dashboard\r\nCookie: {}\r\n\r\n",
        user.cookie
    );
    socket.write_all(request.as_bytes()).await.expect("it takes a request");
    let mut bytes = Vec::with_capacity(1_024);
    let body = loop {
        assert!(socket.read_buf(&mut bytes).await.expect("it answers") > 0, "the connection ended before an answer");
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..body]).into_owned();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut parser = EventParser::default();
    // Chunk heads are neither fields nor blank lines that matter: `1a`, and the line break at the end of a chunk, which ends
    // an event a second time.
    parser.feed(&bytes[body..]);
    drop(bytes);
    tokio::spawn(async move {
        let mut buffer = [0; 1_024];
        loop {
            let length = socket.read(&mut buffer).await.unwrap_or(0);
            if length == 0 {
                return;
            }
            parser.feed(&buffer[..length]);
            let at = Clock::system().now();
            for event in parser.dispatched.drain(..) {
                let _ = seen.send(Seen { client, event, at });
            }
        }
    });
}
