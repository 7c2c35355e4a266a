//! The devices that push messages go to.

use actix_web::http::Method;
use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};
use shared_lib::testing::{Received, receive};

use crate::harness::Stage;

const PHONE: &str = "/v1/devices/phone-1";

fn phone(version: &str) -> Value {
    json!({"platform": "ios", "pushToken": "apns-secret", "appVersion": version})
}

async fn put(stage: &Stage, path: &str, device: &Value) -> Received {
    receive(stage.request(Method::PUT, path).send_json(device)).await
}

/// Shows: M8
#[actix_web::test]
async fn a_device_can_be_registered_again_and_again() {
    let stage = Stage::new().await;
    for version in ["3.2.0", "3.2.0", "3.2.1"] {
        let registered = put(&stage, PHONE, &phone(version)).await;
        assert_eq!((registered.status.as_u16(), &registered.json()["appVersion"]), (200, &json!(version)));
    }
    let devices = stage.get("/v1/devices").await;
    assert!(!devices.text().contains("apns-secret"), "a push token is never given out");
    let devices = devices.json();
    assert_eq!((&devices["totalElements"], &devices["content"][0]["id"]), (&json!(1), &json!("phone-1")));
    let bob = stage.get_with("/v1/devices", &stage.token("bob")).await.json();
    assert_eq!(bob["content"], json!([]), "they are the caller's own");
}

/// Shows: M8
#[actix_web::test]
async fn a_device_can_be_forgotten_again_and_again() {
    let stage = Stage::new().await;
    assert_eq!(put(&stage, PHONE, &phone("1.0.0")).await.status, 200);
    for _ in 0..2 {
        assert_eq!(receive(stage.request(Method::DELETE, PHONE).send()).await.status, 204);
    }
    assert_eq!(stage.get("/v1/devices").await.json()["content"], json!([]));
}

#[actix_web::test]
async fn a_device_that_cannot_be_is_refused_with_what_is_wrong() {
    let stage = Stage::new().await;
    let wrong = json!({"platform": "ios", "pushToken": "", "appVersion": "v".repeat(33)});
    let refused = put(&stage, "/v1/devices/a%20b", &wrong).await;
    assert_eq!(refused.status, 400);
    let errors = refused.json()["errors"].clone();
    let fields: Vec<_> = errors.as_array().expect("a list").iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["id", "/pushToken", "/appVersion"]);
    let platform = put(&stage, PHONE, &json!({"platform": "palm", "pushToken": "a", "appVersion": "1"})).await;
    assert_eq!((platform.status.as_u16(), &platform.json()["code"]), (400, &json!("malformed-body")));
    assert!(stage.sandbox.chaos().calls("devices").is_empty());
}

#[actix_web::test]
async fn the_service_has_the_last_word_on_how_many_devices_there_are() {
    let stage = Stage::new().await;
    for number in 0..50 {
        assert_eq!(put(&stage, &format!("/v1/devices/d{number}"), &phone("1.0.0")).await.status, 200);
    }
    let refused = put(&stage, "/v1/devices/d50", &phone("1.0.0")).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (409, &json!("too-many-devices")));
}

#[actix_web::test]
async fn devices_fail_truthfully_without_their_service_and_when_it_is_slow() {
    let stage = Stage::with(&[
        ("BFF_MOBILE__DOWNSTREAMS__DEVICES__TIMEOUT_MS", "100"),
        ("BFF_MOBILE__DOWNSTREAMS__DEVICES__RETRY__MAX_ATTEMPTS", "1"),
    ])
    .await;
    stage.disturb("devices", Rule::status(500));
    assert_eq!(put(&stage, PHONE, &phone("1.0.0")).await.status, 502);
    stage.disturb("devices", Rule::fault(Fault::Hang));
    assert_eq!(stage.get("/v1/devices").await.status, 504);
}
