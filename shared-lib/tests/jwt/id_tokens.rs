//! ID tokens: the one that answers our login is believed, and no other.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};
use shared_lib::jwt::{IdTokenExpectations, IdTokenSettings, IdTokenVerifier, TokenError};

use super::{
    access_tokens::with,
    issuer::{ISSUER, SigningKey, World, part, request},
};

const CLIENT: &str = "bff-web";
const ACCESS_TOKEN: &str = "the access token";

fn claims(now: i64) -> Value {
    json!({
        "iss": ISSUER, "sub": "usr_alice", "aud": CLIENT, "azp": CLIENT, "iat": now - 1, "exp": now + 299,
        "nonce": "n-1", "auth_time": now - 50, "acr": "urn:sandbox:pwd", "amr": ["pwd"], "sid": "s1",
        "name": "Alice", "at_hash": part(&Sha256::digest(ACCESS_TOKEN)[..16]),
    })
}

fn verifier(world: &World) -> IdTokenVerifier {
    IdTokenVerifier::new(IdTokenSettings::new(ISSUER, CLIENT), world.keys.clone(), world.clock.clone())
}

/// Shows: W3
#[actix_web::test]
async fn the_id_token_of_our_login_is_believed() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let now = world.now();
    let expected = IdTokenExpectations::login("n-1", ACCESS_TOKEN);
    for changes in [
        json!({}),
        json!({ "azp": null }),
        json!({ "aud": [CLIENT] }),
        json!({ "aud": [CLIENT, "other"] }),
        json!({ "at_hash": null }),
        json!({ "amr": null, "sid": null, "acr": null, "auth_time": null }),
    ] {
        let token =
            key.sign(&json!({ "typ": "JWT", "alg": "ES256", "kid": "k1" }), &with(claims(now), changes.clone()));
        let result = verifier(&world).verify(&request(), &token, &expected).await;
        assert!(result.is_ok(), "{result:?} for {changes}");
    }
    let token = key.sign(&json!({ "alg": "ES256", "kid": "k1" }), &claims(now));
    let claims = verifier(&world).verify(&request(), &token, &expected).await.expect("a good token");
    assert_eq!(claims.subject, "usr_alice");
    assert_eq!(claims.session_id.as_deref(), Some("s1"));
    assert_eq!(claims.amr, ["pwd"]);
    assert_eq!(claims.text("name"), Some("Alice"));
    assert_eq!(claims.auth_time.map(Timestamp::as_second), Some(now - 50));
    let shown = format!("{claims:?}");
    assert!(!shown.contains("alice") && !shown.contains("Alice"), "{shown}");
}

