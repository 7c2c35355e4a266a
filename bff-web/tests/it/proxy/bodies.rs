//! Bodies on their way through, in both directions.

use std::time::Duration;

use actix_web::{
    http::{StatusCode, header::COOKIE},
    web::Bytes,
};
use futures_util::{StreamExt, stream};
use shared_lib::testing::{Answer, eventually, receive};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use super::{FILES, Proxied, cookies};
use crate::harness::PATIENCE;

/// The head that proves that script of our own page asks, for requests that no [`Browser`](crate::harness::Browser) makes.
fn own(proxied: &Proxied, browser: &crate::harness::Browser, path: &str) -> awc::ClientRequest {
    let request = proxied.world.service.client().post(proxied.world.service.url(path));
    request
        .insert_header((COOKIE, cookies(browser)))
        .insert_header(("sec-fetch-site", "same-origin"))
        .insert_header(("x-xsrf-token", browser.cookie("XSRF-TOKEN").unwrap_or_default()))
}

/// Shows: W14
#[actix_web::test]
async fn a_body_larger_than_the_limit_is_refused_whether_it_says_so_or_not() {
    let proxied = Proxied::start(&[("BFF_WEB__PROXY__FILES__MAX_REQUEST_BYTES", "1000")]).await;
    let alice = proxied.world.signed_in("alice").await;
    let fits = receive(own(&proxied, &alice, FILES).send_body(vec![b'x'; 1000])).await;
    assert_eq!((fits.status, proxied.files.seen()[0].body.len()), (StatusCode::OK, 1000));
    assert_eq!(proxied.files.seen()[0].header("content-length"), Some("1000"));

    let said = receive(own(&proxied, &alice, FILES).send_body(vec![b'x'; 1001])).await;
    assert_eq!((said.status, &said.json()["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &"payload-too-large".into()));
    let chunks = stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 100]))));
    let unsaid = receive(own(&proxied, &alice, FILES).send_stream(chunks)).await;
    assert_eq!((unsaid.status, &unsaid.json()["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &"payload-too-large".into()));
    let breaker = proxied.world.service.get_management("/info").await.json()["circuitBreakers"]["files"].clone();
    assert_eq!(breaker["failedCalls"], 0, "it is not the service's fault: {breaker}");
    assert_eq!(proxied.files.calls(), 1, "no service has taken a part for the whole");
}

/// Shows: W14
#[actix_web::test]
async fn an_answer_larger_than_the_limit_is_refused_or_broken_off() {
    let proxied = Proxied::start(&[("BFF_WEB__PROXY__FILES__MAX_RESPONSE_BYTES", "1000")]).await;
    let mut alice = proxied.world.signed_in("alice").await;
    proxied.files.push(Answer::status(200).body("text/plain", vec![b'x'; 1001]));
    let answer = alice.get(FILES).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (StatusCode::BAD_GATEWAY, &"downstream-invalid-response".into())
    );
    proxied.files.push(Answer::status(200).body("text/plain", vec![b'x'; 1000]));
    assert_eq!(alice.get(FILES).await.body.len(), 1000);
    // Half of what it says, and then nothing: the browser must not take that for all.
    proxied.files.push(Answer::status(200).body("text/plain", vec![b'x'; 900]).breaking_off());
    let request = proxied.world.service.client().get(proxied.world.service.url(FILES));
    // The end may even come before the head has gone out.
    let mut received = 0;
    if let Ok(mut response) = request.insert_header((COOKIE, cookies(&alice))).send().await {
        while let Some(Ok(chunk)) = response.next().await {
            received += chunk.len();
        }
    }
    assert!(received < 900, "{received}");
    assert!(proxied.files.calls() == 3, "and nothing was asked for again");
}

/// A service under the test's hand: it takes one connection and gives it to the test after the request's head.
async fn one_connection() -> (String, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (sender, receiver) = mpsc::channel(1);
    actix_web::rt::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        read_head(&mut socket).await;
        let _ = sender.send(socket).await;
    });
    (url, receiver)
}

/// Reads the head and leaves the rest.
async fn read_head(socket: &mut TcpStream) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(timeout(PATIENCE, socket.read_u8()).await.expect("in time").expect("the connection holds"));
    }
}

