//! Support chats over real WebSockets, bridged to the sandbox's agent or to a service that does what it is told.

mod limits;
mod tls;
mod tokens;

use actix_codec::Framed;
use actix_http::ws::{CloseCode, CloseReason, Codec, Frame, Message};
use actix_web::http::{Method, StatusCode};
use awc::{BoxedSocket, error::WsClientError, ws::WebsocketsRequest};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sandbox::chaos::Rule;
use serde_json::{Value, json};
use shared_lib::testing::{eventually, receive};
use tokio::time::timeout;

use crate::{
    harness::{Browser, ORIGIN, PATIENCE, World, replicas::Replicas, support_service::SupportService, urls_of},
    streams::sessions::replicas_listen,
};

pub const CHAT: &str = "/api/v2/support/chat";

/// A browser's side of a chat.
pub struct Chat(pub Framed<BoxedSocket, Codec>);

/// The handshake that a page of this origin makes.
pub fn handshake(browser: &Browser, origin: Option<&str>, protocol: Option<&str>) -> WebsocketsRequest {
    let mut request = awc::Client::new().ws(browser.address(CHAT)).max_frame_size(1 << 20);
    request = request.set_header("cookie", browser.cookie_header(CHAT));
    if let Some(origin) = origin {
        request = request.set_header("origin", origin);
    }
    if let Some(protocol) = protocol {
        request = request.protocols([protocol]);
    }
    request
}

pub async fn refused(request: WebsocketsRequest) -> u16 {
    match request.connect().await {
        Err(WsClientError::InvalidResponseStatus(status)) => status.as_u16(),
        Err(error) => panic!("a refused handshake, not {error:?}"),
        Ok(_) => panic!("a refused handshake, not a WebSocket"),
    }
}

impl Chat {
    pub async fn open(browser: &Browser) -> Self {
        let opened = handshake(browser, Some(ORIGIN), Some("support.v1")).connect().await;
        let (answer, socket) = opened.expect("the handshake succeeds");
        assert_eq!(answer.headers().get("sec-websocket-protocol").expect("it is agreed"), "support.v1");
        Self(socket)
    }

    pub async fn say(&mut self, text: &str) {
        self.0.send(Message::Text(text.to_owned().into())).await.expect("it is taken");
    }

    pub async fn next(&mut self) -> Frame {
        let frame = timeout(PATIENCE, self.0.next()).await.expect("something comes in time");
        frame.expect("the chat goes on").expect("it is a frame")
    }

    /// The next text, past pings.
    pub async fn text(&mut self) -> String {
        loop {
            match self.next().await {
                Frame::Text(bytes) => return String::from_utf8(bytes.to_vec()).expect("it is UTF-8"),
                Frame::Ping(_) => {}
                other => panic!("a text, not {other:?}"),
            }
        }
    }

    /// How the chat is closed: code and reason. What comes before is passed over.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Frame::Close(reason) = self.next().await {
                let reason = reason.expect("a code");
                return (reason.code.into(), reason.description.unwrap_or_default());
            }
        }
    }
}

/// In front of a service that does what it is told.
pub async fn world_with(service: &SupportService, variables: &[(&str, &str)]) -> World {
    let (name, url) = (urls_of("support"), service.url());
    let mut all = vec![(name.as_str(), url.as_str())];
    all.extend(variables);
    World::start_with(&all).await
}

/// Shows: W18
#[actix_web::test]
async fn a_user_talks_to_the_agent_until_one_of_them_says_goodbye() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    let mut chat = Chat::open(&alice).await;
    let greeting: Value = serde_json::from_str(&chat.text().await).expect("JSON");
    assert_eq!(greeting["from"], "agent");
    chat.say(&json!({ "type": "message", "text": "bye" }).to_string()).await;
    assert_eq!(chat.closed().await, (1000, "the conversation is over".to_owned()));
    chat.0.send(Message::Close(None)).await.ok();
    assert!(eventually(PATIENCE, || async { world.places().await == 0 }).await, "the place is given back");
}

