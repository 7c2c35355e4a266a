//! Access tokens under the strict profile: a good one passes, and each way to be bad is refused for its own reason.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use shared_lib::jwt::{AccessTokenSettings, AccessTokenVerifier, Algorithm, MAX_TOKEN_BYTES, TokenError};

use super::issuer::{AUDIENCE, ISSUER, SigningKey, World, part, request};

/// The claims of a good token, issued a moment ago.
pub fn claims(now: i64) -> Value {
    json!({
        "iss": ISSUER, "sub": "usr_alice", "aud": AUDIENCE, "client_id": "mobile-app", "jti": "t1",
        "iat": now - 10, "exp": now + 290, "scope": "orders:read orders:write", "auth_time": now - 100,
        "acr": "urn:sandbox:pwd", "sid": "s1", "cnf": { "jkt": "thumb" },
    })
}

fn header() -> Value {
    json!({ "typ": "at+jwt", "alg": "ES256", "kid": "k1" })
}

/// One object with members of another over it; null takes one out.
pub fn with(base: Value, changes: Value) -> Value {
    let (Value::Object(mut base), Value::Object(changes)) = (base, changes) else { panic!("two objects") };
    for (name, value) in changes {
        match value {
            Value::Null => base.remove(&name),
            value => base.insert(name, value),
        };
    }
    Value::Object(base)
}

fn verifier(world: &World) -> AccessTokenVerifier {
    AccessTokenVerifier::new(AccessTokenSettings::new(ISSUER, AUDIENCE), world.keys.clone(), world.clock.clone())
}

/// Shows: M1
#[actix_web::test]
async fn a_good_token_is_believed_and_its_claims_are_typed() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let now = world.now();
    let token = key.sign(&header(), &claims(now));
    let claims = verifier(&world).verify(&request(), &token).await.expect("a good token");
    assert_eq!(claims.subject, "usr_alice");
    assert_eq!(claims.client_id, "mobile-app");
    assert_eq!(claims.scopes, ["orders:read", "orders:write"]);
    assert!(claims.has_scope("orders:read") && !claims.has_scope("orders"));
    assert_eq!(claims.jti, "t1");
    assert_eq!(claims.issued_at.as_second(), now - 10);
    assert_eq!(claims.expires_at.as_second(), now + 290);
    assert_eq!(claims.auth_time.map(Timestamp::as_second), Some(now - 100));
    assert_eq!(claims.acr.as_deref(), Some("urn:sandbox:pwd"));
    assert_eq!(claims.session_id.as_deref(), Some("s1"));
    assert_eq!(claims.cnf_jkt.as_deref(), Some("thumb"));
    let shown = format!("{claims:?}");
    assert!(!shown.contains("usr_alice") && !shown.contains("s1"), "{shown}");
}

/// Shows: M1
#[actix_web::test]
async fn what_may_differ_between_good_tokens_may_differ() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let now = world.now();
    let good = [
        (json!({ "typ": "application/at+jwt" }), json!({})),
        (json!({ "typ": "AT+JWT" }), json!({})),
        // Keys and addresses of keys in a header are not even read.
        (json!({ "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x", "x5c": ["AAAA"] }), json!({})),
        (json!({ "jwk": SigningKey::p256("evil").jwk() }), json!({})),
        // Without a name, the one key that fits.
        (json!({ "kid": null }), json!({})),
        (json!({}), json!({ "aud": ["other", AUDIENCE] })),
        (json!({}), json!({ "scope": null, "auth_time": null, "acr": null, "sid": null, "cnf": null })),
        (json!({}), json!({ "scope": "" })),
        (json!({}), json!({ "nbf": now })),
        (json!({}), json!({ "exp": now as f64 + 100.5 })),
        (json!({}), json!({ "unknown": { "a": [1] } })),
        // Clocks may be 30 seconds apart by default.
        (json!({}), json!({ "exp": now - 29, "iat": now - 100 })),
        (json!({}), json!({ "iat": now + 30 })),
        (json!({}), json!({ "nbf": now + 30 })),
        (json!({}), json!({ "iat": now, "exp": now + 86_400 })),
    ];
    for (header_changes, claim_changes) in good {
        let token = key.sign(&with(header(), header_changes.clone()), &with(claims(now), claim_changes.clone()));
        let result = verifier(&world).verify(&request(), &token).await;
        assert!(result.is_ok(), "{result:?} for {header_changes} {claim_changes}");
    }
}

