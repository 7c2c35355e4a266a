//! The provider says that its session has ended.

use actix_web::http::StatusCode;
use awc::http::header::CONTENT_TYPE;
use sandbox::provider::{DeliveryOutcome, SessionSelector};
use serde_json::json;
use shared_lib::testing::{Received, receive};

use crate::harness::replicas::Replicas;

const SESSION: &str = "/api/auth/session";
const LOGOUT: &str = "/api/auth/backchannel-logout";

impl Replicas {
    async fn post_logout(&self, number: usize, body: String) -> Received {
        let request = self.service(number).client().post(self.service(number).url(LOGOUT));
        receive(request.insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded")).send_body(body)).await
    }
}

/// Shows: W10
#[actix_web::test]
async fn a_logout_at_the_provider_ends_the_session_whichever_replica_hears_of_it() {
    let world = Replicas::start(2).await;
    let (mut alice, mut bob) = (world.signed_in("alice", 0).await, world.signed_in("bob", 0).await);
    let uri = world.service(1).url(LOGOUT);
    let provider = world.sandbox.provider();
    provider.change_client("bff-web", |client| client.backchannel_logout_uri = Some(uri)).expect("the client is there");
    let (ended, deliveries) = provider.end_session(&SessionSelector::Subject("usr_alice".to_owned())).await;
    assert_eq!(ended, 1);
    let accepted = deliveries.iter().all(|delivery| delivery.outcome == DeliveryOutcome::Accepted);
    assert!(!deliveries.is_empty() && accepted, "{deliveries:?}");
    assert_eq!(alice.get(SESSION).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bob.get(SESSION).await.status, StatusCode::OK);
}

/// Shows: W10
#[actix_web::test]
async fn what_is_no_logout_token_for_us_ends_nothing() {
    let world = Replicas::start(2).await;
    let mut alice = world.signed_in("alice", 0).await;
    let provider = world.sandbox.provider();
    let sid = provider.sessions()[0].sid.clone();
    let token = || provider.logout_token_builder("bff-web", "usr_alice", &sid).expect("a token");
    let right = token().build().expect("it is signed");
    let id_token = provider.id_token_builder("alice", "bff-web", &sid).expect("a token").build().expect("signed");
    let broken = format!("{}AAAA", &right[..right.len() - 4]);
    for (why, body) in [
        ("nothing", String::new()),
        ("no token", "logout_token=".to_owned()),
        ("no JWT", "logout_token=x.y.z".to_owned()),
        ("another field", format!("token={right}")),
        ("two tokens", format!("logout_token={right}&logout_token={right}")),
        ("a broken signature", format!("logout_token={broken}")),
        ("an ID token", format!("logout_token={id_token}")),
        ("a nonce", format!("logout_token={}", token().claim("nonce", json!("n")).build().expect("signed"))),
        (
            "another client",
            format!("logout_token={}", token().claim("aud", json!("mobile-app")).build().expect("signed")),
        ),
        (
            "another issuer",
            format!("logout_token={}", token().claim("iss", json!("https://x.example")).build().expect("signed")),
        ),
        ("no events", format!("logout_token={}", token().without_claim("events").build().expect("signed"))),
        ("no id", format!("logout_token={}", token().without_claim("jti").build().expect("signed"))),
        ("expired", format!("logout_token={}", token().claim("exp", json!(1_700_000_000)).build().expect("signed"))),
    ] {
        let answer = world.post_logout(1, body).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (StatusCode::BAD_REQUEST, Some("logout-refused")),
            "{why}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{why}");
        assert!(!answer.text().contains("usr_alice"), "{why}");
    }
    assert_eq!(alice.get(SESSION).await.status, StatusCode::OK);
    let answer = world.post_logout(1, format!("logout_token={right}")).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, Some("no-store")));
    assert_eq!(alice.get(SESSION).await.status, StatusCode::UNAUTHORIZED);
}

/// Shows: W10
#[actix_web::test]
async fn a_logout_token_is_good_once_on_all_replicas() {
    let world = Replicas::start(2).await;
    let provider = world.sandbox.provider();
    let token = provider.logout_token_builder("bff-web", "usr_alice", "x").expect("a token");
    let token = token.without_claim("sid").build().expect("it is signed");
    let body = format!("logout_token={token}");
    assert_eq!(world.post_logout(0, body.clone()).await.status, StatusCode::OK, "ending nothing is fine");
    let mut alice = world.signed_in("alice", 0).await;
    for number in [0, 1] {
        assert_eq!(world.post_logout(number, body.clone()).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(alice.get(SESSION).await.status, StatusCode::OK);
}
