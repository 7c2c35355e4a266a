//! Notifications over gRPC: lists, counts, marks, and a stream without gaps.

use actix_web::http::{Method, StatusCode};
use sandbox::{
    chaos::{Fault, Rule},
    notifications::proto::{
        GetUnreadCountRequest, ListNotificationsRequest, MarkReadRequest, NotificationEvent, WatchRequest,
        notification_event::Event, notification_service_client::NotificationServiceClient,
    },
};
use serde_json::json;
use tonic::{Code, Request, Streaming, transport::Channel};

use crate::harness::{Harness, LONG};

type Client = NotificationServiceClient<Channel>;

async fn connect(harness: &Harness) -> Client {
    Client::connect(harness.sandbox.grpc_url()).await.expect("a connection")
}

fn with_token<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().expect("visible characters");
    request.metadata_mut().insert("authorization", value);
    request
}

fn page(page_size: u32, page_token: &str, after_cursor: u64) -> ListNotificationsRequest {
    ListNotificationsRequest { page_size, page_token: page_token.to_owned(), after_cursor }
}

async fn publish(harness: &Harness, title: &str) {
    let address = harness.sandbox.chaos_url().replace("/chaos", "/notifications/publish");
    let body = json!({ "user": "alice", "title": title, "body": "…" });
    let sent = harness.client.request(Method::POST, address).send_json(&body).await;
    assert_eq!(sent.expect("an answer").status(), StatusCode::CREATED);
}

async fn next(stream: &mut Streaming<NotificationEvent>) -> NotificationEvent {
    let message = tokio::time::timeout(LONG, stream.message()).await.expect("an event in time");
    message.expect("no error").expect("a stream that goes on")
}

fn title(event: &NotificationEvent) -> &str {
    match &event.event {
        Some(Event::Created(notification)) => &notification.title,
        Some(Event::Read(read)) => &read.id,
        None => "",
    }
}

#[actix_web::test]
async fn pages_follow_one_another_from_the_newest_without_overlap() {
    let harness = Harness::with(&["notifications"]).await;
    let (mut client, token) = (connect(&harness).await, harness.alice());
    let mut ids = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = with_token(&token, page(10, &page_token, 0));
        let answer = client.list_notifications(request).await.expect("a page").into_inner();
        assert!(answer.notifications.len() <= 10);
        ids.extend(answer.notifications.iter().map(|notification| notification.cursor));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            assert_eq!(ids.len() as u64, answer.latest_cursor);
            break;
        }
    }
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
}

#[actix_web::test]
async fn a_list_after_a_cursor_has_only_what_is_new_or_changed() {
    let harness = Harness::with(&["notifications"]).await;
    let (mut client, token) = (connect(&harness).await, harness.alice());
    let first = client.list_notifications(with_token(&token, page(0, "", 0))).await.expect("a page").into_inner();
    let unread = first.notifications.iter().find(|notification| !notification.read).expect("an unread one").id.clone();
    publish(&harness, "new").await;
    client.mark_read(with_token(&token, MarkReadRequest { id: unread.clone() })).await.expect("a mark");
    let request = with_token(&token, page(0, "", first.latest_cursor));
    let delta = client.list_notifications(request).await.expect("a page").into_inner();
    let seen: Vec<_> = delta.notifications.iter().map(|n| (n.title == "new", n.id == unread, n.read)).collect();
    assert_eq!(seen, [(true, false, false), (false, true, true)]);
    assert_eq!(delta.latest_cursor, first.latest_cursor + 2);
}

#[actix_web::test]
async fn marking_as_read_counts_once_and_only_what_exists() {
    let harness = Harness::with(&["notifications"]).await;
    let (mut client, token) = (connect(&harness).await, harness.alice());
    let before = client.get_unread_count(with_token(&token, GetUnreadCountRequest {})).await.expect("a count");
    let before = before.into_inner().unread_count;
    let list = client.list_notifications(with_token(&token, page(0, "", 0))).await.expect("a page").into_inner();
    let id = list.notifications.iter().find(|notification| !notification.read).expect("an unread one").id.clone();
    for _ in 0..2 {
        let request = with_token(&token, MarkReadRequest { id: id.clone() });
        let answer = client.mark_read(request).await.expect("a mark").into_inner();
        assert_eq!(answer.unread_count, before - 1);
    }
    let request = with_token(&token, MarkReadRequest { id: "ntf_0".to_owned() });
    assert_eq!(client.mark_read(request).await.expect_err("an unknown one").code(), Code::NotFound);
    let bob = client.get_unread_count(with_token(&harness.user("bob"), GetUnreadCountRequest {})).await;
    assert!(bob.expect("a count").into_inner().unread_count > 0);
}

#[actix_web::test]
async fn a_watch_resumes_after_a_cursor_without_gap_or_repetition() {
    let harness = Harness::with(&["notifications"]).await;
    let (mut client, token) = (connect(&harness).await, harness.alice());
    let list = client.list_notifications(with_token(&token, page(1, "", 0))).await.expect("a page").into_inner();
    let start = list.latest_cursor;

    let request = with_token(&token, WatchRequest { after_cursor: start });
    let mut stream = client.watch(request).await.expect("a stream").into_inner();
    publish(&harness, "one").await;
    let one = next(&mut stream).await;
    assert_eq!((title(&one), one.cursor), ("one", start + 1));
    drop(stream);

    publish(&harness, "two").await;
    publish(&harness, "three").await;
    let request = with_token(&token, WatchRequest { after_cursor: one.cursor });
    let mut stream = client.watch(request).await.expect("a stream").into_inner();
    publish(&harness, "four").await;
    for (offset, expected) in [(2, "two"), (3, "three"), (4, "four")] {
        let event = next(&mut stream).await;
        assert_eq!((title(&event), event.cursor), (expected, start + offset));
    }
}

