//! Whose token goes along, by the route's policy and the service's audience.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use shared_lib::{
    clock::Clock,
    testing::{Answer, FakeDownstream, eventually},
};

use super::{FILES, Proxied};
use crate::harness::{PATIENCE, Variable, replicas::Replicas};

/// The token of the latest call.
fn token(proxied: &Proxied) -> Option<String> {
    let seen = proxied.files.seen().pop().expect("a call");
    seen.header("authorization").map(|value| value.strip_prefix("Bearer ").expect("a bearer token").to_owned())
}

/// What it claims. The sandbox signs it; here it only matters what was sent.
fn claims(token: Option<String>) -> Value {
    let token = token.expect("a token");
    let payload = token.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
}

const ORDERS: Variable<'_> = ("BFF_WEB__OIDC__AUDIENCES__FILES", "trifront-orders");

/// Shows: W13
#[actix_web::test]
async fn the_users_token_is_relayed_unless_the_policy_says_otherwise() {
    let proxied = Proxied::start(&[]).await;
    let mut alice = proxied.world.signed_in("alice").await;
    alice.get(FILES).await;
    let said = claims(token(&proxied));
    assert_eq!(
        (&said["sub"], &said["client_id"], &said["aud"]),
        (&json!("usr_alice"), &json!("bff-web"), &json!("trifront-services"))
    );

    let proxied = Proxied::start(&[("BFF_WEB__PROXY__FILES__TOKEN", "none")]).await;
    let mut alice = proxied.world.signed_in("alice").await;
    assert_eq!(alice.get(FILES).await.status, StatusCode::OK);
    assert_eq!(token(&proxied), None);
}

/// Shows: W13
#[actix_web::test]
async fn this_services_own_token_is_got_once_for_everybody() {
    let proxied = Proxied::start(&[("BFF_WEB__PROXY__FILES__TOKEN", "client")]).await;
    let mut tokens = Vec::new();
    for user in ["alice", "bob"] {
        let mut browser = proxied.world.signed_in(user).await;
        assert_eq!(browser.get(FILES).await.status, StatusCode::OK);
        tokens.push(token(&proxied));
    }
    assert_eq!(claims(tokens[0].clone())["sub"], "bff-web", "it speaks for no user");
    assert_eq!(tokens[0], tokens[1]);
    assert_eq!(proxied.world.sandbox.provider().counters().client_credentials, 1);
}

/// Shows: W13
#[actix_web::test]
async fn on_a_route_for_anyone_the_users_token_goes_along_where_there_is_a_user() {
    let public = [
        ("BFF_WEB__PROXY__FILES__ACCESS", "public"),
        ("BFF_WEB__PROXY__FILES__METHODS", "GET"),
        ("BFF_WEB__PROXY__FILES__TOKEN", "user-or-client"),
    ];
    let proxied = Proxied::start(&public).await;
    let mut nobody = proxied.world.browser();
    assert_eq!(nobody.get(FILES).await.status, StatusCode::OK);
    assert_eq!(claims(token(&proxied))["sub"], "bff-web");
    let mut alice = proxied.world.signed_in("alice").await;
    alice.get(FILES).await;
    assert_eq!(claims(token(&proxied))["sub"], "usr_alice");
    alice.fetch(Method::POST, "/api/auth/logout").await;
    alice.get(FILES).await;
    assert_eq!(claims(token(&proxied))["sub"], "bff-web");
}

/// Shows: W13
#[actix_web::test]
async fn a_token_is_exchanged_for_the_services_audience_and_never_shared_between_users() {
    let proxied = Proxied::start(&[ORDERS]).await;
    let mut alice = proxied.world.signed_in("alice").await;
    let mut bob = proxied.world.signed_in("bob").await;
    for _ in 0..2 {
        for (browser, subject) in [(&mut alice, "usr_alice"), (&mut bob, "usr_bob")] {
            browser.get(FILES).await;
            let said = claims(token(&proxied));
            assert_eq!((&said["sub"], &said["aud"]), (&json!(subject), &json!("trifront-orders")));
        }
    }
    assert_eq!(proxied.world.sandbox.provider().counters().token_exchanges, 2, "each is exchanged once");
    assert_eq!(alice.get("/api/v2/orders").await.status, StatusCode::OK, "other services get the user's token");
    assert_eq!(proxied.world.sandbox.provider().counters().token_exchanges, 2);
}

