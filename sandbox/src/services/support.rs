//! Support chat over WebSocket: `GET /support/chat`, subprotocol `support.v1`, answered by a scripted agent.
//!
//! Close codes (RFC 6455, section 7.4.1): 1000 after a goodbye, 1003 for binary messages, 1007 for what is not JSON of this protocol,
//! 1008 for messages of a type it does not know, 1009 for messages that are too long.

use actix_web::{Error, HttpRequest, HttpResponse, http::StatusCode, rt, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Closed, ProtocolError, Session};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{error, not_found};
use crate::access::Caller;

const SUBPROTOCOL: &str = "support.v1";
/// The longest message, bytes.
const MAX_MESSAGE: usize = 16 * 1024;

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Incoming {
    Message {
        text: String,
    },
    Typing,
    #[serde(other)]
    Unknown,
}

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(web::scope("/support").route("/chat", web::get().to(open_chat)).default_service(web::to(not_found)));
}

async fn open_chat(request: HttpRequest, _caller: Caller, body: web::Payload) -> Result<HttpResponse, Error> {
    let offered = request
        .headers()
        .get_all("sec-websocket-protocol")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim() == SUBPROTOCOL);
    if !offered {
        let message = "the chat speaks the subprotocol support.v1 only";
        return Ok(error(&request, StatusCode::BAD_REQUEST, "subprotocol_required", message));
    }
    let (response, session, messages) = actix_ws::handle_with_protocols(&request, body, &[SUBPROTOCOL])?;
    let messages = messages.max_frame_size(MAX_MESSAGE).aggregate_continuations().max_continuation_size(MAX_MESSAGE);
    rt::spawn(chat(session, messages));
    Ok(response)
}

/// Talks until one of the two ends it.
async fn chat(mut session: Session, mut messages: AggregatedMessageStream) {
    if say(&mut session, "Hello, this is Sam. How can I help you?").await.is_err() {
        return;
    }
    let reason = loop {
        let Some(message) = messages.next().await else { break None };
        match react(&mut session, message).await {
            Ok(None) => {}
            Ok(Some(reason)) => break Some(reason),
            Err(Closed) => return,
        }
    };
    // The other side may have gone already, and then there is nobody to tell.
    let _ = session.close(reason).await;
}

/// Answers one message; a reason ends the chat.
async fn react(
    session: &mut Session,
    message: Result<AggregatedMessage, ProtocolError>,
) -> Result<Option<CloseReason>, Closed> {
    let text = match message {
        Ok(AggregatedMessage::Text(text)) => text,
        Ok(AggregatedMessage::Ping(data)) => {
            session.pong(&data).await?;
            return Ok(None);
        }
        Ok(AggregatedMessage::Pong(_)) => return Ok(None),
        Ok(AggregatedMessage::Close(_)) => return Ok(Some(CloseCode::Normal.into())),
        Ok(AggregatedMessage::Binary(_)) => return Ok(Some(reason(CloseCode::Unsupported, "text messages only"))),
        Err(ProtocolError::Overflow) => return Ok(Some(reason(CloseCode::Size, "at most 16384 bytes a message"))),
        Err(_) => return Ok(Some(reason(CloseCode::Protocol, "not a WebSocket frame"))),
    };
    match serde_json::from_str::<Incoming>(&text) {
        Ok(Incoming::Message { text }) => {
            send(session, &json!({ "type": "typing" })).await?;
            say(session, reply(&text)).await?;
            let ends = text.to_lowercase().contains("bye");
            Ok(ends.then(|| reason(CloseCode::Normal, "the conversation is over")))
        }
        Ok(Incoming::Typing) => Ok(None),
        Ok(Incoming::Unknown) => Ok(Some(reason(CloseCode::Policy, "unknown type of message"))),
        Err(_) => Ok(Some(reason(CloseCode::Invalid, "not a message of support.v1"))),
    }
}

/// What the agent says to a message.
fn reply(text: &str) -> &'static str {
    let text = text.to_lowercase();
    if text.contains("bye") {
        "Goodbye, and thank you for your patience."
    } else if text.contains("order") {
        "I have your orders in front of me. Which one is it about?"
    } else if text.contains("return") || text.contains("refund") {
        "You can send anything back within 30 days; the money follows in three."
    } else {
        "Thank you, I have noted that. Is there anything else?"
    }
}

async fn say(session: &mut Session, text: &str) -> Result<(), Closed> {
    send(session, &json!({ "type": "message", "from": "agent", "text": text })).await
}

async fn send(session: &mut Session, message: &Value) -> Result<(), Closed> {
    session.text(message.to_string()).await
}

fn reason(code: CloseCode, description: &str) -> CloseReason {
    CloseReason { code, description: Some(description.to_owned()) }
}