#[actix_web::test]
async fn a_mark_reaches_those_who_watch_with_the_new_count() {
    let harness = Harness::with(&["notifications"]).await;
    let (mut client, token) = (connect(&harness).await, harness.alice());
    let list = client.list_notifications(with_token(&token, page(0, "", 0))).await.expect("a page").into_inner();
    let id = list.notifications.iter().find(|notification| !notification.read).expect("an unread one").id.clone();
    let request = with_token(&token, WatchRequest { after_cursor: list.latest_cursor });
    let mut stream = client.watch(request).await.expect("a stream").into_inner();
    let marked = client.mark_read(with_token(&token, MarkReadRequest { id: id.clone() })).await.expect("a mark");
    let event = next(&mut stream).await;
    assert_eq!((title(&event), event.unread_count), (id.as_str(), marked.into_inner().unread_count));
}

#[actix_web::test]
async fn a_cursor_that_cannot_be_resumed_from_is_said_and_not_hidden() {
    let harness = Harness::with(&["notifications"]).await;
    let (mut client, token) = (connect(&harness).await, harness.alice());
    let request = with_token(&token, WatchRequest { after_cursor: 1_000_000 });
    assert_eq!(client.watch(request).await.expect_err("a refusal").code(), Code::OutOfRange);
    for _ in 0..1_000 {
        publish(&harness, "one of many").await;
    }
    let request = with_token(&token, WatchRequest { after_cursor: 1 });
    assert_eq!(client.watch(request).await.expect_err("a refusal").code(), Code::OutOfRange);
}

#[actix_web::test]
async fn calls_without_a_valid_token_are_unauthenticated() {
    let harness = Harness::with(&["notifications"]).await;
    let mut client = connect(&harness).await;
    let refused = client.get_unread_count(Request::new(GetUnreadCountRequest {})).await;
    assert_eq!(refused.expect_err("a refusal").code(), Code::Unauthenticated);
    let other = harness.token("alice", "mobile-app", "bff-mobile");
    let refused = client.get_unread_count(with_token(&other, GetUnreadCountRequest {})).await;
    assert_eq!(refused.expect_err("a refusal").code(), Code::Unauthenticated);
}

#[actix_web::test]
async fn a_page_token_of_somebody_elses_making_is_refused() {
    let harness = Harness::with(&["notifications"]).await;
    let refused = connect(&harness).await.list_notifications(with_token(&harness.alice(), page(5, "2", 0))).await;
    assert_eq!(refused.expect_err("a refusal").code(), Code::InvalidArgument);
}

#[actix_web::test]
async fn a_rule_sets_the_status_of_the_method_that_it_names() {
    let harness = Harness::with(&["notifications"]).await;
    let (mut client, token) = (connect(&harness).await, harness.alice());
    let rule = Rule::grpc_status(14).on("GetUnreadCount").times(1);
    harness.sandbox.chaos().set("notifications", vec![rule]).expect("a valid rule");
    client.list_notifications(with_token(&token, page(1, "", 0))).await.expect("another method");
    let failed = client.get_unread_count(with_token(&token, GetUnreadCountRequest {})).await;
    assert_eq!(failed.expect_err("a failure").code(), Code::Unavailable);
    client.get_unread_count(with_token(&token, GetUnreadCountRequest {})).await.expect("a spent rule");
}

#[actix_web::test]
async fn a_reset_ends_the_connection_with_every_call_on_it() {
    let harness = Harness::with(&["notifications"]).await;
    let (mut client, token) = (connect(&harness).await, harness.alice());
    let list = client.list_notifications(with_token(&token, page(1, "", 0))).await.expect("a page").into_inner();
    let request = with_token(&token, WatchRequest { after_cursor: list.latest_cursor });
    let mut stream = client.watch(request).await.expect("a stream").into_inner();
    let rule = Rule::fault(Fault::Reset).on("GetUnreadCount");
    harness.sandbox.chaos().set("notifications", vec![rule]).expect("a valid rule");
    let failed = client.get_unread_count(with_token(&token, GetUnreadCountRequest {})).await;
    failed.expect_err("a reset connection");
    let ended = tokio::time::timeout(LONG, stream.message()).await.expect("an end in time");
    ended.expect_err("a reset connection");
}

#[actix_web::test]
async fn a_call_that_hangs_ends_at_the_callers_deadline() {
    let harness = Harness::with(&["notifications"]).await;
    let (mut client, token) = (connect(&harness).await, harness.alice());
    harness.sandbox.chaos().set("notifications", vec![Rule::fault(Fault::Hang)]).expect("a valid rule");
    let call = client.get_unread_count(with_token(&token, GetUnreadCountRequest {}));
    tokio::time::timeout(crate::harness::SHORT, call).await.expect_err("no answer");
    assert_eq!(harness.sandbox.chaos().calls("notifications").len(), 1);
}
