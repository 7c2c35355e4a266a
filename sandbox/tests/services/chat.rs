//! Support chat over WebSocket.

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use awc::{
    error::WsClientError,
    ws::{CloseCode, Frame, Message},
};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use serde_json::{Value, json};

use crate::harness::{Harness, LONG};

/// Both directions of a WebSocket.
trait Socket: Stream<Item = Result<Frame, awc::error::WsProtocolError>> + Sink<Message> + Unpin {}
impl<T: Stream<Item = Result<Frame, awc::error::WsProtocolError>> + Sink<Message> + Unpin> Socket for T {}

async fn open(harness: &Harness) -> impl Socket + use<> {
    let url = harness.sandbox.url("support") + "/chat";
    let request = awc::Client::new().ws(url).bearer_auth(harness.alice()).protocols(["support.v1"]);
    let (response, socket) = request.connect().await.expect("a WebSocket");
    assert_eq!(response.headers().get("sec-websocket-protocol").expect("a subprotocol"), "support.v1");
    socket
}

async fn next(socket: &mut impl Socket) -> Frame {
    let frame = tokio::time::timeout(LONG, socket.next()).await.expect("a frame in time");
    frame.expect("an open socket").expect("a frame")
}

async fn next_json(socket: &mut impl Socket) -> Value {
    match next(socket).await {
        Frame::Text(text) => serde_json::from_slice(&text).expect("JSON"),
        other => panic!("a text frame, not {other:?}"),
    }
}

async fn send(socket: &mut impl Socket, message: Message) {
    assert!(socket.send(message).await.is_ok(), "an open socket");
}

fn close_code(frame: Frame) -> CloseCode {
    match frame {
        Frame::Close(Some(reason)) => reason.code,
        other => panic!("a close frame with a code, not {other:?}"),
    }
}

#[actix_web::test]
async fn the_agent_greets_types_answers_and_says_goodbye() {
    let harness = Harness::with(&["support"]).await;
    let mut socket = open(&harness).await;
    let says = |text: &str| json!({ "type": "message", "from": "agent", "text": text });
    assert_eq!(next_json(&mut socket).await, says("Hello, this is Sam. How can I help you?"));
    send(&mut socket, Message::Text(json!({ "type": "typing" }).to_string().into())).await;
    let question = json!({ "type": "message", "text": "Where is my ORDER?" });
    send(&mut socket, Message::Text(question.to_string().into())).await;
    assert_eq!(next_json(&mut socket).await, json!({ "type": "typing" }));
    assert_eq!(next_json(&mut socket).await, says("I have your orders in front of me. Which one is it about?"));
    send(&mut socket, Message::Text(json!({ "type": "message", "text": "bye" }).to_string().into())).await;
    next_json(&mut socket).await;
    assert_eq!(next_json(&mut socket).await, says("Goodbye, and thank you for your patience."));
    assert_eq!(close_code(next(&mut socket).await), CloseCode::Normal);
}

#[actix_web::test]
async fn each_kind_of_wrong_message_has_a_close_code_of_its_own() {
    let harness = Harness::with(&["support"]).await;
    let long = json!({ "type": "message", "text": "x".repeat(20_000) }).to_string();
    for (message, code) in [
        (Message::Binary(Bytes::from_static(b"{}")), CloseCode::Unsupported),
        (Message::Text("nonsense".into()), CloseCode::Invalid),
        (Message::Text(r#"{"type":"shout"}"#.into()), CloseCode::Policy),
        (Message::Text(long.into()), CloseCode::Size),
    ] {
        let mut socket = open(&harness).await;
        next_json(&mut socket).await;
        send(&mut socket, message).await;
        assert_eq!(close_code(next(&mut socket).await), code);
    }
}

#[actix_web::test]
async fn a_ping_is_answered_with_the_same_data() {
    let harness = Harness::with(&["support"]).await;
    let mut socket = open(&harness).await;
    next_json(&mut socket).await;
    send(&mut socket, Message::Ping(Bytes::from_static(b"here?"))).await;
    assert_eq!(next(&mut socket).await, Frame::Pong(Bytes::from_static(b"here?")));
}

#[actix_web::test]
async fn a_chat_needs_a_token_and_the_subprotocol() {
    let harness = Harness::with(&["support"]).await;
    let url = harness.sandbox.url("support") + "/chat";
    let refused = async |request: awc::ws::WebsocketsRequest| match request.connect().await {
        Err(WsClientError::InvalidResponseStatus(status)) => status,
        Err(error) => panic!("a refused handshake, not {error:?}"),
        Ok(_) => panic!("a refused handshake, not a WebSocket"),
    };
    let without_token = awc::Client::new().ws(&url).protocols(["support.v1"]);
    assert_eq!(refused(without_token).await, StatusCode::UNAUTHORIZED);
    let without_protocol = awc::Client::new().ws(&url).bearer_auth(harness.alice());
    assert_eq!(refused(without_protocol).await, StatusCode::BAD_REQUEST);
}