/// Shows: W18, S13
#[actix_web::test]
async fn messages_and_close_codes_pass_both_ways_and_the_service_knows_whose_chat_it_is() {
    let service = SupportService::start();
    let world = world_with(&service, &[]).await;
    let alice = world.signed_in("alice").await;
    let mut chat = Chat::open(&alice).await;
    chat.say("zażółć gęślą jaźń").await;
    assert_eq!(chat.text().await, "zażółć gęślą jaźń");
    chat.0.send(Message::Ping(Bytes::from_static(b"here?"))).await.expect("it is taken");
    assert_eq!(chat.next().await, Frame::Pong(Bytes::from_static(b"here?")));
    let reason = CloseReason { code: CloseCode::from(4321), description: Some("enough".to_owned()) };
    chat.0.send(Message::Close(Some(reason))).await.expect("it is taken");
    assert_eq!(chat.closed().await, (4321, "enough".to_owned()));
    let told = || async { service.closes() == [Some((4321, "enough".to_owned()))] };
    assert!(eventually(PATIENCE, told).await, "{:?}", service.closes());

    let mut chat = Chat::open(&alice).await;
    chat.say("close 3999 that is all").await;
    assert_eq!(chat.closed().await, (3999, "that is all".to_owned()));
    let shown = service.authorizations();
    assert!(shown.iter().all(|shown| shown.starts_with("Bearer ey")), "the user's token is relayed");
}

/// Shows: W18
#[actix_web::test]
async fn a_chat_needs_a_session_a_page_of_ours_and_the_subprotocol() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    let ours = Some("support.v1");
    assert_eq!(refused(handshake(&world.browser(), Some(ORIGIN), ours)).await, 401);
    for origin in [None, Some("null"), Some("https://evil.example"), Some("http://localhost:8080.evil.example")] {
        assert_eq!(refused(handshake(&alice, origin, ours)).await, 403, "{origin:?}");
    }
    assert_eq!(refused(handshake(&alice, Some(ORIGIN), None)).await, 400);
    assert_eq!(refused(handshake(&alice, Some(ORIGIN), Some("other.v1"))).await, 400);
    assert_eq!(world.sandbox.chaos().calls("support").len(), 0, "the service is not asked");
    let plain = world.service.client().get(alice.address(CHAT)).insert_header(("cookie", alice.cookie_header(CHAT)));
    let plain = plain.insert_header(("origin", ORIGIN)).insert_header(("sec-websocket-protocol", "support.v1"));
    let answer = receive(plain.send()).await;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::BAD_REQUEST, &json!("websocket-required")));
}

/// Shows: W18
#[actix_web::test]
async fn a_further_origin_is_one_that_was_configured() {
    let world = World::start_with(&[("BFF_WEB__CHAT__ALLOWED_ORIGINS", "https://shop.example")]).await;
    let alice = world.signed_in("alice").await;
    let request = handshake(&alice, Some("https://shop.example"), Some("support.v1"));
    assert!(request.connect().await.is_ok());
}

/// Shows: W18, W12
#[actix_web::test]
async fn a_chat_ends_within_a_second_of_its_session_on_another_replica_and_says_why() {
    let world = Replicas::start(2).await;
    let mut alice = world.signed_in("alice", 0).await;
    let bob = world.signed_in("bob", 1).await;
    let (mut chat, mut bobs) = (Chat::open(&world.led(&alice, 1)).await, Chat::open(&bob).await);
    chat.text().await;
    bobs.text().await;
    replicas_listen(&world, 2).await;
    assert_eq!(alice.fetch(Method::POST, "/api/auth/logout").await.status, StatusCode::OK);
    let closed = timeout(std::time::Duration::from_secs(1), chat.closed()).await.expect("within a second");
    assert_eq!(closed, (4001, "signed-out".to_owned()));
    bobs.say(&json!({ "type": "message", "text": "my order" }).to_string()).await;
    assert!(bobs.text().await.contains("typing"), "nobody else's chat is touched");
    assert_eq!(refused(handshake(&world.led(&alice, 1), Some(ORIGIN), Some("support.v1"))).await, 401);
}

/// Shows: W18
#[actix_web::test]
async fn a_service_that_is_away_is_a_close_code_and_no_failed_handshake() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    world.disturb("support", Rule::status(503));
    assert_eq!(Chat::open(&alice).await.closed().await, (1013, "support-unavailable".to_owned()));
}

/// Shows: S9, W18
#[actix_web::test]
async fn a_service_that_leaves_ends_its_chats_and_does_not_wait_for_them() {
    let world = World::start_with(&[("BFF_WEB__SERVER__DRAIN_TIMEOUT_MS", "600000")]).await;
    let alice = world.signed_in("alice").await;
    let mut chat = Chat::open(&alice).await;
    chat.text().await;
    let left = actix_web::rt::spawn(world.service.drain());
    assert_eq!(chat.closed().await, (1012, "draining".to_owned()));
    drop(chat);
    timeout(PATIENCE, left).await.expect("it does not wait for the chat").expect("it leaves");
}
