//! Proofs with real keys: one that is good, and a table of bad ones.

use std::time::Duration;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::json;

use super::*;

const TOKEN: &str = "an.access.token";
const METHOD: &str = "POST";
const TARGET: &str = "https://api.example/v1/orders";

struct Phone(EcdsaKeyPair);

/// A proof that is being made: change what you like, then sign it.
struct Proof<'a> {
    phone: &'a Phone,
    header: Value,
    claims: Value,
}

impl Phone {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
    }

    fn jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "x": coordinate(&point[1..33]), "y": coordinate(&point[33..])})
    }

    fn thumbprint(&self) -> String {
        PublicKey::from_jwk(&self.jwk()).expect("a public key").thumbprint().to_owned()
    }

    fn proof(&self, stage: &Stage, jti: &str) -> Proof<'_> {
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()});
        let claims = json!({
            "jti": jti, "htm": METHOD, "htu": TARGET, "iat": stage.clock.wall().as_second(),
            "ath": URL_SAFE_NO_PAD.encode(Sha256::digest(TOKEN)), "nonce": stage.verifier.nonce(),
        });
        Proof { phone: self, header, claims }
    }
}

impl Proof<'_> {
    fn header(mut self, name: &str, value: Value) -> Self {
        set(&mut self.header, name, value);
        self
    }

    fn claim(mut self, name: &str, value: Value) -> Self {
        set(&mut self.claims, name, value);
        self
    }

    fn sign(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        self.sign_text(&format!("{}.{}", part(&self.header), part(&self.claims)))
    }

    fn sign_text(&self, signed: &str) -> String {
        let signature = self.phone.0.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Null takes a member away.
fn set(object: &mut Value, name: &str, value: Value) {
    let members = object.as_object_mut().expect("an object");
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}

struct Stage {
    verifier: DpopVerifier,
    clock: Clock,
    hand: crate::clock::ManualClock,
    phone: Phone,
}

impl Stage {
    fn new(settings: DpopSettings) -> Self {
        let (clock, hand) = Clock::manual();
        Self { verifier: DpopVerifier::new(settings, clock.clone()), clock, hand, phone: Phone::new() }
    }

    fn verify(&self, proof: &str) -> Result<VerifiedProof, DpopError> {
        let target = Url::parse(TARGET).expect("an address");
        let thumbprint = self.phone.thumbprint();
        let of = ProofOf { method: METHOD, target: &target, access_token: TOKEN, thumbprint: &thumbprint };
        self.verifier.verify(proof, &of)
    }
}

/// Shows: M4
#[test]
fn a_proof_of_this_request_by_the_key_of_the_token_holds() {
    let stage = Stage::new(DpopSettings::default());
    for (number, htu) in [TARGET, "HTTPS://API.example:443/v1/orders?page=1#top"].into_iter().enumerate() {
        let proof = stage.phone.proof(&stage, &number.to_string()).claim("htu", json!(htu)).sign();
        assert_eq!(stage.verify(&proof), Ok(VerifiedProof { next_nonce: None }), "{htu}");
    }
}

/// Shows: M4
#[test]
fn every_check_of_section_4_3_refuses_its_bad_proof() {
    let stage = Stage::new(DpopSettings::default());
    let (phone, thief) = (Phone::new(), Phone::new());
    let stage = Stage { phone, ..stage };
    let proof = || stage.phone.proof(&stage, "bad");
    let jwt = DpopError::Jwt;
    let with_key = |member: &str| {
        let mut jwk = stage.phone.jwk();
        set(&mut jwk, member, json!("AQAB"));
        jwk
    };
    let good = proof().sign();
    let (signed, _) = good.rsplit_once('.').expect("three parts");
    let hmac = {
        let key = jsonwebtoken::EncodingKey::from_secret(stage.phone.jwk().to_string().as_bytes());
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, jsonwebtoken::Algorithm::HS256);
        format!("{signed}.{}", signature.expect("a signature"))
    };
    let doubled = {
        let header = r#"{"typ":"dpop+jwt","alg":"ES256","alg":"ES256"}"#;
        proof().sign_text(&format!("{}.e30", URL_SAFE_NO_PAD.encode(header)))
    };
    let table = [
        ("2: no JWT", "garbage".to_owned(), jwt(TokenError::Malformed)),
        ("2: five parts", format!("{good}.a.b"), jwt(TokenError::Malformed)),
        ("2: too long", "a".repeat(9_000), jwt(TokenError::TooLong)),
        ("2: two algorithms", doubled, jwt(TokenError::Duplicate)),
        ("2: unknown extension", proof().header("crit", json!(["b64"])).sign(), jwt(TokenError::Critical)),
        ("3: no jti", proof().claim("jti", json!(null)).sign(), DpopError::Claim("jti")),
        ("3: empty jti", proof().claim("jti", json!("")).sign(), DpopError::Claim("jti")),
        ("3: huge jti", proof().claim("jti", json!("j".repeat(256))).sign(), DpopError::Claim("jti")),
        ("3: no htm", proof().claim("htm", json!(null)).sign(), DpopError::Claim("htm")),
        ("3: htm a list", proof().claim("htm", json!([METHOD])).sign(), DpopError::Claim("htm")),
        ("3: no htu", proof().claim("htu", json!(null)).sign(), DpopError::Claim("htu")),
        ("3: no iat", proof().claim("iat", json!(null)).sign(), DpopError::Claim("iat")),
        ("3: iat a text", proof().claim("iat", json!("now")).sign(), DpopError::Claim("iat")),
        ("3: no ath", proof().claim("ath", json!(null)).sign(), DpopError::Claim("ath")),
        ("4: no typ", proof().header("typ", json!(null)).sign(), jwt(TokenError::Type)),
        ("4: typ JWT", proof().header("typ", json!("JWT")).sign(), jwt(TokenError::Type)),
        ("4: typ at+jwt", proof().header("typ", json!("at+jwt")).sign(), jwt(TokenError::Type)),
        ("5: none", proof().header("alg", json!("none")).sign(), jwt(TokenError::Algorithm)),
        ("5: HMAC", proof().header("alg", json!("HS256")).sign(), jwt(TokenError::Algorithm)),
        ("6: no signature", format!("{signed}."), jwt(TokenError::Signature)),
        ("6: HMAC of the key", hmac, jwt(TokenError::Signature)),
        ("6: the key of another", proof().header("jwk", thief.jwk()).sign(), jwt(TokenError::Signature)),
        ("6: alg of another key", proof().header("alg", json!("ES384")).sign(), jwt(TokenError::Signature)),
        ("7: private key", proof().header("jwk", with_key("d")).sign(), DpopError::PrivateKey),
        ("7: private RSA part", proof().header("jwk", with_key("qi")).sign(), DpopError::PrivateKey),
        (
            "7: symmetric key",
            proof().header("jwk", json!({"kty": "oct", "k": "c2VjcmV0"})).sign(),
            DpopError::PrivateKey,
        ),
        ("7: no key", proof().header("jwk", json!(null)).sign(), DpopError::Key(JwkError::Malformed)),
        ("7: key by address", proof().header("jwk", json!("https://x")).sign(), DpopError::Key(JwkError::Malformed)),
        ("7: key for encryption", proof().header("jwk", with_key("use")).sign(), DpopError::Key(JwkError::Purpose)),
        ("8: another method", proof().claim("htm", json!("GET")).sign(), DpopError::Method),
        ("8: method in lower case", proof().claim("htm", json!("post")).sign(), DpopError::Method),
        ("9: another path", proof().claim("htu", json!("https://api.example/v1/order")).sign(), DpopError::Target),
        ("9: another host", proof().claim("htu", json!("https://evil.example/v1/orders")).sign(), DpopError::Target),
        ("9: plain http", proof().claim("htu", json!("http://api.example/v1/orders")).sign(), DpopError::Target),
        ("9: a user", proof().claim("htu", json!("https://a@api.example/v1/orders")).sign(), DpopError::Target),
        ("9: no address", proof().claim("htu", json!("/v1/orders")).sign(), DpopError::Target),
        ("10: no nonce", proof().claim("nonce", json!(null)).sign(), DpopError::Nonce),
        ("10: made-up nonce", proof().claim("nonce", json!("abc")).sign(), DpopError::Nonce),
        ("10: nonce a number", proof().claim("nonce", json!(1)).sign(), DpopError::Claim("nonce")),
        ("12: another token", proof().claim("ath", json!("c2hhMjU2")).sign(), DpopError::TokenHash),
        ("12: another key", thief.proof(&stage, "stolen").sign(), DpopError::Binding),
    ];
    for (what, proof, expected) in table {
        assert_eq!(stage.verify(&proof), Err(expected), "{what}");
    }
    assert!(stage.verify(&good).is_ok(), "a bad proof uses up nothing");
}