/// Shows: M1
#[actix_web::test]
async fn every_claim_and_header_that_is_wrong_is_refused_for_its_own_reason() {
    use TokenError::*;
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let now = world.now();
    let long = "x".repeat(256);
    let mut bad = vec![
        // The header.
        (json!({ "typ": null }), json!({}), Type),
        (json!({ "typ": "JWT" }), json!({}), Type),
        (json!({ "typ": "" }), json!({}), Type),
        (json!({ "typ": "id+jwt" }), json!({}), Type),
        (json!({ "typ": "logout+jwt" }), json!({}), Type),
        (json!({ "typ": "dpop+jwt" }), json!({}), Type),
        (json!({ "typ": "text/at+jwt" }), json!({}), Type),
        (json!({ "typ": "application/application/at+jwt" }), json!({}), Type),
        (json!({ "typ": 1 }), json!({}), Malformed),
        (json!({ "alg": "none" }), json!({}), Algorithm),
        (json!({ "alg": "None" }), json!({}), Algorithm),
        (json!({ "alg": "HS256" }), json!({}), Algorithm),
        (json!({ "alg": "es256" }), json!({}), Algorithm),
        (json!({ "alg": "ES512" }), json!({}), Algorithm),
        (json!({ "alg": null }), json!({}), Malformed),
        (json!({ "alg": 256 }), json!({}), Malformed),
        (json!({ "alg": "ES384" }), json!({}), UnknownKey),
        (json!({ "alg": "RS256" }), json!({}), UnknownKey),
        (json!({ "kid": "k2" }), json!({}), UnknownKey),
        (json!({ "kid": "K1" }), json!({}), UnknownKey),
        (json!({ "kid": "" }), json!({}), UnknownKey),
        (json!({ "kid": ["k1"] }), json!({}), Malformed),
        (json!({ "crit": ["exp"] }), json!({}), Critical),
        (json!({ "crit": ["b64"], "b64": false }), json!({}), Critical),
        (json!({ "crit": [] }), json!({}), Critical),
        (json!({ "crit": "b64" }), json!({}), Critical),
        // Whose and for whom.
        (json!({}), json!({ "iss": "https://id.example/" }), Issuer),
        (json!({}), json!({ "iss": "https://ID.example" }), Issuer),
        (json!({}), json!({ "iss": "https://evil.example" }), Issuer),
        (json!({}), json!({ "iss": [ISSUER] }), Claim("iss")),
        (json!({}), json!({ "iss": "" }), Claim("iss")),
        (json!({}), json!({ "aud": "other" }), Audience),
        (json!({}), json!({ "aud": ["other"] }), Audience),
        (json!({}), json!({ "aud": "bff-mobile " }), Audience),
        (json!({}), json!({ "aud": "bff-mobile,other" }), Audience),
        (json!({}), json!({ "aud": [] }), Claim("aud")),
        (json!({}), json!({ "aud": [AUDIENCE, 1] }), Claim("aud")),
        (json!({}), json!({ "aud": { "bff-mobile": true } }), Claim("aud")),
        (json!({}), json!({ "aud": true }), Claim("aud")),
        // Who.
        (json!({}), json!({ "sub": "" }), Claim("sub")),
        (json!({}), json!({ "sub": 7 }), Claim("sub")),
        (json!({}), json!({ "sub": long }), Claim("sub")),
        (json!({}), json!({ "client_id": ["mobile-app"] }), Claim("client_id")),
        (json!({}), json!({ "client_id": "" }), Claim("client_id")),
        (json!({}), json!({ "client_id": null, "azp": "mobile-app" }), Missing("client_id")),
        (json!({}), json!({ "jti": 1 }), Claim("jti")),
        (json!({}), json!({ "jti": "" }), Claim("jti")),
        // When.
        (json!({}), json!({ "exp": now - 30 }), Expired),
        (json!({}), json!({ "exp": 0 }), Expired),
        (json!({}), json!({ "exp": (now + 290).to_string() }), Claim("exp")),
        (json!({}), json!({ "exp": -1 }), Claim("exp")),
        (json!({}), json!({ "exp": true }), Claim("exp")),
        (json!({}), json!({ "exp": u64::MAX }), Claim("exp")),
        (json!({}), json!({ "exp": 1e300 }), Claim("exp")),
        (json!({}), json!({ "exp": now + 100_000 }), Lifetime),
        (json!({}), json!({ "iat": now - 90_000 }), Lifetime),
        (json!({}), json!({ "iat": now + 20, "exp": now + 20 }), Lifetime),
        (json!({}), json!({ "iat": now + 20, "exp": now + 10 }), Lifetime),
        (json!({}), json!({ "iat": now + 31 }), IssuedInFuture),
        (json!({}), json!({ "iat": "now" }), Claim("iat")),
        (json!({}), json!({ "nbf": now + 31 }), NotYetValid),
        (json!({}), json!({ "nbf": "later" }), Claim("nbf")),
        // What else is said must be well said.
        (json!({}), json!({ "scope": ["orders:read"] }), Claim("scope")),
        (json!({}), json!({ "auth_time": "early" }), Claim("auth_time")),
        (json!({}), json!({ "acr": 2 }), Claim("acr")),
        (json!({}), json!({ "sid": 3 }), Claim("sid")),
        (json!({}), json!({ "cnf": "thumb" }), Claim("cnf")),
        (json!({}), json!({ "cnf": { "x5t#S256": "abc" } }), Binding),
        (json!({}), json!({ "cnf": { "jkt": "thumb", "x5t#S256": "abc" } }), Binding),
        (json!({}), json!({ "cnf": { "jkt": 1 } }), Binding),
        (json!({}), json!({ "cnf": { "jkt": "" } }), Binding),
        (json!({}), json!({ "cnf": {} }), Binding),
    ];
    for name in ["iss", "aud", "sub", "client_id", "jti", "iat", "exp"] {
        let mut changes = Map::new();
        changes.insert(name.to_owned(), Value::Null);
        bad.push((json!({}), Value::Object(changes), Missing(name)));
    }
    assert!(bad.len() >= 70, "{} rows", bad.len());
    for (header_changes, claim_changes, expected) in bad {
        let token = key.sign(&with(header(), header_changes.clone()), &with(claims(now), claim_changes.clone()));
        let result = verifier(&world).verify(&request(), &token).await.map(|_| ());
        assert_eq!(result, Err(expected), "for {header_changes} {claim_changes}");
    }
}

