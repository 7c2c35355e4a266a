//! The token endpoint: each request is sent once, and each failure says whether the provider may have acted on it.

use sandbox::chaos::{Fault, Rule};
use shared_lib::{clock::Clock, oauth::Delivery};

use super::harness::{calls, client, faults, provider, request, sign_in};

/// Shows: W11
#[actix_web::test]
async fn a_refresh_rotates_and_a_dead_refresh_token_is_an_invalid_grant() {
    let sandbox = provider().await;
    let client = client(&sandbox, "bff-web", Clock::system());
    let first = sign_in(&sandbox, &client, "n").await.refresh_token.expect("a refresh token");
    let tokens = client.refresh(&request(), &first).await.expect("new tokens");
    let second = tokens.refresh_token.expect("a refresh token");
    assert_ne!(first.expose(), second.expose());
    assert_eq!(sandbox.provider().revoke_grants("usr_alice"), 1);
    let error = client.refresh(&request(), &second).await.expect_err("the grant is revoked");
    assert!(error.is_invalid_grant(), "{error}");
    assert_eq!(error.delivery(), Delivery::Answered);
    assert_eq!(sandbox.provider().counters().refresh_reuses, 0);
}

/// Shows: W11, S3
#[actix_web::test]
async fn a_refresh_is_sent_once_whatever_becomes_of_it() {
    let sandbox = provider().await;
    let client = client(&sandbox, "bff-web", Clock::system());
    let refresh_token = sign_in(&sandbox, &client, "n").await.refresh_token.expect("a refresh token");
    for (fault, delivery) in [
        (Rule::status(503), Delivery::Unknown),
        (Rule::status(429), Delivery::Answered),
        (Rule::fault(Fault::Reset), Delivery::Unknown),
        (Rule::fault(Fault::ResetMidBody), Delivery::Unknown),
        (Rule::fault(Fault::MalformedJson), Delivery::Unknown),
    ] {
        let before = calls(&sandbox, "/token");
        let shown = format!("{fault:?}");
        faults(&sandbox, vec![fault.on("/token")]);
        let error = client.refresh(&request(), &refresh_token).await.expect_err(&shown);
        assert!(!error.is_invalid_grant(), "{shown}: {error}");
        assert_eq!(error.delivery(), delivery, "{shown}: {error:?}");
        assert_eq!(calls(&sandbox, "/token"), before + 1, "{shown}");
    }
}

/// Shows: W9
#[actix_web::test]
async fn a_revoked_refresh_token_is_dead_and_revoking_is_repeated_until_it_is_done() {
    let sandbox = provider().await;
    let client = client(&sandbox, "bff-web", Clock::system());
    let refresh_token = sign_in(&sandbox, &client, "n").await.refresh_token.expect("a refresh token");
    faults(&sandbox, vec![Rule::status(503).on("/revoke").times(1)]);
    client.revoke(&request(), &refresh_token).await.expect("revoked at the second attempt");
    assert_eq!(calls(&sandbox, "/revoke"), 2);
    client.revoke(&request(), &refresh_token).await.expect("revoking twice is no error");
    let error = client.refresh(&request(), &refresh_token).await.expect_err("a dead token");
    assert!(error.is_invalid_grant(), "{error}");
}
