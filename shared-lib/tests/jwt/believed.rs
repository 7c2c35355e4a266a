//! Tokens that are believed without another look: no longer than promised, and not more of them.

use std::time::Duration;

use serde_json::json;
use shared_lib::jwt::{AccessTokenSettings, AccessTokenVerifier, BelievedTokens, TokenError};

use super::{
    access_tokens::{claims, with},
    issuer::{AUDIENCE, ISSUER, SigningKey, World, request},
};

const MAX_AGE: Duration = Duration::from_secs(60);

fn verifier(world: &World, believed: &BelievedTokens) -> AccessTokenVerifier {
    let settings = AccessTokenSettings::new(ISSUER, AUDIENCE);
    AccessTokenVerifier::new(settings, world.keys.clone(), world.clock.clone()).remembering(believed.clone())
}

fn token(world: &World, key: &SigningKey, jti: &str, seconds: i64) -> String {
    let now = world.now();
    let claims = with(claims(now), json!({ "jti": jti, "iat": now, "exp": now + seconds }));
    key.sign(&json!({ "typ": "at+jwt", "alg": "ES256", "kid": "k1" }), &claims)
}

/// Takes the issuer's only key away, so that nothing can be verified from now on.
async fn withdraw_keys(world: &World, verifier: &AccessTokenVerifier) {
    world.source.keys.borrow_mut().clear();
    let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": "unknown" });
    let stranger = SigningKey::p256("unknown").sign(&header, &claims(world.now()));
    assert_eq!(verifier.verify(&request(), &stranger).await.map(|_| ()), Err(TokenError::UnknownKey));
    assert_eq!(world.keys.set().status().keys, 0);
}

/// Shows: M1
#[actix_web::test]
async fn a_token_that_was_believed_is_believed_again_without_its_key_and_not_for_long() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let believed = BelievedTokens::new(100, MAX_AGE, world.clock.clone());
    let verifier = verifier(&world, &believed);
    let token = token(&world, &key, "t", 3_600);
    let first = verifier.verify(&request(), &token).await.expect("a good token");
    withdraw_keys(&world, &verifier).await;
    world.hand.advance(MAX_AGE - Duration::from_secs(1));
    assert_eq!(verifier.verify(&request(), &token).await, Ok(first));
    let bent = format!("{token}x");
    assert!(verifier.verify(&request(), &bent).await.is_err(), "another text is another token");
    world.hand.advance(Duration::from_secs(1));
    assert_eq!(verifier.verify(&request(), &token).await.map(|_| ()), Err(TokenError::UnknownKey));
    assert!(believed.is_empty());
}

/// Shows: M1
#[actix_web::test]
async fn no_token_is_believed_past_its_end() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let believed = BelievedTokens::new(100, Duration::from_secs(86_400), world.clock.clone());
    let verifier = verifier(&world, &believed);
    let token = token(&world, &key, "t", 20);
    assert!(verifier.verify(&request(), &token).await.is_ok());
    withdraw_keys(&world, &verifier).await;
    world.hand.advance(Duration::from_secs(19));
    assert!(verifier.verify(&request(), &token).await.is_ok());
    world.hand.advance(Duration::from_secs(1));
    // A fresh check would allow for the clocks; what was kept does not.
    assert_eq!(verifier.verify(&request(), &token).await.map(|_| ()), Err(TokenError::UnknownKey));
}

/// Shows: M1
#[actix_web::test]
async fn the_number_of_tokens_is_bounded_and_refused_ones_are_not_kept() {
    let (key, stranger) = (SigningKey::p256("k1"), SigningKey::p256("k1"));
    let world = World::new(&[&key]);
    let believed = BelievedTokens::new(10, MAX_AGE, world.clock.clone());
    let verifier = verifier(&world, &believed);
    for number in 0..50 {
        let forged = token(&world, &stranger, &number.to_string(), 300);
        assert_eq!(verifier.verify(&request(), &forged).await.map(|_| ()), Err(TokenError::Signature));
    }
    assert!(believed.is_empty());
    for number in 0..50 {
        assert!(verifier.verify(&request(), &token(&world, &key, &number.to_string(), 300)).await.is_ok());
    }
    assert!((1..=10).contains(&believed.len()), "{} tokens", believed.len());
}