/// Shows: M1
#[actix_web::test]
async fn a_token_whose_text_is_bent_is_refused() {
    use TokenError::*;
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let (header, claims) = (header().to_string(), claims(world.now()).to_string());
    let good = key.sign_text(&header, &claims);
    let parts: Vec<&str> = good.split('.').collect();
    let (h, c, s) = (parts[0], parts[1], parts[2]);
    let flipped = |text: &str| text.chars().rev().collect::<String>();
    let twice = |name: &str| claims.replacen('{', &format!("{{\"{name}\":\"x\","), 1);
    let bad = [
        (format!("{h}.{c}."), Signature),
        (format!("{h}.{c}"), Malformed),
        (format!("{h}..{s}"), Signature),
        (format!(".{c}.{s}"), Malformed),
        (format!("{good}."), Malformed),
        (format!("{good}.{s}"), Malformed),
        (format!("{good}="), Signature),
        (format!(" {good}"), Malformed),
        (format!("{good}\n"), Signature),
        (format!("{h}.{c}.{}", flipped(s)), Signature),
        (format!("{h}.{c}.{}", part([0; 64])), Signature),
        (format!("{h}.{c}.{}", part([0; 63])), Signature),
        (format!("{h}.{}.{s}", part(claims.replace("usr_alice", "usr_bob"))), Signature),
        (format!("{}.{c}.{s}", part(header.replace("k1", "k1\",\"x\":\"y"))), Signature),
        (key.sign_text(&header, &twice("sub")), Duplicate),
        (key.sign_text(&header, &twice("aud")), Duplicate),
        (key.sign_text(&header, &twice("anything").replace("anything\":\"x\"", "cnf\":{}")), Duplicate),
        (key.sign_text(&header.replacen('{', "{\"alg\":\"ES256\",", 1), &claims), Duplicate),
        (key.sign_text(&header.replacen('{', "{\"kid\":\"k9\",", 1), &claims), Duplicate),
        (key.sign_text(&header, "[]"), Malformed),
        (key.sign_text(&header, "not json"), Malformed),
        (key.sign_text(&header, "{}"), Missing("iss")),
        (
            key.sign_text(
                &header,
                &claims.replacen('{', &format!("{{\"pad\":\"{}\",", "x".repeat(MAX_TOKEN_BYTES)), 1),
            ),
            TooLong,
        ),
        (SigningKey::p256("k1").sign_text(&header, &claims), Signature),
        (String::new(), Malformed),
        ("..".to_owned(), Malformed),
        ("Bearer".to_owned(), Malformed),
    ];
    assert_eq!(verifier(&world).verify(&request(), &good).await.map(|_| ()), Ok(()));
    for (token, expected) in bad {
        let result = verifier(&world).verify(&request(), &token).await.map(|_| ());
        assert_eq!(result, Err(expected), "for {token:.80}");
    }
}