/// Shows: W3
#[actix_web::test]
async fn every_other_id_token_is_refused_for_its_own_reason() {
    use TokenError::*;
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let now = world.now();
    let expected = IdTokenExpectations::login("n-1", ACCESS_TOKEN);
    for (header, changes, reason) in [
        (json!({ "typ": "at+jwt" }), json!({}), Type),
        (json!({ "typ": "logout+jwt" }), json!({}), Type),
        (json!({}), json!({ "events": {} }), Type),
        (json!({ "alg": "none" }), json!({}), Algorithm),
        (json!({ "alg": "HS256" }), json!({}), Algorithm),
        (json!({ "kid": "other" }), json!({}), UnknownKey),
        (json!({ "crit": ["x"] }), json!({}), Critical),
        (json!({}), json!({ "iss": "https://evil.example" }), Issuer),
        (json!({}), json!({ "iss": null }), Missing("iss")),
        (json!({}), json!({ "aud": "other" }), Audience),
        (json!({}), json!({ "aud": null }), Missing("aud")),
        (json!({}), json!({ "aud": [] }), Claim("aud")),
        (json!({}), json!({ "azp": "other" }), AuthorizedParty),
        (json!({}), json!({ "azp": 1 }), Claim("azp")),
        (json!({}), json!({ "azp": null, "aud": [CLIENT, "other"] }), AuthorizedParty),
        (json!({}), json!({ "sub": null }), Missing("sub")),
        (json!({}), json!({ "sub": 1 }), Claim("sub")),
        (json!({}), json!({ "exp": now - 30 }), Expired),
        (json!({}), json!({ "exp": null }), Missing("exp")),
        (json!({}), json!({ "exp": now + 90_000 }), Lifetime),
        (json!({}), json!({ "iat": now + 31 }), IssuedInFuture),
        (json!({}), json!({ "iat": null }), Missing("iat")),
        (json!({}), json!({ "nbf": now + 31 }), NotYetValid),
        (json!({}), json!({ "nonce": "n-2" }), Nonce),
        (json!({}), json!({ "nonce": "n-1 " }), Nonce),
        (json!({}), json!({ "nonce": null }), Nonce),
        (json!({}), json!({ "nonce": 1 }), Claim("nonce")),
        (json!({}), json!({ "at_hash": part([0; 16]) }), AccessTokenHash),
        (json!({}), json!({ "at_hash": part(Sha256::digest(ACCESS_TOKEN)) }), AccessTokenHash),
        (json!({}), json!({ "at_hash": 1 }), Claim("at_hash")),
        (json!({}), json!({ "amr": "pwd" }), Claim("amr")),
        (json!({}), json!({ "sid": 1 }), Claim("sid")),
        (json!({}), json!({ "auth_time": "x" }), Claim("auth_time")),
    ] {
        let header = with(json!({ "typ": "JWT", "alg": "ES256", "kid": "k1" }), header);
        let token = key.sign(&header, &with(claims(now), changes.clone()));
        let result = verifier(&world).verify(&request(), &token, &expected).await.map(|_| ());
        assert_eq!(result, Err(reason), "for {header} {changes}");
    }
    let forged = SigningKey::p256("k1").sign(&json!({ "alg": "ES256", "kid": "k1" }), &claims(now));
    let result = verifier(&world).verify(&request(), &forged, &expected).await.map(|_| ());
    assert_eq!(result, Err(Signature));
}

/// Shows: W3
#[actix_web::test]
async fn a_refresh_keeps_its_subject_and_needs_no_nonce() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let token = key.sign(&json!({ "alg": "ES256", "kid": "k1" }), &with(claims(world.now()), json!({ "nonce": null })));
    let verify = async |subject| {
        let expected = IdTokenExpectations::refresh(subject, ACCESS_TOKEN);
        verifier(&world).verify(&request(), &token, &expected).await.map(|_| ())
    };
    assert_eq!(verify("usr_alice").await, Ok(()));
    assert_eq!(verify("usr_bob").await, Err(TokenError::Subject));
}

/// Shows: W3
#[actix_web::test]
async fn an_asked_for_max_age_bounds_the_login() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let now = world.now();
    let verify = async |changes: Value| {
        let token = key.sign(&json!({ "alg": "ES256", "kid": "k1" }), &with(claims(now), changes));
        let mut expected = IdTokenExpectations::login("n-1", ACCESS_TOKEN);
        expected.max_age = Some(Duration::from_secs(60));
        verifier(&world).verify(&request(), &token, &expected).await.map(|_| ())
    };
    assert_eq!(verify(json!({ "auth_time": now - 90 })).await, Ok(()));
    assert_eq!(verify(json!({ "auth_time": now - 91 })).await, Err(TokenError::AuthenticationTooOld));
    assert_eq!(verify(json!({ "auth_time": null })).await, Err(TokenError::Missing("auth_time")));
}

/// Shows: W3
#[actix_web::test]
async fn the_access_token_hash_follows_the_algorithm() {
    let key = SigningKey::ed25519("ed");
    let world = World::new(&[&key]);
    let expected = IdTokenExpectations::login("n-1", ACCESS_TOKEN);
    let header = json!({ "alg": "EdDSA", "kid": "ed" });
    let right = json!({ "at_hash": part(&Sha512::digest(ACCESS_TOKEN)[..32]) });
    let token = key.sign(&header, &with(claims(world.now()), right));
    assert_eq!(verifier(&world).verify(&request(), &token, &expected).await.map(|_| ()), Ok(()));
    let other = key.sign(&header, &claims(world.now()));
    let result = verifier(&world).verify(&request(), &other, &expected).await.map(|_| ());
    assert_eq!(result, Err(TokenError::AccessTokenHash), "SHA-256 is not the hash of Ed25519");
}
