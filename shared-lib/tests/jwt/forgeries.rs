//! What somebody without the issuer's private key can make: none of it is believed, and none of it makes us fetch a key
//! from where the token says.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use shared_lib::jwt::{AccessTokenSettings, AccessTokenVerifier, Profile, TokenError};

use super::{
    access_tokens::{claims, with},
    issuer::{AUDIENCE, ISSUER, SigningKey, World, part, request},
};

fn verifier(world: &World, profile: Profile) -> AccessTokenVerifier {
    let settings = AccessTokenSettings { profile, ..AccessTokenSettings::new(ISSUER, AUDIENCE) };
    AccessTokenVerifier::new(settings, world.keys.clone(), world.clock.clone())
}

/// A token whose "signature" is an HMAC with what everybody knows as the secret: the classic confusion of algorithms.
fn hmac_with(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", part(tag.as_ref()))
}

/// Shows: M1
#[actix_web::test]
async fn a_token_that_the_issuer_did_not_sign_is_not_believed_whatever_its_header_says() {
    use TokenError::*;
    let (issuer, rsa) = (SigningKey::p256("k1"), SigningKey::rsa("r1"));
    let world = World::new(&[&issuer, &rsa]);
    // The attacker's key has the name of the issuer's.
    let (evil, evil_rsa) = (SigningKey::p256("k1"), SigningKey::rsa("r1"));
    let claims = claims(world.now());
    let header = |changes: Value| with(json!({ "typ": "at+jwt", "alg": "ES256", "kid": "k1" }), changes);
    let forged = |changes: Value| evil.sign(&header(changes), &claims);
    let public = issuer.jwk();
    let modulus = rsa.jwk()["n"].as_str().expect("a modulus").to_owned();
    let unsigned = |header: &Value| format!("{}.{}.", part(header.to_string()), part(claims.to_string()));
    let table = [
        ("another's key", forged(json!({})), Signature),
        ("with the key in the header", forged(json!({ "jwk": evil.jwk() })), Signature),
        ("and no name", forged(json!({ "jwk": evil.jwk(), "kid": null })), Signature),
        ("with the address of a key", forged(json!({ "jku": "https://evil.example/jwks" })), Signature),
        ("of our own issuer's even", forged(json!({ "jku": format!("{ISSUER}/jwks") })), Signature),
        ("with the address of a certificate", forged(json!({ "x5u": "https://evil.example/cert" })), Signature),
        ("with a certificate", forged(json!({ "x5c": [STANDARD.encode("certificate")] })), Signature),
        ("with a thumbprint", forged(json!({ "x5t#S256": part([1; 32]) })), Signature),
        ("a name that is a path", forged(json!({ "kid": "../../../../dev/null" })), UnknownKey),
        ("a name that is a query", forged(json!({ "kid": "k1' OR '1'='1" })), UnknownKey),
        ("a name that is an address", forged(json!({ "kid": "https://evil.example/key" })), UnknownKey),
        ("a name with a null", forged(json!({ "kid": "k1\u{0}" })), UnknownKey),
        ("a name that is long", forged(json!({ "kid": "k".repeat(2_000) })), UnknownKey),
        ("RSA for a name of an elliptic key", evil_rsa.sign(&header(json!({ "alg": "RS256" })), &claims), UnknownKey),
        ("PS for RS", evil_rsa.sign(&header(json!({ "alg": "PS256", "kid": "r1" })), &claims), Signature),
        (
            "an HMAC with the public key",
            hmac_with(public.to_string().as_bytes(), &header(json!({ "alg": "HS256" })), &claims),
            Algorithm,
        ),
        (
            "an HMAC with the modulus",
            hmac_with(modulus.as_bytes(), &header(json!({ "alg": "HS256", "kid": "r1" })), &claims),
            Algorithm,
        ),
        (
            "an HMAC that calls itself a signature",
            hmac_with(modulus.as_bytes(), &header(json!({ "alg": "RS256", "kid": "r1" })), &claims),
            Signature,
        ),
        ("none", unsigned(&header(json!({ "alg": "none" }))), Algorithm),
        ("none in capitals", unsigned(&header(json!({ "alg": "NONE" }))), Algorithm),
        ("none with a name", unsigned(&header(json!({ "alg": "none", "kid": "k1" }))), Algorithm),
        ("no signature at all", unsigned(&header(json!({}))), Signature),
        (
            "an extension that must be understood",
            forged(json!({ "crit": ["jku"], "jku": "https://evil.example" })),
            Critical,
        ),
    ];
    for profile in [Profile::Rfc9068, Profile::Unmarked] {
        let verifier = verifier(&world, profile);
        for (name, token, expected) in &table {
            let result = verifier.verify(&request(), token).await.map(|_| ());
            assert_eq!(result, Err(*expected), "{name} ({profile:?})");
        }
    }
    assert!(world.source.fetches.get() <= 2, "only the issuer's keys, and no more often than names may make us");
}

/// Shows: M1
#[actix_web::test]
async fn another_token_of_the_issuer_is_no_access_token() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let now = world.now();
    let id_token = with(claims(now), json!({ "aud": "mobile-app", "nonce": "n", "at_hash": "h", "azp": "mobile-app" }));
    // An ID token whose audience somebody got the issuer to widen.
    let widened = with(id_token.clone(), json!({ "aud": ["mobile-app", AUDIENCE] }));
    let access = claims(now);
    let inner = key.sign(&json!({ "typ": "at+jwt", "alg": "ES256", "kid": "k1" }), &access);
    let header = |typ: &str| json!({ "typ": typ, "alg": "ES256", "kid": "k1" }).to_string();
    let nested = json!({ "typ": "at+jwt", "alg": "ES256", "kid": "k1", "cty": "JWT" }).to_string();
    let table = [
        ("an ID token", key.sign_text(&header("JWT"), &id_token.to_string())),
        ("an ID token for us too", key.sign_text(&header("JWT"), &widened.to_string())),
        ("an ID token that is typed so", key.sign_text(&header("id_token+jwt"), &widened.to_string())),
        ("a logout token", key.sign_text(&header("logout+jwt"), &access.to_string())),
        ("a proof of possession", key.sign_text(&header("dpop+jwt"), &access.to_string())),
        ("a request object", key.sign_text(&header("oauth-authz-req+jwt"), &access.to_string())),
        ("an introspection response", key.sign_text(&header("token-introspection+jwt"), &access.to_string())),
        ("a token within a token", key.sign_text(&nested, &inner)),
        ("a token within a token, as JSON text", key.sign_text(&nested, &json!(inner).to_string())),
        (
            "an encrypted token",
            format!("{}.{}.{}.{}.{}", part(header("at+jwt")), part("k"), part("iv"), part("c"), part("t")),
        ),
        ("a token in JSON serialization", json!({ "payload": part(access.to_string()), "signatures": [] }).to_string()),
    ];
    for profile in [Profile::Rfc9068, Profile::Unmarked] {
        let verifier = verifier(&world, profile);
        assert!(verifier.verify(&request(), &inner).await.is_ok(), "{profile:?}");
        for (name, token) in &table {
            assert!(verifier.verify(&request(), token).await.is_err(), "{name} ({profile:?})");
        }
    }
}
