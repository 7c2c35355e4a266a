//! What it costs to believe an access token, by the kind of key that signed it: the whole way from text to claims, with
//! the keys at hand.

#[path = "../tests/jwt/issuer.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod issuer;

use actix_rt::System;
use serde_json::json;
use shared_lib::jwt::{AccessTokenSettings, AccessTokenVerifier};

use issuer::{AUDIENCE, ISSUER, SigningKey, World, request};

fn main() {
    divan::main();
}

#[divan::bench(args = ["ES256", "EdDSA", "RS256", "PS256"])]
fn access_token(bencher: divan::Bencher<'_, '_>, algorithm: &str) {
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
    let system = System::new();
    let context = request();
    bencher.bench_local(|| system.block_on(verifier.verify(&context, &token)).expect("a good token"));
}