/// Shows: W13, W11
#[actix_web::test]
async fn a_refresh_brings_a_fresh_exchanged_token_and_none_is_used_past_its_end() {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let proxied = Proxied::start_at(&[ORDERS], clock).await;
    let mut alice = proxied.world.signed_in("alice").await;
    alice.get(FILES).await;
    let first = token(&proxied);
    alice.get(FILES).await;
    assert_eq!(token(&proxied), first);
    hand.advance(Duration::from_secs(241));
    alice.get(FILES).await;
    let counters = proxied.world.sandbox.provider().counters();
    assert_eq!((counters.refreshes, counters.token_exchanges), (1, 2));
    assert_ne!(token(&proxied), first);
}

/// Shows: W13
#[actix_web::test]
async fn what_a_service_refuses_is_not_sent_again() {
    let proxied = Proxied::start(&[ORDERS]).await;
    let mut alice = proxied.world.signed_in("alice").await;
    alice.get(FILES).await;
    let first = token(&proxied);
    proxied.files.push(Answer::status(401));
    assert_eq!(alice.get(FILES).await.json()["code"], "downstream-error");
    alice.get(FILES).await;
    assert_ne!(token(&proxied), first);
}

/// Shows: W13
#[actix_web::test]
async fn a_provider_that_refuses_or_is_away_is_said_so_and_no_other_token_goes_instead() {
    let proxied = Proxied::start(&[("BFF_WEB__OIDC__AUDIENCES__FILES", "elsewhere")]).await;
    let mut alice = proxied.world.signed_in("alice").await;
    let refused = alice.get(FILES).await;
    assert_eq!((refused.status, &refused.json()["reason"]), (StatusCode::BAD_GATEWAY, &json!("no-token")));
    proxied.world.disturb("provider", sandbox::chaos::Rule::status(503).on("/token"));
    let away = alice.get(FILES).await;
    assert_eq!((away.status, &away.json()["reason"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("no-token")));
    assert_eq!(proxied.files.calls(), 0);
    assert_eq!(alice.get("/api/auth/session").await.status, StatusCode::OK, "nobody is signed out by that");
}

/// Shows: W13, W5
#[actix_web::test]
async fn exchanged_tokens_go_with_their_session_on_every_replica() {
    let files = FakeDownstream::start(Answer::json(&json!({})));
    let url = files.url();
    let replicas = Replicas::start_with(
        2,
        &[
            ORDERS,
            ("BFF_WEB__DOWNSTREAMS__FILES__URLS", &url),
            ("BFF_WEB__PROXY__FILES__PATH", FILES),
            ("BFF_WEB__PROXY__FILES__METHODS", "GET"),
            ("BFF_WEB__PROXY__FILES__DOWNSTREAM", "files"),
        ],
    )
    .await;
    let kept = async |number: usize, expected: u64| {
        let reached = eventually(PATIENCE, || async {
            replicas.service(number).get_management("/info").await.json()["exchangedTokens"] == expected
        });
        assert!(reached.await, "replica {number} keeps {expected}");
    };
    let mut bob = replicas.signed_in("bob", 0).await;
    assert_eq!(bob.get(FILES).await.status, StatusCode::OK);
    let alice = replicas.signed_in("alice", 0).await;
    for number in [0, 1] {
        assert_eq!(replicas.led(&alice, number).get(FILES).await.status, StatusCode::OK);
    }
    kept(0, 2).await;
    kept(1, 1).await;
    let left = replicas.led(&alice, 1).fetch(Method::POST, "/api/auth/logout").await;
    assert_eq!(left.status, StatusCode::OK);
    kept(0, 1).await;
    kept(1, 0).await;
}
