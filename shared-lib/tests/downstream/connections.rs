//! Faults of connections that need a server which breaks the rules on purpose: bytes are written by hand.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actix_web::http::Method;
use shared_lib::downstream::{Answer, DownstreamError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::harness::{Process, reason, request};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// A server that answers the requests of each connection with these texts, one after the other, and closes it where it
/// has none left: then a further request is read and not answered.
struct RawServer {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl RawServer {
    async fn start(answers: &'static [&'static str], reads_on: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&requests);
        actix_web::rt::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                actix_web::rt::spawn(serve(connection, answers, reads_on, Arc::clone(&seen)));
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Requests without a body, or with one that comes in the same piece.
async fn serve(mut connection: TcpStream, answers: &[&str], reads_on: bool, seen: Arc<AtomicUsize>) {
    let mut buffer = vec![0; 8192];
    for answer in answers {
        match connection.read(&mut buffer).await {
            Ok(length) if length > 0 => seen.fetch_add(1, Ordering::SeqCst),
            _ => return,
        };
        if connection.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
    if reads_on && connection.read(&mut buffer).await.is_ok_and(|length| length > 0) {
        seen.fetch_add(1, Ordering::SeqCst);
    }
}

fn process(server: &RawServer) -> Process {
    Process::new(std::slice::from_ref(&server.url), |settings| {
        settings.retry.max_attempts = 2;
        settings.coalesce = false;
    })
}

async fn send(process: &Process, method: Method) -> Result<Answer, DownstreamError> {
    process.downstream.call(&request(), method, &["thing"]).send().await
}

/// Shows: S3
#[actix_web::test]
async fn a_pooled_connection_that_closes_on_reuse_costs_an_idempotent_call_one_more_attempt() {
    let server = RawServer::start(&[OK], true).await;
    let process = process(&server);
    send(&process, Method::GET).await.expect("a fresh connection");
    send(&process, Method::GET).await.expect("the second attempt has a fresh connection");
    assert_eq!(server.requests(), 3, "the one that was not answered is sent once more");
    process.assert_idle("after the connection closed").await;
}

/// Shows: S3
#[actix_web::test]
async fn a_pooled_connection_that_closes_on_reuse_never_repeats_a_post() {
    let server = RawServer::start(&[OK], true).await;
    let process = process(&server);
    send(&process, Method::POST).await.expect("a fresh connection");
    let outcome = send(&process, Method::POST).await;
    assert_eq!((reason(&outcome), server.requests()), ("broken", 2));

    let keyed = process.downstream.post(&request(), &["thing"]).idempotent();
    send(&process, Method::POST).await.expect("a fresh connection again");
    keyed.send().await.expect("the service takes it once, so it is sent again");
    assert_eq!(server.requests(), 5);
}

/// Shows: S3
#[actix_web::test]
async fn an_idle_connection_that_the_server_closes_costs_nobody_an_error() {
    let server = RawServer::start(&[OK], false).await;
    let process = process(&server);
    for _ in 0..10 {
        send(&process, Method::GET).await.expect("an answer");
    }
    assert_eq!(server.requests(), 10);
}

/// Shows: S7
#[actix_web::test]
async fn a_body_shorter_than_its_length_is_no_answer_even_when_it_reads_well() {
    const SHORT: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 40\r\n\r\n{}";
    let server = RawServer::start(&[SHORT], false).await;
    let process = process(&server);
    let outcome = process.get(&["thing"]).await;
    assert_eq!((reason(&outcome), server.requests()), ("broken", 2), "{outcome:?}");
    assert_eq!(process.breaker().failed_calls, 2);
    process.assert_idle("after the short body").await;
}

/// Shows: S7
#[actix_web::test]
async fn what_is_not_http_is_a_broken_exchange() {
    let server = RawServer::start(&["SSH-2.0-OpenSSH_9.6\r\n\r\n"], false).await;
    let process = process(&server);
    let outcome = process.get(&["thing"]).await;
    assert_eq!((reason(&outcome), server.requests()), ("broken", 2), "{outcome:?}");
    process.assert_idle("after the nonsense").await;
}

/// Shows: S3
#[actix_web::test]
async fn a_port_where_nobody_listens_is_a_failure_to_connect() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let process = Process::new(&[url], |settings| settings.retry.max_attempts = 2);
    let outcome = process.get(&["thing"]).await;
    assert_eq!((reason(&outcome), process.load().wire_attempts), ("connect", 2));
    process.assert_idle("after the refusals").await;
}
