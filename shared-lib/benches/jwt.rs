//! What it costs to believe an access token, by the kind of key that signed it: the whole way from text to claims, with
//! the keys at hand.

#[path = "../tests/jwt/issuer.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod issuer;

use std::time::Duration;

use actix_rt::System;
use serde_json::json;
use shared_lib::jwt::{AccessTokenSettings, AccessTokenVerifier, BelievedTokens};

use issuer::{AUDIENCE, ISSUER, SigningKey, World, request};

fn main() {
    divan::main();
}

#[divan::bench(args = ["ES256", "EdDSA", "RS256", "PS256"])]
fn access_token(bencher: divan::Bencher<'_, '_>, algorithm: &str) {
    measure(bencher, algorithm, false);
}

/// A token that was believed a moment ago.
#[divan::bench]
fn access_token_again(bencher: divan::Bencher<'_, '_>) {
    measure(bencher, "ES256", true);
}

fn measure(bencher: divan::Bencher<'_, '_>, algorithm: &str, remembering: bool) {
    let key = match algorithm {
        "ES256" => SigningKey::p256("k1"),
        "EdDSA" => SigningKey::ed25519("k1"),
        _ => SigningKey::rsa("k1"),
    };
    let world = World::new(&[&key]);
    let now = world.now();
    let claims = json!({
        "iss": ISSUER, "sub": "usr_alice", "aud": AUDIENCE, "client_id": "mobile-app", "jti": "t1", "iat": now,
        "exp": now + 300, "scope": "orders:read orders:write", "auth_time": now, "acr": "urn:sandbox:pwd",
    });
    let token = key.sign(&json!({ "typ": "at+jwt", "alg": algorithm, "kid": "k1" }), &claims);
    let settings = AccessTokenSettings::new(ISSUER, AUDIENCE);
    let verifier = AccessTokenVerifier::new(settings, world.keys.clone(), world.clock.clone());
    let verifier = if remembering {
        verifier.remembering(BelievedTokens::new(100, Duration::from_secs(60), world.clock.clone()))
    } else {
        verifier
    };
    let system = System::new();
    let context = request();
    bencher.bench_local(|| system.block_on(verifier.verify(&context, &token)).expect("a good token"));
}
