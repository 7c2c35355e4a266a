//! Who is let in, and how the others are told.

use std::time::Duration;

use sandbox::provider::{JwtBuilder, SigningChoice};
use serde_json::json;
use shared_lib::{
    clock::Clock,
    testing::{Received, receive},
};

use crate::harness::{ALL_SCOPES, SERVICES, Stage, assert_body, sandbox};

const HOME: &str = "/v1/home";

fn challenge(received: &Received) -> &str {
    received.header("www-authenticate").expect("a challenge")
}

/// Shows: M3
#[actix_web::test]
async fn without_credentials_the_challenge_names_no_error() {
    let stage = Stage::new().await;
    for path in [HOME, "/v1/products"] {
        let refused = stage.service.get(path).await;
        assert_eq!(refused.status, 401, "{path}");
        assert_eq!(challenge(&refused), "Bearer realm=\"bff-mobile\"", "{path}");
        assert_eq!(refused.json()["code"], "unauthenticated", "{path}");
    }
    let basic = receive(stage.service.client().get(stage.service.url(HOME)).basic_auth("a", "b").send()).await;
    assert_eq!((basic.status.as_u16(), challenge(&basic)), (401, "Bearer realm=\"bff-mobile\""));
}

/// Shows: M1, M3
#[actix_web::test]
async fn a_token_that_is_not_valid_here_is_refused_with_the_reason() {
    let stage = Stage::new().await;
    let provider = stage.sandbox.provider();
    let hour = Duration::from_secs(3600);
    let bent = |bend: fn(JwtBuilder) -> JwtBuilder| stage.token_with("alice", &ALL_SCOPES, bend);
    let id_token = |audience: &str| {
        let token = provider.id_token_builder("alice", audience, "session").expect("the user exists");
        token.build().expect("the token can be signed")
    };
    let services_token = provider
        .access_token("alice", "mobile-app", "trifront-services", &ALL_SCOPES, hour)
        .expect("the token can be signed");
    let refusals = [
        (services_token, "the token is for another audience"),
        (bent(|token| token.aged(Duration::from_secs(600))), "the token has expired"),
        (bent(|token| token.claim("iss", json!("https://evil.example"))), "the token is from another issuer"),
        (id_token("mobile-app"), "the token is of the wrong type"),
        (id_token("bff-mobile"), "the token is of the wrong type"),
        (
            bent(|token| token.signed_by(SigningChoice::Unsigned)),
            "the token is signed with an algorithm that is not allowed",
        ),
        (
            bent(|token| token.signed_by(SigningChoice::HmacOfPublicKey)),
            "the token is signed with an algorithm that is not allowed",
        ),
        (bent(|token| token.signed_by(SigningChoice::ForgedKeyId)), "the signature of the token is invalid"),
        (bent(|token| token.signed_by(SigningChoice::UnknownKey)), "the token is signed with an unknown key"),
        (bent(|token| token.header("crit", json!(["x"]))), "the token demands an unknown extension"),
        (bent(|token| token.without_claim("client_id")), "the token lacks the claim client_id"),
        (bent(|token| token.claim("cnf", json!({"x5t#S256": "a"}))), "the token is bound in an unsupported way"),
        ("garbage".to_owned(), "the token is malformed"),
        ("a.b.c".to_owned(), "the token is malformed"),
    ];
    for (token, reason) in refusals {
        let refused = stage.get_with(HOME, &token).await;
        assert_eq!(refused.status, 401, "{reason}");
        let expected = format!("Bearer realm=\"bff-mobile\", error=\"invalid_token\", error_description=\"{reason}\"");
        assert_eq!(challenge(&refused), expected);
        assert_eq!(refused.json()["code"], "invalid-token", "{reason}");
        assert!(!refused.text().contains(&token), "{reason}");
    }
    for service in SERVICES {
        assert!(stage.sandbox.chaos().calls(service).is_empty(), "{service} was asked for somebody who was not let in");
    }
}

#[actix_web::test]
async fn a_refused_token_is_a_problem_with_a_stable_code() {
    let stage = Stage::new().await;
    let refused = stage
        .get_with(HOME, &stage.token_with("alice", &ALL_SCOPES, |token| token.aged(Duration::from_secs(600))))
        .await;
    assert_eq!(refused.status, 401);
    assert_body!("an_expired_token", refused);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.header("cache-control"), Some("no-store"));
}

/// Shows: M3
#[actix_web::test]
async fn a_token_without_a_needed_scope_is_told_which_are_needed() {
    let stage = Stage::new().await;
    let token = stage.token_with("alice", &["catalog:read", "orders:read"], |token| token);
    let refused = stage.get_with(HOME, &token).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        challenge(&refused),
        "Bearer realm=\"bff-mobile\", error=\"insufficient_scope\", error_description=\"the token lacks a scope\", \
         scope=\"accounts:read notifications:read orders:read\""
    );
    assert_body!("a_token_without_a_needed_scope", refused);
    assert_eq!(stage.get_with("/v1/products?size=1", &token).await.status, 200, "its scopes open other routes");
}

