//! Minimum versions of the app, and feature flags, while the service runs.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};
use shared_lib::{
    clock::{Clock, ManualClock},
    testing::{Received, receive},
};
use tempfile::NamedTempFile;

use crate::harness::{Stage, assert_body, sandbox};

const RULES: &str = r#"
[minimum_version.ios]
version = "3.2.0"
store_url = "https://apps.apple.com/app/id1"

[minimum_version.android]
version = "5.0"
store_url = "https://play.google.com/store/apps/details?id=com.trifront.app"

[flags]
newCheckout = true
darkMode = false
"#;

/// As long as the built-in settings let pass between two looks.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

async fn stage(file: &Path) -> (Stage, ManualClock) {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let variables = [("BFF_MOBILE__ROLLOUT__FILE", file.to_str().expect("a path"))];
    (Stage::on(sandbox().await, &variables, clock).await, hand)
}

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), text).expect("it can be written");
    file
}

async fn as_version(stage: &Stage, version: &str) -> Received {
    let request = stage.service.client().get(stage.service.url("/v1/products?size=1&fields=id"));
    receive(request.bearer_auth(stage.token("alice")).insert_header(("x-app-version", version)).send()).await
}

async fn flags(stage: &Stage) -> Value {
    stage.service.get("/v1/flags").await.json()
}

/// Shows: M7
#[actix_web::test]
async fn an_app_that_is_too_old_is_sent_to_its_store() {
    let file = file(RULES);
    let (stage, _) = stage(file.path()).await;
    for version in ["ios/3.2.0", "ios/3.10", "android/5.0.1", "ios/4.0.0-beta"] {
        assert_eq!(as_version(&stage, version).await.status, 200, "{version}");
    }
    let old = as_version(&stage, "ios/3.1.9").await;
    assert_eq!(old.status, 403);
    assert_eq!(old.header("upgrade"), None);
    assert_body!("an_app_that_is_too_old", old);
    let android = as_version(&stage, "android/4.9").await.json();
    assert_eq!(android["storeUrl"], "https://play.google.com/store/apps/details?id=com.trifront.app");
    assert_eq!(stage.get("/v1/products?size=1").await.status, 200, "an app that does not say is let in");
}

/// Shows: M7
#[actix_web::test]
async fn a_version_that_cannot_be_read_is_refused() {
    let stage = Stage::new().await;
    for version in ["3.2.0", "ios", "ios/", "ios/new", "palm/1.0", "ios/1/2"] {
        let refused = as_version(&stage, version).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (400, &json!("validation-failed")), "{version}");
    }
}

/// Shows: M7
#[actix_web::test]
async fn new_rules_are_in_force_without_a_restart() {
    let file = file(RULES);
    let (stage, hand) = stage(file.path()).await;
    assert_eq!(flags(&stage).await, json!({"flags": {"newCheckout": true, "darkMode": false}}));
    let stricter = RULES.replace("3.2.0", "13.2.0").replace("newCheckout = true", "newCheckout = false");
    fs::write(file.path(), stricter).expect("it can be written");
    assert_eq!(as_version(&stage, "ios/3.2.0").await.status, 200, "nobody has looked yet");
    hand.advance(POLL_INTERVAL);
    assert_eq!(as_version(&stage, "ios/3.2.0").await.status, 403);
    assert_eq!(flags(&stage).await["flags"]["newCheckout"], false);
}

/// Shows: M7
#[actix_web::test]
async fn rules_that_are_wrong_or_gone_leave_the_old_ones_in_force() {
    let file = file(RULES);
    let (stage, hand) = stage(file.path()).await;
    for wrong in ["[minimum_version.ios]\nversion = \"new\"", "not toml", "colour = \"red\"", ""] {
        if wrong.is_empty() {
            fs::remove_file(file.path()).expect("it can be removed");
        } else {
            fs::write(file.path(), wrong).expect("it can be written");
        }
        hand.advance(POLL_INTERVAL);
        assert_eq!(as_version(&stage, "ios/3.1.9").await.status, 403, "{wrong}");
        assert_eq!(flags(&stage).await["flags"]["newCheckout"], true, "{wrong}");
    }
    fs::write(file.path(), "[flags]\nlast = true\n").expect("it can be written");
    hand.advance(POLL_INTERVAL);
    assert_eq!(as_version(&stage, "ios/3.1.9").await.status, 200, "and a good one is followed again");
}

/// Shows: M7
#[actix_web::test]
async fn an_app_can_be_made_to_say_its_version() {
    let file = file("version_required = true");
    let (stage, _) = stage(file.path()).await;
    assert_eq!(stage.get("/v1/products?size=1").await.status, 400);
    assert_eq!(as_version(&stage, "ios/1.0").await.status, 200);
}
