//! What a chat may cost: size, pace, number, silence, and messages that nobody reads.

use actix_http::ws::Message;
use bytes::Bytes;
use futures_util::SinkExt;
use shared_lib::testing::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{CHAT, Chat, world_with};
use crate::harness::{ORIGIN, PATIENCE, support_service::SupportService};

/// More than the buffers of two connections and a bridge hold, in messages of a kilobyte.
const FLOOD: usize = 30_000;

const UNLIMITED: [(&str, &str); 2] =
    [("BFF_WEB__CHAT__MESSAGES_PER_SECOND", "1000"), ("BFF_WEB__CHAT__BURST_MESSAGES", "1000")];

/// Shows: W18
#[actix_web::test]
async fn a_message_that_is_too_large_or_one_too_many_ends_the_chat() {
    let service = SupportService::start();
    let world = world_with(&service, &[]).await;
    let alice = world.signed_in("alice").await;
    let mut chat = Chat::open(&alice).await;
    chat.say(&"x".repeat(16_384)).await;
    assert_eq!(chat.text().await.len(), 16_384, "as large as it may be");
    chat.say(&"x".repeat(16_385)).await;
    assert_eq!(chat.closed().await, (1009, "message-too-large".to_owned()));

    let mut chat = Chat::open(&alice).await;
    for _ in 0..25 {
        // The last ones may find it closed.
        let _ = chat.0.send(Message::Text("again".into())).await;
    }
    assert_eq!(chat.closed().await, (1008, "too-many-messages".to_owned()));
    let closes = || async { service.closes().len() == 2 };
    assert!(eventually(PATIENCE, closes).await, "the service learns that the browser has gone");
    assert!(service.closes().iter().all(|close| close.as_ref().is_some_and(|(code, _)| *code == 1001)));
}

/// Shows: W18
#[actix_web::test]
async fn what_the_service_must_not_send_ends_the_chat_as_its_failure() {
    let service = SupportService::start();
    let world = world_with(&service, &[("BFF_WEB__CHAT__MAX_MESSAGE_BYTES", "1000")]).await;
    let alice = world.signed_in("alice").await;
    let mut chat = Chat::open(&alice).await;
    chat.say("flood 1").await;
    assert_eq!(chat.closed().await, (1011, "support-failed".to_owned()));
}

/// Shows: W18
#[actix_web::test]
async fn a_chat_too_many_of_a_user_is_told_so() {
    let service = SupportService::start();
    let world = world_with(&service, &[("BFF_WEB__CHAT__MAX_CHATS_PER_USER", "1")]).await;
    let (alice, bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let mut first = Chat::open(&alice).await;
    assert_eq!(Chat::open(&alice).await.closed().await, (1013, "too-many-chats".to_owned()));
    Chat::open(&bob).await.say("not bob's fault").await;
    first.say("still here").await;
    assert_eq!(first.text().await, "still here");
}

/// Shows: W18
#[actix_web::test]
async fn a_browser_that_does_not_read_holds_the_service_back_and_misses_nothing() {
    let service = SupportService::start();
    let world = world_with(&service, &UNLIMITED).await;
    let alice = world.signed_in("alice").await;
    let mut chat = Chat::open(&alice).await;
    chat.say(&format!("flood {FLOOD}")).await;
    // It goes on until all buffers are full, and then not one message further.
    let mut before = 0;
    let stands_still = eventually(PATIENCE, || {
        let sent = service.sent();
        let still = sent > 0 && sent == before;
        before = sent;
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            still
        }
    });
    assert!(stands_still.await, "the service is held back");
    assert!(service.sent() < FLOOD, "{} messages have gone somewhere", service.sent());
    for number in 0..FLOOD {
        let text = chat.text().await;
        assert_eq!(text.split(' ').next(), Some(number.to_string().as_str()));
    }
}

/// Shows: W18
#[actix_web::test]
async fn a_service_that_does_not_read_holds_the_browser_back_and_misses_nothing() {
    let service = SupportService::start();
    let world = world_with(&service, &UNLIMITED).await;
    let alice = world.signed_in("alice").await;
    let mut chat = Chat::open(&alice).await;
    chat.say("deaf").await;
    assert!(eventually(PATIENCE, || async { service.heard() == 1 }).await);
    let large = format!("- {}", "x".repeat(16_000));
    let mut taken = 0;
    while taken < 900 {
        let sending = chat.0.send(Message::Text(large.clone().into()));
        match tokio::time::timeout(std::time::Duration::from_millis(500), sending).await {
            Ok(sent) => sent.expect("it is taken"),
            Err(_) => break,
        }
        taken += 1;
    }
    assert!(taken < 900, "14 MB have gone somewhere");
    assert_eq!(service.heard(), 1);
    service.hear();
    // The one that was cut off by the time-out is in the client's buffer and goes out with the rest.
    chat.0.flush().await.expect("it is taken");
    let all = || async { service.heard() > taken };
    assert!(eventually(PATIENCE, all).await, "{} of {taken}", service.heard());
}

/// Shows: W18
#[actix_web::test]
async fn a_browser_that_gives_no_sign_of_life_is_given_up() {
    let service = SupportService::start();
    let world = world_with(&service, &[("BFF_WEB__CHAT__PING_INTERVAL_MS", "200")]).await;
    let alice = world.signed_in("alice").await;
    let address = world.service.url("").replace("http://", "");
    let mut silent = TcpStream::connect(address).await.expect("it listens");
    let request = format!(
        "GET {CHAT} HTTP/1.1\r\nHost: localhost:8080\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\
         Sec-WebSocket-Protocol: support.v1\r\nOrigin: {ORIGIN}\r\nCookie: {}\r\n\r\n",
        alice.cookie_header(CHAT)
    );
    silent.write_all(request.as_bytes()).await.expect("it takes a request");
    let mut all = Vec::new();
    // It reads, but it answers no ping.
    tokio::time::timeout(PATIENCE, silent.read_to_end(&mut all)).await.expect("it is given up").expect("it closes");
    let close = [&[0x88, 8, 0x03, 0xe9][..], b"silent"].concat();
    assert!(all.ends_with(&close), "closed with 1001: {:?}", Bytes::from(all.split_off(all.len().saturating_sub(20))));

    // One that answers stays for as long as it likes.
    let mut chat = Chat::open(&alice).await;
    for _ in 0..5 {
        loop {
            if let actix_http::ws::Frame::Ping(data) = chat.next().await {
                chat.0.send(Message::Pong(data)).await.expect("it is taken");
                break;
            }
        }
    }
    chat.say("here").await;
    assert_eq!(chat.text().await, "here");
}