/// Shows: M4
#[test]
fn a_proof_holds_once() {
    let stage = Stage::new(DpopSettings::default());
    let proof = stage.phone.proof(&stage, "once").sign();
    assert!(stage.verify(&proof).is_ok());
    assert_eq!(stage.verify(&proof), Err(DpopError::Replayed));
    let again = stage.phone.proof(&stage, "once").claim("x", json!(1)).sign();
    assert_eq!(stage.verify(&again), Err(DpopError::Replayed), "the name counts, not the bytes");
}

/// Shows: M4
#[test]
fn a_proof_is_remembered_for_as_long_as_its_nonce_is_good() {
    let stage = Stage::new(DpopSettings::default());
    let proof = stage.phone.proof(&stage, "once").sign();
    assert!(stage.verify(&proof).is_ok());
    // The clock began on a boundary of periods, so the nonce is good for two whole ones.
    for _ in 0..239 {
        stage.hand.advance(Duration::from_secs(1));
        assert_eq!(stage.verify(&proof), Err(DpopError::Replayed));
    }
    stage.hand.advance(Duration::from_secs(1));
    assert_eq!(stage.verify(&proof), Err(DpopError::Nonce));
}

/// Shows: M4
#[test]
fn a_nonce_makes_a_phones_wrong_clock_harmless() {
    let stage = Stage::new(DpopSettings::default());
    for (jti, iat) in [("1970", 1), ("2100", 4_102_444_800_i64)] {
        let proof = stage.phone.proof(&stage, jti).claim("iat", json!(iat)).sign();
        assert!(stage.verify(&proof).is_ok(), "{jti}");
    }
}

