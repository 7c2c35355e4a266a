//! What arrives on the socket and is no proper request, sent byte by byte. The cases of request smuggling follow RFC 9112
//! sections 2.2, 3.2, 5.1, 5.2, 6.1, 6.3 and 7.1.

use std::time::Duration;

use shared_lib::testing::TestService;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::tiny::{Tiny, settings};

/// How long a test waits for a connection to close. It only ends tests that hang.
const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(service: &TestService) -> TcpStream {
    let url = service.url("");
    let address = url.strip_prefix("http://").expect("an address");
    TcpStream::connect(address).await.expect("it listens")
}

/// Sends these bytes and reads until the service closes the connection.
async fn send(service: &TestService, bytes: &[u8]) -> String {
    let mut stream = connect(service).await;
    // The service may refuse and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    read_to_end(stream).await
}

async fn read_to_end(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    // A reset ends the connection as well as a close does.
    let _ = tokio::time::timeout(PATIENCE, reading).await.expect("the service closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of each answer on the connection.
fn statuses(text: &str) -> Vec<&str> {
    text.match_indices("HTTP/1.1 ").filter_map(|(at, found)| text.get(at + found.len()..at + found.len() + 3)).collect()
}

/// Shows: S10
#[actix_web::test]
async fn a_proper_request_passes_and_shows_that_the_refusals_below_mean_something() {
    let service = TestService::start::<Tiny>(settings(&[])).await;
    let proper = b"POST /v1/things/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
    let answer = send(&service, proper).await;
    assert!(statuses(&answer) == ["200"] && answer.ends_with(r#"{"bytes":3}"#), "{answer}");
    let chunked = b"POST /v1/things/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answer = send(&service, chunked).await;
    assert!(statuses(&answer) == ["200"] && answer.ends_with(r#"{"bytes":3}"#), "{answer}");
}

/// Shows: S10
#[actix_web::test]
async fn whatever_two_servers_could_read_in_two_ways_is_refused_and_the_connection_closed() {
    let service = TestService::start::<Tiny>(settings(&[])).await;
    // Each hides a second request where a careless reader would see one.
    const HIDDEN: &str = "GET /v1/things/hidden HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let cases = [
        ("Content-Length and Transfer-Encoding", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("Transfer-Encoding and Content-Length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        ("two different lengths", "Content-Length: 0\r\nContent-Length: 5\r\n\r\n"),
        ("the same length twice", "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
        ("a list of lengths", "Content-Length: 0, 0\r\n\r\n"),
        ("a signed length", "Content-Length: +0\r\n\r\n"),
        ("a negative length", "Content-Length: -1\r\n\r\n"),
        ("a hexadecimal length", "Content-Length: 0x5\r\n\r\nabcde"),
        ("a length beyond 64 bits", "Content-Length: 18446744073709551616\r\n\r\n"),
        ("an unknown coding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("chunked that is not last", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        ("Transfer-Encoding twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        ("a space before the colon", "Content-Length : 5\r\n\r\n"),
        ("a folded header", "X-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
        ("a header without a name", ": a\r\nContent-Length: 0\r\n\r\n"),
        ("a null byte in a value", "X-Null: a\0b\r\nContent-Length: 0\r\n\r\n"),
        ("a bare carriage return", "X-Bare: a\rContent-Length: 5\r\n\r\n"),
        ("two hosts", "Host: b\r\nContent-Length: 0\r\n\r\n"),
    ];
    for (name, rest) in cases {
        let bytes = format!("POST /v1/things/7 HTTP/1.1\r\nHost: a\r\n{rest}{HIDDEN}");
        let answer = send(&service, bytes.as_bytes()).await;
        assert_eq!(statuses(&answer), ["400"], "{name}: {answer}");
    }
}

/// Shows: S10
#[actix_web::test]
async fn chunks_that_are_not_well_formed_end_the_connection() {
    let service = TestService::start::<Tiny>(settings(&[])).await;
    for (name, chunks) in [
        ("a size that is no number", "z\r\nabc\r\n0\r\n\r\n"),
        ("a signed size", "+3\r\nabc\r\n0\r\n\r\n"),
        ("a size beyond 64 bits", "11111111111111111\r\nabc\r\n0\r\n\r\n"),
        ("a chunk longer than its size", "2\r\nabc\r\n0\r\n\r\n"),
        ("a chunk that ends in a bare line feed", "3\r\nabc\n0\r\n\r\n"),
        ("a size that ends in a bare line feed", "3\nabc\r\n0\r\n\r\n"),
    ] {
        let head = "POST /v1/things/7 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let hidden = "GET /v1/things/hidden HTTP/1.1\r\nHost: a\r\n\r\n";
        let answer = send(&service, format!("{head}{chunks}{hidden}").as_bytes()).await;
        assert!(matches!(statuses(&answer)[..], ["400"] | []), "{name}: {answer}");
        assert!(!answer.contains("hidden"), "{name}: {answer}");
    }
}

/// Shows: S10
#[actix_web::test]
async fn what_is_no_http_1_1_request_is_refused() {
    let service = TestService::start::<Tiny>(settings(&[])).await;
    for (name, bytes) in [
        ("no host", "GET /v1/things/7 HTTP/1.1\r\n\r\n"),
        ("a version that does not exist", "GET /v1/things/7 HTTP/9.9\r\nHost: a\r\n\r\n"),
        ("no version", "GET /v1/things/7\r\nHost: a\r\n\r\n"),
        ("a space in the target", "GET /v1/things/7 x HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            "a coding in HTTP/1.0",
            "POST /v1/things/7 HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("the start of TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{0}\u{3}\u{3}\r\n\r\n"),
    ] {
        let answer = send(&service, bytes.as_bytes()).await;
        assert_eq!(statuses(&answer), ["400"], "{name}: {answer}");
    }
}

/// Shows: S10
#[actix_web::test]
async fn a_head_over_the_setting_is_refused_with_a_problem() {
    let service = TestService::start::<Tiny>(settings(&[("TINY__SERVER__MAX_HEADER_BYTES", "1024")])).await;
    let close = "Host: a\r\nConnection: close\r\n";
    let fits = format!("GET /v1/things/7 HTTP/1.1\r\n{close}X-Long: {}\r\n\r\n", "a".repeat(900));
    assert_eq!(statuses(&send(&service, fits.as_bytes()).await), ["200"]);
    for (name, head) in [
        ("one long header", format!("GET /v1/things/7 HTTP/1.1\r\n{close}X-Long: {}\r\n\r\n", "a".repeat(1100))),
        ("many short ones", format!("GET /v1/things/7 HTTP/1.1\r\n{close}{}\r\n", "X-Short: abcdefgh\r\n".repeat(80))),
        ("a long target", format!("GET /v1/things/{} HTTP/1.1\r\n{close}\r\n", "a".repeat(1100))),
    ] {
        let answer = send(&service, head.as_bytes()).await;
        assert_eq!(statuses(&answer), ["431"], "{name}: {answer}");
        assert!(answer.contains(r#""code":"headers-too-large""#), "{name}: {answer}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{name}: {answer}");
    }
}

/// Shows: S10
#[actix_web::test]
async fn a_head_that_the_parser_cannot_hold_is_refused_without_being_read_to_its_end() {
    let service = TestService::start::<Tiny>(settings(&[("TINY__SERVER__MAX_HEADER_BYTES", "1000000")])).await;
    let endless = format!("GET /v1/things/7 HTTP/1.1\r\nHost: a\r\nX-Long: {}", "a".repeat(1_000_000));
    let answer = send(&service, endless.as_bytes()).await;
    assert!(matches!(statuses(&answer)[..], ["431"] | []), "{answer}");
    let many = format!("GET /v1/things/7 HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-Many: a\r\n".repeat(200));
    let answer = send(&service, many.as_bytes()).await;
    assert!(matches!(statuses(&answer)[..], ["400" | "431"]), "{answer}");
}

/// Shows: S10
#[actix_web::test]
async fn a_head_that_comes_drop_by_drop_is_cut_off_and_others_are_served_meanwhile() {
    let service = TestService::start::<Tiny>(settings(&[("TINY__SERVER__HEADER_TIMEOUT_MS", "300")])).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = connect(&service).await;
        stream.write_all(b"GET /v1/things/7 HTTP/1.1\r\nHost: a\r\nX-Slow: ").await.expect("it is read");
        slow.push(stream);
    }
    assert_eq!(service.get("/v1/things/7").await.status.as_u16(), 200, "slow clients hold nobody up");
    for stream in slow {
        let (mut reading, mut writing) = stream.into_split();
        // Drops go on to fall: each of them must not prolong the time.
        let dripping = actix_web::rt::spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            while writing.write_all(b"a").await.is_ok() {
                pace.tick().await;
            }
        });
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, reading.read_to_end(&mut answer)).await;
        dripping.abort();
        let _ = read.expect("the service closes the connection");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(matches!(statuses(&answer)[..], ["408"] | []), "{answer}");
    }
}

/// Shows: S10
#[actix_web::test]
async fn a_body_that_comes_drop_by_drop_is_cut_off_at_the_deadline() {
    let service = TestService::start::<Tiny>(settings(&[("TINY__SERVER__REQUEST_TIMEOUT_MS", "300")])).await;
    let mut stream = connect(&service).await;
    let head = b"POST /v1/things/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\nabc";
    stream.write_all(head).await.expect("it is read");
    let answer = read_to_end(stream).await;
    assert_eq!(statuses(&answer), ["408"], "{answer}");
    assert!(answer.contains(r#""code":"request-timeout""#), "{answer}");
}

/// Shows: S10
#[actix_web::test]
async fn pipelined_requests_are_answered_one_by_one_in_their_order() {
    let service = TestService::start::<Tiny>(settings(&[])).await;
    let mut bytes = String::new();
    for id in 0..40 {
        bytes.push_str(&format!("GET /v1/things/{id} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    bytes.push_str("GET /v1/things/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answer = send(&service, bytes.as_bytes()).await;
    assert_eq!(statuses(&answer).len(), 41);
    let ids: Vec<_> = answer.split(r#"{"id":""#).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let expected: Vec<String> = (0..40).map(|id| id.to_string()).chain(["last".to_owned()]).collect();
    assert_eq!(ids, expected);
}

/// Shows: S10
#[actix_web::test]
async fn connections_over_the_limit_wait_until_others_end() {
    let service = TestService::start::<Tiny>(settings(&[("TINY__SERVER__MAX_CONNECTIONS", "2")])).await;
    let request = b"GET /v1/things/7 HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&service).await;
        stream.write_all(request).await.expect("it is read");
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.expect("it answers");
        held.push(stream);
    }
    let mut third = connect(&service).await;
    third.write_all(request).await.expect("the system takes it");
    let mut first = [0; 12];
    let early = tokio::time::timeout(Duration::from_millis(200), third.read_exact(&mut first)).await;
    assert!(early.is_err(), "it has to wait");
    drop(held);
    let late = tokio::time::timeout(PATIENCE, third.read_exact(&mut first)).await;
    late.expect("a place has become free").expect("it answers");
    assert_eq!(&first, b"HTTP/1.1 200");
}
