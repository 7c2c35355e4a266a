//! Which JSON Web Keys are used, and for what.

use serde_json::{Value, json};
use shared_lib::jwt::{Algorithm, JwkError, PublicKey};

use super::{
    access_tokens::with,
    issuer::{SigningKey, part},
};

fn allowed(jwk: &Value) -> Result<Vec<Algorithm>, JwkError> {
    let key = PublicKey::from_jwk(jwk)?;
    Ok(Algorithm::ALL.into_iter().filter(|algorithm| key.allows(*algorithm)).collect())
}

/// Shows: M1, M2
#[test]
fn a_key_without_an_algorithm_is_good_for_those_of_its_type_and_with_one_for_that_alone() {
    use Algorithm::*;
    let (p256, p384, rsa, ed) = (
        SigningKey::p256("a").jwk(),
        SigningKey::p384("b").jwk(),
        SigningKey::rsa("c").jwk(),
        SigningKey::ed25519("d").jwk(),
    );
    assert_eq!(allowed(&p256), Ok(vec![Es256]));
    assert_eq!(allowed(&p384), Ok(vec![Es384]));
    assert_eq!(allowed(&ed), Ok(vec![EdDsa]));
    assert_eq!(allowed(&rsa), Ok(vec![Rs256, Rs384, Rs512, Ps256, Ps384, Ps512]));
    assert_eq!(allowed(&with(rsa.clone(), json!({ "alg": "PS256" }))), Ok(vec![Ps256]));
    assert_eq!(allowed(&with(ed, json!({ "alg": "Ed25519" }))), Ok(vec![EdDsa]));
    for (jwk, alg) in
        [(&rsa, "ES256"), (&rsa, "HS256"), (&rsa, "RSA-OAEP"), (&rsa, "none"), (&p256, "ES384"), (&p256, "RS256")]
    {
        assert_eq!(allowed(&with(jwk.clone(), json!({ "alg": alg }))), Err(JwkError::Purpose), "{alg}");
    }
}

/// Shows: M1, M2
#[test]
fn keys_for_something_else_and_secret_keys_are_not_used() {
    let good = SigningKey::p256("a").jwk();
    let rsa = SigningKey::rsa("b").jwk();
    for (jwk, expected) in [
        (json!({ "kty": "oct", "k": part([7; 32]), "kid": "a" }), JwkError::Unsupported),
        (json!({ "kty": "oct", "k": part([7; 32]), "alg": "HS256", "use": "sig" }), JwkError::Unsupported),
        (with(good.clone(), json!({ "use": "enc" })), JwkError::Purpose),
        (with(good.clone(), json!({ "key_ops": ["encrypt"] })), JwkError::Purpose),
        (with(good.clone(), json!({ "key_ops": [] })), JwkError::Purpose),
        (with(good.clone(), json!({ "d": part([1; 32]) })), JwkError::Private),
        (with(rsa.clone(), json!({ "d": part([1; 256]) })), JwkError::Private),
        (with(good.clone(), json!({ "crv": "P-521" })), JwkError::Unsupported),
        (with(good.clone(), json!({ "crv": "secp256k1" })), JwkError::Unsupported),
        (with(good.clone(), json!({ "crv": "P-384" })), JwkError::Malformed),
        (with(good.clone(), json!({ "x": part([1; 31]) })), JwkError::Malformed),
        (with(good.clone(), json!({ "y": null })), JwkError::Malformed),
        (with(good.clone(), json!({ "x": "***" })), JwkError::Malformed),
        (with(good.clone(), json!({ "kid": 7 })), JwkError::Malformed),
        (with(rsa.clone(), json!({ "n": part([255; 128]) })), JwkError::Size),
        (with(rsa.clone(), json!({ "n": part([255; 1025]) })), JwkError::Size),
        (with(rsa, json!({ "e": part([1; 9]) })), JwkError::Size),
        (json!({ "kty": "OKP", "crv": "X25519", "x": part([1; 32]) }), JwkError::Unsupported),
        (json!({ "kty": "OKP", "crv": "Ed25519", "x": part([1; 31]) }), JwkError::Malformed),
        (json!({}), JwkError::Malformed),
        (json!("key"), JwkError::Malformed),
    ] {
        assert_eq!(allowed(&jwk), Err(expected), "{jwk}");
    }
    assert!(allowed(&with(good, json!({ "use": "sig", "key_ops": ["verify"] }))).is_ok());
}

/// Shows: M4
#[test]
fn the_thumbprint_is_the_one_of_the_standard() {
    // RFC 7638 section 3.1.
    let jwk = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    let key = PublicKey::from_jwk(&jwk).expect("the standard's key");
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(key.key_id(), Some("2011-04-29"));
}
