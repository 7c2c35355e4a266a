//! What clients send that must not reach a service.

use actix_web::http::{
    Method, StatusCode,
    header::{COOKIE, HeaderName},
};
use shared_lib::testing::receive;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{FILES, Proxied, cookies};
use crate::harness::PATIENCE;

/// What a client sends that is no browser and no library: every byte is the test's. The status of the answer.
async fn send_raw(proxied: &Proxied, head: &str) -> u16 {
    let address = proxied.world.service.url("").replace("http://", "");
    let mut socket = TcpStream::connect(&address).await.expect("the service listens");
    socket.write_all(head.replace('\n', "\r\n").as_bytes()).await.expect("it is read");
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("the answer ends in time");
    read.expect("an answer");
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {answer}"))
}

/// Shows: W14
#[actix_web::test]
async fn a_service_gets_what_is_listed_and_neither_cookie_nor_identity_of_the_client() {
    let proxied = Proxied::start(&[("BFF_WEB__PROXY__FILES__REQUEST_HEADERS", "x-tenant")]).await;
    let browser = proxied.world.signed_in("alice").await;
    let head = format!(
        "GET {FILES}/a%20b/c?x=1&y=%2F HTTP/1.1
host: evil.example
cookie: {}
accept: text/csv
x-tenant: blue
x_tenant: red
authorization: Bearer forged
forwarded: for=127.0.0.1
x-forwarded-for: 127.0.0.1
x_forwarded_for: 127.0.0.1
X-FORWARDED-HOST: evil.example
x-real-ip: 127.0.0.1
x-user-id: root
X_User_Id: root
x-partner-id: acme
x-request-id: forged
x-request-timeout-ms: 1
traceparent: forged
x-hop: 1
if-match: \"1\"
keep-alive: timeout=5
te: trailers
proxy-authorization: Basic eA==
x-http-method-override: DELETE
connection: X-Hop, If-Match, close

",
        cookies(&browser)
    );
    assert_eq!(send_raw(&proxied, &head).await, 200);
    let seen = proxied.files.seen().remove(0);
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str(), seen.query.as_str()),
        ("GET", "/base/v3/a%20b/c", "x=1&y=%2F")
    );
    let mut names: Vec<_> = seen.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let ours = ["authorization", "content-length", "date", "host", "x-request-id", "x-request-timeout-ms"];
    let theirs = ["accept", "x-tenant"];
    let mut expected = [&ours[..], &theirs[..]].concat();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(seen.header("x-tenant"), Some("blue"));
    assert_eq!(format!("http://{}", seen.header("host").unwrap_or_default()), proxied.files.url());
    for name in ["authorization", "x-request-id"] {
        assert!(!seen.header(name).is_some_and(|value| value.contains("forged")), "{name}");
    }
    assert_ne!(seen.header("x-request-timeout-ms"), Some("1"));
}

/// Shows: W14, S10
#[actix_web::test]
async fn a_request_within_a_request_reaches_no_service() {
    let proxied = Proxied::start(&[]).await;
    let browser = proxied.world.signed_in("alice").await;
    let inner = "GET /api/files/inner HTTP/1.1\nhost: a\n\n";
    let token = browser.cookie("XSRF-TOKEN").unwrap_or_default();
    let own = format!("host: a\ncookie: {}\nsec-fetch-site: same-origin\nx-xsrf-token: {token}", cookies(&browser));
    for framing in [
        "content-length: 3\ntransfer-encoding: chunked\n\n0\n\n",
        "transfer-encoding: chunked\ntransfer-encoding: identity\n\n0\n\n",
        "content-length: 0\ncontent-length: 40\n\n",
        "transfer-encoding: xchunked\n\n0\n\n",
    ] {
        let status =
            send_raw(&proxied, &format!("POST {FILES} HTTP/1.1\n{own}\nconnection: close\n{framing}{inner}")).await;
        assert_eq!(status, 400, "{framing}");
    }
    assert_eq!(proxied.files.calls(), 0);
}

/// Shows: W14
#[actix_web::test]
async fn a_path_that_could_be_read_in_two_ways_reaches_no_service() {
    let proxied = Proxied::start(&[]).await;
    let browser = proxied.world.signed_in("alice").await;
    for tail in [
        "/../auth/session",
        "/..",
        "/./a",
        "//a",
        "/a//b",
        "/%2e%2e/a",
        "/.%2e/a",
        "/a%2fb",
        "/a%5Cb",
        "/%252e%252e/a",
        "/a%252fb",
        "/..;/a",
        "/a;v=1",
        "/a%00",
        "/a%0d%0ab",
        "/%c0%ae%c0%ae/a",
    ] {
        let url = proxied.world.service.url(&format!("{FILES}{tail}"));
        let request = proxied.world.service.client().get(url).insert_header((COOKIE, cookies(&browser)));
        let answer = receive(request.send()).await;
        assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::BAD_REQUEST, &"unsafe-path".into()), "{tail}");
    }
    // What is decoded to the path of the route is not the route's path.
    for path in ["/api/%66iles/a", "/api//files/a", "/api/v2/../files/a", "/api/FILES/a", "/api/filesystem"] {
        let request = proxied.world.service.client().get(proxied.world.service.url(path));
        let answer = receive(request.insert_header((COOKIE, cookies(&browser))).send()).await;
        assert!(!answer.text().contains("\"ok\":true"), "{path}");
    }
    assert_eq!(proxied.files.calls(), 0);
}

/// Shows: W7, W14
#[actix_web::test]
async fn what_holds_for_every_route_holds_for_a_proxied_one() {
    let proxied = Proxied::start(&[("BFF_WEB__PROXY__FILES__SCOPES", "files:read")]).await;
    let mut nobody = proxied.world.browser();
    assert_eq!(nobody.get(FILES).await.json()["code"], "unauthenticated");
    let mut alice = proxied.world.signed_in("alice").await;
    assert_eq!(alice.fetch(Method::DELETE, FILES).await.json()["code"], "method-not-allowed");
    assert_eq!(alice.fetch_with(Method::POST, FILES, &[]).await.json()["code"], "csrf-failed");
    assert_eq!(alice.get(FILES).await.json()["code"], "forbidden", "the scope was not granted");
    assert_eq!(proxied.files.calls(), 0);
}

/// Shows: W14
#[actix_web::test]
async fn a_field_that_may_stand_once_and_stands_twice_is_refused() {
    let proxied = Proxied::start(&[]).await;
    let mut alice = proxied.world.signed_in("alice").await;
    let types =
        ["text/plain", "application/json"].map(|value| (HeaderName::from_static("content-type"), value.to_owned()));
    let answer = alice.fetch_with(Method::GET, FILES, &types).await;
    assert_eq!(
        (answer.status, &answer.json()["errors"][0]["field"]),
        (StatusCode::BAD_REQUEST, &"content-type".into())
    );
    assert_eq!(proxied.files.calls(), 0);
}
