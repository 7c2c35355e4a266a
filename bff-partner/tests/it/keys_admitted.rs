//! Who is let in, and how the others are told.

use std::time::Duration;

use bff_partner::keys::{KeyEnvironment, KeyFormat, NewKey};
use serde_json::{Value, json};
use shared_lib::{
    clock::Clock,
    settings::Secret,
    testing::{Received, receive},
};

use crate::{
    harness::{BY, SERVICES, Stage, assert_body, new_key, paths_behind_keys},
    process::Process,
};

const PRODUCTS: &str = "/v1/products?size=1";
const CHALLENGE: &str = "Bearer realm=\"bff-partner\"";

/// What an answer says, without what is different in every answer.
fn essence(received: &Received) -> (u16, Value, Vec<String>) {
    let mut body = received.json();
    body["requestId"] = json!("[request id]");
    let mut headers: Vec<_> = received
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
        .collect();
    headers.sort();
    (received.status.as_u16(), body, headers)
}

/// Shows: P1
#[actix_web::test]
async fn a_key_is_accepted_in_either_field() {
    let stage = Stage::new().await;
    assert_eq!(stage.get(PRODUCTS).await.status, 200);
    let request = stage.service.client().get(stage.service.url(PRODUCTS));
    assert_eq!(receive(request.insert_header(("x-api-key", stage.key.as_str())).send()).await.status, 200);
}

#[actix_web::test]
async fn without_a_key_there_is_nothing_but_the_contract() {
    let stage = Stage::new().await;
    for path in paths_behind_keys() {
        let refused = stage.service.get(&path).await;
        assert_eq!((refused.status.as_u16(), refused.header("www-authenticate")), (401, Some(CHALLENGE)), "{path}");
        assert_eq!(refused.json()["code"], "unauthenticated", "{path}");
    }
    let basic = receive(stage.service.client().get(stage.service.url(PRODUCTS)).basic_auth("a", "b").send()).await;
    assert_eq!((basic.status.as_u16(), &basic.json()["code"]), (401, &json!("unauthenticated")));
}

#[actix_web::test]
async fn two_keys_at_once_are_refused() {
    let stage = Stage::new().await;
    let request = stage.service.client().get(stage.service.url(PRODUCTS)).bearer_auth(&stage.key);
    let refused = receive(request.insert_header(("x-api-key", stage.key.as_str())).send()).await;
    assert_eq!(refused.status, 400);
    assert_body!("two_keys_at_once", refused);
}

/// Shows: P2
#[actix_web::test]
async fn every_key_that_is_not_in_force_is_refused_alike() {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(&[], clock).await;
    let format = KeyFormat::new(&Secret::from("dev-only-bff-partner-checksum-key"));
    let unknown = format.mint(KeyEnvironment::Test).key.expose().to_owned();

    // A key in force whose secret is another than the one that is shown with its id.
    let other = format.mint(KeyEnvironment::Test);
    let mut record = stage.another_key(new_key("acme")).await.record;
    record.id.clone_from(&other.id);
    stage.admin.store().add(&record, BY).await.expect("a record");
    let revoked = stage.another_key(new_key("acme")).await;
    assert!(stage.admin.revoke(&revoked.record.id, BY).await.expect("the key is there"));
    let short = NewKey { expires_in: Some(Duration::from_secs(60)), ..new_key("acme") };
    let expired = stage.another_key(short).await.key.expose().to_owned();
    assert_eq!(stage.get_with(PRODUCTS, &expired).await.status, 200, "it is still in force");
    hand.advance(Duration::from_secs(60));

    let mut made_up = stage.key.clone();
    made_up.replace_range(made_up.len() - 1.., if made_up.ends_with('0') { "1" } else { "0" });
    let keys = [
        unknown.as_str(),
        other.key.expose(),
        revoked.key.expose(),
        &expired,
        &made_up,
        &stage.key.replace("_test_", "_live_"),
        "tfp_test_",
        "x",
    ];
    let answers: Vec<_> = ask_with_each(&stage, &keys).await.iter().map(essence).collect();
    for (key, answer) in keys.iter().zip(&answers) {
        assert_eq!(answer, &answers[0], "{} characters", key.len());
    }
    assert_body!("a_key_that_is_not_valid", stage.get_with(PRODUCTS, &unknown).await);
    assert_eq!(answers[0].0, 401);
    for service in SERVICES {
        assert!(stage.sandbox.chaos().calls(service).len() <= 1, "{service} was asked for somebody who was not let in");
    }
}

async fn ask_with_each(stage: &Stage, keys: &[&str]) -> Vec<Received> {
    let mut answers = Vec::new();
    for key in keys {
        answers.push(stage.get_with(PRODUCTS, key).await);
    }
    answers
}

