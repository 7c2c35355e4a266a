//! Notifications: everything once, and then what has changed.

use actix_web::http::Method;
use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};
use shared_lib::testing::{Received, receive};

use crate::harness::Stage;

const NOTIFICATIONS: &str = "/v1/notifications";

async fn since(stage: &Stage, answer: &Value) -> Received {
    let token = answer["next"].as_str().expect("a token");
    stage.get(&format!("{NOTIFICATIONS}?since={token}")).await
}

async fn publish(stage: &Stage, title: &str) {
    let url = stage.sandbox.chaos_url().replace("/chaos", "/notifications/publish");
    let body = json!({"user": "alice", "title": title, "body": "text"});
    assert_eq!(receive(stage.service.client().post(url).send_json(&body)).await.status, 201);
}

async fn read(stage: &Stage, id: &str) -> Received {
    receive(stage.request(Method::POST, &format!("{NOTIFICATIONS}/{id}/read")).send()).await
}

fn titles(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().expect("a list");
    items.iter().map(|item| item["title"].as_str().expect("a title")).collect()
}

/// Shows: M6
#[actix_web::test]
async fn an_app_gets_everything_once_and_then_only_what_has_changed() {
    let stage = Stage::new().await;
    let everything = stage.get(NOTIFICATIONS).await.json();
    assert_eq!(everything["full"], true);
    let unread = everything["unread"].as_u64().expect("a number");
    let items = everything["items"].as_array().expect("a list");
    assert!(items.len() >= 25 && unread >= 3, "{} items, {unread} unread", items.len());
    let newest_unread = items[0]["id"].as_str().expect("an id");

    let nothing = since(&stage, &everything).await.json();
    let expected = json!({"full": false, "items": [], "read": [], "next": everything["next"], "more": false});
    assert_eq!(nothing, expected);

    publish(&stage, "first").await;
    publish(&stage, "second").await;
    assert_eq!(read(&stage, newest_unread).await.status, 204);
    let changes = since(&stage, &nothing).await.json();
    assert_eq!(titles(&changes), ["second", "first"], "newest first");
    assert_eq!((&changes["read"], &changes["unread"]), (&json!([newest_unread]), &json!(unread + 1)));
    assert_eq!(since(&stage, &changes).await.json()["items"], json!([]), "each change is told once");
}

/// Shows: M6
#[actix_web::test]
async fn a_notification_that_was_added_and_read_meanwhile_is_told_once() {
    let stage = Stage::new().await;
    let before = stage.get(NOTIFICATIONS).await.json();
    publish(&stage, "new").await;
    let new = since(&stage, &before).await.json();
    let id = new["items"][0]["id"].as_str().expect("an id");
    for _ in 0..2 {
        assert_eq!(read(&stage, id).await.status, 204, "to read it again changes nothing");
    }
    let changes = since(&stage, &before).await.json();
    assert_eq!((titles(&changes), &changes["items"][0]["read"]), (vec!["new"], &json!(true)));
    assert_eq!(changes["read"], json!([]));
}

/// Shows: M6
#[actix_web::test]
async fn more_changes_than_fit_one_answer_are_told_in_several() {
    let stage = Stage::new().await;
    let before = stage.get(NOTIFICATIONS).await.json();
    for number in 0..201 {
        publish(&stage, &number.to_string()).await;
    }
    let first = since(&stage, &before).await.json();
    assert_eq!((titles(&first).len(), &first["more"]), (200, &json!(true)));
    let rest = since(&stage, &first).await.json();
    assert_eq!((titles(&rest), &rest["more"]), (vec!["200"], &json!(false)));
}

/// Shows: M6
#[actix_web::test]
async fn changes_that_can_no_longer_be_told_mean_a_full_resync() {
    let stage = Stage::new().await;
    let before = stage.get(NOTIFICATIONS).await.json();
    // The service keeps the latest thousand events of a user.
    for number in 0..1_001 {
        publish(&stage, &number.to_string()).await;
    }
    let gone = since(&stage, &before).await;
    assert_eq!((gone.status.as_u16(), &gone.json()["code"]), (410, &json!("resync-required")));
    assert_eq!(stage.get(NOTIFICATIONS).await.json()["full"], true);
}

/// Shows: M6
#[actix_web::test]
async fn a_token_of_another_login_or_of_a_service_that_forgot_means_a_full_resync() {
    let stage = Stage::new().await;
    publish(&stage, "one more than another sandbox has").await;
    let alice = stage.get(NOTIFICATIONS).await.json();
    let token = alice["next"].as_str().expect("a token");
    let bob = stage.get_with(&format!("{NOTIFICATIONS}?since={token}"), &stage.token("bob")).await;
    assert_eq!((bob.status.as_u16(), &bob.json()["code"]), (410, &json!("resync-required")));
    let forgetful = Stage::new().await;
    let gone = since(&forgetful, &alice).await;
    assert_eq!((gone.status.as_u16(), &gone.json()["code"]), (410, &json!("resync-required")));
}

/// Shows: M6
#[actix_web::test]
async fn a_token_that_was_never_given_out_is_an_error() {
    let stage = Stage::new().await;
    for token in ["42", "", "AAAA"] {
        let refused = stage.get(&format!("{NOTIFICATIONS}?since={token}")).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (400, &json!("validation-failed")), "{token}");
    }
    assert!(stage.sandbox.chaos().calls("notifications").is_empty());
}

#[actix_web::test]
async fn a_notification_that_is_not_there_cannot_be_read() {
    let stage = Stage::new().await;
    assert_eq!(read(&stage, "ntf_0").await.status, 404);
    assert_eq!(read(&stage, &"n".repeat(200)).await.status, 404);
}

#[actix_web::test]
async fn notifications_fail_truthfully_without_their_service_and_when_it_is_slow() {
    let stage = Stage::with(&[
        ("BFF_MOBILE__DOWNSTREAMS__NOTIFICATIONS__TIMEOUT_MS", "200"),
        ("BFF_MOBILE__DOWNSTREAMS__NOTIFICATIONS__RETRY__MAX_ATTEMPTS", "1"),
    ])
    .await;
    let before = stage.get(NOTIFICATIONS).await.json();
    publish(&stage, "new").await;
    stage.disturb("notifications", Rule::grpc_status(13));
    assert_eq!(stage.get(NOTIFICATIONS).await.status, 502);
    stage.disturb("notifications", Rule::fault(Fault::Hang).on("Watch"));
    let slow = since(&stage, &before).await;
    assert_eq!((slow.status.as_u16(), &slow.json()["part"]), (504, &json!("notifications")));
}