/// Shows: M3
#[actix_web::test]
async fn two_ways_to_authenticate_at_once_are_refused() {
    let stage = Stage::new().await;
    let token = stage.token("alice");
    let client = stage.service.client();
    let url = stage.service.url(HOME);
    let authorization = format!("Bearer {token}");
    let header = |url: &str| client.get(url).insert_header(("authorization", authorization.as_str()));

    let in_query = receive(header(&format!("{url}?access_token={token}")).send()).await;
    let twice = receive(header(&url).append_header(("authorization", authorization.as_str())).send()).await;
    let in_form = receive(header(&url).send_form(&[("access_token", &token)])).await;
    for refused in [in_query, twice, in_form] {
        assert_eq!(refused.status, 400);
        assert_eq!(
            challenge(&refused),
            "Bearer realm=\"bff-mobile\", error=\"invalid_request\", \
             error_description=\"the request authenticates in more than one way\""
        );
        assert_eq!(refused.json()["code"], "invalid-credentials");
    }
    let query_alone = stage.service.get(&format!("{HOME}?access_token={token}")).await;
    assert_eq!(query_alone.status, 400, "a token in an address is in every log on the way");
    assert!(!query_alone.text().contains(&token));
}

/// Shows: M2
#[actix_web::test]
async fn a_token_that_is_signed_with_a_new_key_is_accepted_at_once() {
    let stage = Stage::new().await;
    assert_eq!(stage.get("/v1/products?size=1").await.status, 200);
    stage.sandbox.provider().rotate_keys().expect("a new key");
    assert_eq!(stage.get("/v1/products?size=1").await.status, 200);
}

/// Shows: M1
#[actix_web::test]
async fn an_issuer_that_does_not_mark_access_tokens_can_be_named_and_its_id_tokens_stay_refused() {
    let strict = Stage::new().await;
    let named = Stage::with(&[("BFF_MOBILE__JWT__PROFILE", "unmarked")]).await;
    for (stage, expected) in [(&strict, 401), (&named, 200)] {
        let unmarked = stage.token_with("alice", &ALL_SCOPES, |token| token.header("typ", json!("JWT")));
        assert_eq!(stage.get_with("/v1/products?size=1", &unmarked).await.status.as_u16(), expected);
    }
    let id_token = named.sandbox.provider().id_token_builder("alice", "bff-mobile", "session");
    let id_token = id_token.expect("the user exists").claim("azp", json!("bff-mobile")).claim("jti", json!("1"));
    let id_token = id_token.scopes(&ALL_SCOPES).build().expect("the token can be signed");
    let refused = named.get_with("/v1/products?size=1", &id_token).await;
    assert_eq!(refused.status, 401);
    assert!(challenge(&refused).contains("the token is not an access token"), "{}", challenge(&refused));
}

#[actix_web::test]
async fn signing_keys_can_have_an_address_of_their_own() {
    let sandbox = sandbox().await;
    let address = format!("{}/jwks", sandbox.issuer());
    let stage = Stage::on(sandbox, &[("BFF_MOBILE__JWT__JWKS_URL", &address)], Clock::system()).await;
    assert_eq!(stage.get("/v1/products?size=1").await.status, 200);
    assert_eq!(stage.sandbox.provider().counters().discovery_fetches, 0, "nobody asked for the metadata");
    assert_eq!(stage.get(HOME).await.status, 200, "the exchange asks for it");
}

#[actix_web::test]
async fn a_path_that_is_not_there_is_a_problem() {
    let stage = Stage::new().await;
    let unknown = stage.get("/v1/nothing").await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["code"]), (404, &json!("not-found")));
}

/// Shows: M1
#[actix_web::test]
async fn tokens_are_kept_where_it_is_wanted_and_end_when_they_end() {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let variables = [("BFF_MOBILE__JWT__CACHE_MAX_TOKENS", "100"), ("BFF_MOBILE__JWT__CACHE_MAX_AGE_MS", "300000")];
    let stage = Stage::on(sandbox().await, &variables, clock).await;
    let info = async || stage.service.get_management("/info").await.json()["believedTokens"].clone();
    assert_eq!(info().await, 0);
    let token = stage.token("alice");
    for _ in 0..3 {
        assert_eq!(stage.get_with("/v1/products?size=1", &token).await.status, 200);
    }
    assert_eq!(info().await, 1);
    let without_scopes = stage.token_with("alice", &[], |token| token);
    for _ in 0..2 {
        assert_eq!(
            stage.get_with("/v1/products?size=1", &without_scopes).await.status,
            403,
            "scopes are asked for anew"
        );
    }
    // Past the end and what clocks may be apart.
    hand.advance(Duration::from_secs(300 + 31));
    let expired = stage.get_with("/v1/products?size=1", &token).await;
    assert_eq!((expired.status.as_u16(), &expired.json()["code"]), (401, &json!("invalid-token")));
}