#[actix_web::test]
async fn a_key_without_a_needed_scope_is_told_which_are_needed() {
    let stage = Stage::new().await;
    let reader = NewKey { scopes: vec!["products:read".to_owned()], ..new_key("acme") };
    let reader = stage.another_key(reader).await;
    let refused = stage.get_with("/v1/orders", reader.key.expose()).await;
    assert_eq!(refused.status, 403);
    assert_body!("a_key_without_a_needed_scope", refused);
    assert_eq!(stage.get_with(PRODUCTS, reader.key.expose()).await.status, 200, "its scopes open other routes");
    assert_eq!(stage.place_with(reader.key.expose(), "k", "{}").await.status, 403);
}

/// Shows: P1, P5
#[actix_web::test]
async fn a_key_with_networks_is_for_them_alone_whatever_a_caller_claims() {
    let networks = |text: &str| vec![text.parse().expect("a network")];
    for (proxies, network, forwarded, expected) in [
        ("", "127.0.0.0/8", None, 200),
        ("", "203.0.113.0/24", None, 403),
        ("", "203.0.113.0/24", Some("203.0.113.9"), 403),
        ("127.0.0.0/8", "203.0.113.0/24", Some("203.0.113.9"), 200),
        ("127.0.0.0/8", "203.0.113.0/24", Some("203.0.113.9, 198.51.100.1"), 403),
        ("127.0.0.0/8", "203.0.113.0/24", Some("198.51.100.1, 203.0.113.9"), 200),
        ("127.0.0.0/8", "203.0.113.0/24", Some("nonsense"), 403),
    ] {
        let stage = Stage::with(&[("BFF_PARTNER__SERVER__TRUSTED_PROXIES", proxies)]).await;
        let key = stage.another_key(NewKey { networks: networks(network), ..new_key("acme") }).await;
        let mut request = stage.service.client().get(stage.service.url(PRODUCTS)).bearer_auth(key.key.expose());
        if let Some(forwarded) = forwarded {
            request = request.insert_header(("x-forwarded-for", forwarded));
        }
        let answer = receive(request.send()).await;
        assert_eq!(answer.status.as_u16(), expected, "{proxies:?} {network} {forwarded:?}");
        if expected == 403 {
            assert_eq!(answer.json()["code"], "address-not-allowed");
        }
    }
}

/// Shows: P1
#[actix_web::test]
async fn a_rotated_key_and_its_successor_both_serve_during_the_overlap() {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(&[], clock).await;
    let old = stage.another_key(new_key("acme")).await;
    let hour = Duration::from_secs(3600);
    let new = stage.admin.rotate(&old.record.id, hour, BY).await.expect("a successor");
    assert_eq!(new.record.scopes, old.record.scopes);
    let statuses = async || {
        let (old, new) = (old.key.expose(), new.key.expose());
        (stage.get_with(PRODUCTS, old).await.status.as_u16(), stage.get_with(PRODUCTS, new).await.status.as_u16())
    };
    assert_eq!(statuses().await, (200, 200));
    hand.advance(hour);
    assert_eq!(statuses().await, (401, 200));
    assert!(stage.admin.rotate(&old.record.id, hour, BY).await.is_err(), "a key is replaced once");
}

/// Shows: P1, P2
#[actix_web::test]
async fn a_flood_of_made_up_keys_asks_no_database_and_is_told_to_stop() {
    let stage = Stage::new().await;
    let process = Process::start(&stage.sandbox, &stage.database_url, &[]).await;
    let client = stage.service.client();
    let ask = async |key: &str| receive(client.get(process.url(PRODUCTS)).bearer_auth(key).send()).await;
    let others = KeyFormat::new(&Secret::from("the checksum key of somebody else"));
    let mut answers = Vec::new();
    for _ in 0..100 {
        answers.push(ask(others.mint(KeyEnvironment::Live).key.expose()).await);
    }
    let refused = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((30..=60).contains(&refused), "{refused} of them in less than a minute");
    let stopped = answers.last().expect("an answer");
    assert_eq!((stopped.status.as_u16(), &stopped.json()["code"]), (429, &json!("too-many-invalid-keys")));
    assert!(stopped.header("retry-after").is_some());
    let made_up = process.metric(client, "trifront_partner_keys_refused_total", "reason=\"made_up\"").await;
    assert_eq!(made_up, Some(100), "each was counted");
    let lookups = async || process.metric(client, "trifront_partner_key_lookups_total", "outcome=").await;
    assert_eq!(lookups().await, None, "and the store was asked for none");
    assert_eq!(ask(&stage.key).await.status, 200, "a valid key is let in from the same address");
    assert_eq!(lookups().await, Some(1));
}