/// Shows: M1
#[actix_web::test]
async fn every_asymmetric_algorithm_is_verified_and_only_those_on_the_allowlist_are_accepted() {
    let keys = [
        (SigningKey::p256("ec"), "ES256", Algorithm::Es256),
        (SigningKey::p384("ec384"), "ES384", Algorithm::Es384),
        (SigningKey::ed25519("ed"), "EdDSA", Algorithm::EdDsa),
        (SigningKey::rsa("rsa"), "RS256", Algorithm::Rs256),
        (SigningKey::rsa("pss"), "PS256", Algorithm::Ps256),
    ];
    let world = World::new(&keys.iter().map(|(key, ..)| key).collect::<Vec<_>>());
    for (key, name, algorithm) in &keys {
        let header = json!({ "typ": "at+jwt", "alg": name, "kid": key.kid });
        let token = key.sign(&header, &claims(world.now()));
        let mut settings = AccessTokenSettings::new(ISSUER, AUDIENCE);
        settings.algorithms = vec![*algorithm];
        let only = AccessTokenVerifier::new(settings.clone(), world.keys.clone(), world.clock.clone());
        assert_eq!(only.verify(&request(), &token).await.map(|_| ()), Ok(()), "{name}");
        settings.algorithms = Algorithm::ALL.into_iter().filter(|other| other != algorithm).collect();
        let others = AccessTokenVerifier::new(settings, world.keys.clone(), world.clock.clone());
        assert_eq!(others.verify(&request(), &token).await.map(|_| ()), Err(TokenError::Algorithm), "{name}");
    }
}

/// Shows: M1
#[actix_web::test]
async fn clocks_may_be_a_minute_apart_at_most_whatever_is_configured() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let now = world.now();
    let mut settings = AccessTokenSettings::new(ISSUER, AUDIENCE);
    settings.clock_skew = Duration::from_secs(3600);
    let verifier = AccessTokenVerifier::new(settings, world.keys.clone(), world.clock.clone());
    for (changes, expected) in [
        (json!({ "iat": now - 100, "exp": now - 59 }), Ok(())),
        (json!({ "iat": now - 100, "exp": now - 60 }), Err(TokenError::Expired)),
        (json!({ "iat": now + 60 }), Ok(())),
        (json!({ "iat": now + 61 }), Err(TokenError::IssuedInFuture)),
        (json!({ "nbf": now + 61 }), Err(TokenError::NotYetValid)),
    ] {
        let token = key.sign(&header(), &with(claims(now), changes.clone()));
        assert_eq!(verifier.verify(&request(), &token).await.map(|_| ()), expected, "{changes}");
    }
}