/// Shows: M4
#[test]
fn a_nonce_of_the_last_period_is_good_and_answered_with_the_present_one() {
    let stage = Stage::new(DpopSettings::default());
    let proof = stage.phone.proof(&stage, "old").sign();
    stage.hand.advance(Duration::from_secs(120));
    assert_eq!(stage.verify(&proof), Ok(VerifiedProof { next_nonce: Some(stage.verifier.nonce()) }));
}

/// Shows: M4
#[test]
fn where_nonces_are_not_required_the_proofs_own_time_counts() {
    let stage = Stage::new(DpopSettings { require_nonce: false, ..DpopSettings::default() });
    let now = stage.clock.wall().as_second();
    for (jti, iat, expected) in [
        ("a", now - 60, None),
        ("b", now + 60, None),
        ("c", now - 61, Some(DpopError::Time)),
        ("d", now + 61, Some(DpopError::Time)),
    ] {
        let proof = stage.phone.proof(&stage, jti).claim("nonce", json!(null)).claim("iat", json!(iat)).sign();
        assert_eq!(stage.verify(&proof).err(), expected, "{jti}");
    }
    let stale = stage.phone.proof(&stage, "e").claim("nonce", json!("abc")).sign();
    assert_eq!(stage.verify(&stale), Err(DpopError::Nonce), "a nonce that is there is checked");
}

/// Shows: M4
#[test]
fn the_store_of_proofs_is_bounded_and_refuses_rather_than_forgets() {
    let stage = Stage::new(DpopSettings { max_replays: 6, ..DpopSettings::default() });
    for jti in ["1", "2", "3"] {
        assert!(stage.verify(&stage.phone.proof(&stage, jti).sign()).is_ok());
    }
    assert_eq!(stage.verify(&stage.phone.proof(&stage, "4").sign()), Err(DpopError::Full));
    assert_eq!(stage.verify(&stage.phone.proof(&stage, "1").sign()), Err(DpopError::Replayed));
    stage.hand.advance(Duration::from_secs(300));
    assert!(stage.verify(&stage.phone.proof(&stage, "4").sign()).is_ok(), "with time there is room again");
}

/// Shows: M4
#[test]
fn replicas_with_the_same_key_accept_each_others_nonces() {
    let keyed = || DpopSettings { nonce_key: Some("shared by all replicas".into()), ..DpopSettings::default() };
    let (one, other, stranger) = (Stage::new(keyed()), Stage::new(keyed()), Stage::new(DpopSettings::default()));
    assert_eq!(one.verifier.nonce(), other.verifier.nonce());
    assert_ne!(one.verifier.nonce(), stranger.verifier.nonce());
}