/// Reads until this has come, and gives everything that came.
async fn read_until(socket: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    while !read.windows(end.len()).any(|window| window == end) {
        let mut buffer = [0; 16_384];
        let count = timeout(PATIENCE, socket.read(&mut buffer)).await.expect("in time").expect("the connection holds");
        assert!(count > 0, "ended after {:?}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&buffer[..count]);
    }
    read
}

/// Shows: W14
#[actix_web::test]
async fn chunks_pass_as_they_come_and_whoever_leaves_takes_the_exchange_along() {
    let (url, mut connections) = one_connection().await;
    let proxied = Proxied::start(&[("BFF_WEB__DOWNSTREAMS__FILES__URLS", url.as_str())]).await;
    let alice = proxied.world.signed_in("alice").await;
    let (chunks, source) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let source = stream::unfold(source, |mut source| async { source.recv().await.map(|chunk| (chunk, source)) });
    let request = actix_web::rt::spawn(own(&proxied, &alice, FILES).send_stream(source));
    // Up: the service has the first chunk while the second is still to be written. Each is larger than what the clients
    // in between gather before they write.
    let chunk = |mark: &str| Bytes::from([&[b'x'; 65_536], mark.as_bytes()].concat());
    chunks.send(Ok(chunk("first-chunk"))).await.expect("it is read");
    let mut service = timeout(PATIENCE, connections.recv()).await.expect("in time").expect("a connection");
    read_until(&mut service, b"first-chunk").await;
    chunks.send(Ok(chunk("second-chunk"))).await.expect("it is read");
    read_until(&mut service, b"second-chunk").await;
    drop(chunks);
    read_until(&mut service, b"0\r\n\r\n").await;
    // Down: the browser has the first chunk while the service has not written the second.
    service.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await.expect("it is read");
    let mut response = timeout(PATIENCE, request).await.expect("in time").expect("it ran").expect("a head");
    assert_eq!(response.next().await.expect("a chunk").expect("it came"), "one");
    service.write_all(b"3\r\ntwo\r\n").await.expect("it is read");
    assert_eq!(response.next().await.expect("a chunk").expect("it came"), "two");
    // The browser leaves; the service notices, because nobody reads any more.
    drop(response);
    let closed = timeout(PATIENCE, service.read(&mut [0; 16])).await.expect("in time");
    assert!(matches!(closed, Ok(0) | Err(_)), "the connection to the service is closed");
    let gives_back = eventually(PATIENCE, || async {
        let info = proxied.world.service.get_management("/info").await.json();
        info["instances"]["files"]["instances"][0]["inFlight"] == 0
    });
    assert!(gives_back.await, "what the exchange held has come back");
}

/// Shows: W14
#[actix_web::test]
async fn a_service_that_stops_in_the_middle_is_cut_off_when_the_time_is_up() {
    let (url, mut connections) = one_connection().await;
    let proxied = Proxied::start(&[
        ("BFF_WEB__DOWNSTREAMS__FILES__URLS", url.as_str()),
        ("BFF_WEB__PROXY__FILES__TIMEOUT_MS", "2000"),
    ])
    .await;
    let alice = proxied.world.signed_in("alice").await;
    let request = proxied.world.service.client().get(proxied.world.service.url(FILES));
    let request =
        actix_web::rt::spawn(request.timeout(Duration::from_secs(60)).insert_header((COOKIE, cookies(&alice))).send());
    let mut service = timeout(PATIENCE, connections.recv()).await.expect("in time").expect("a connection");
    service.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.expect("it is read");
    let mut response = timeout(PATIENCE, request).await.expect("in time").expect("it ran").expect("a head");
    assert_eq!(response.next().await.expect("a chunk").expect("it came"), "half");
    let end = timeout(PATIENCE, response.next()).await.expect("in time");
    assert!(!matches!(end, Some(Ok(_))), "nothing more comes");
    let closed = timeout(PATIENCE, service.read(&mut [0; 16])).await.expect("in time");
    assert!(matches!(closed, Ok(0) | Err(_)), "the connection to the service is closed");
    let breaker = proxied.world.service.get_management("/info").await.json()["circuitBreakers"]["files"].clone();
    assert_eq!(breaker["failedCalls"], 1, "one sample, and it says that the service is not well: {breaker}");
}
