//! A client's own key: for `private_key_jwt` and for DPoP proofs.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// An ES256 key pair of a client.
pub struct ClientKey {
    pair: EcdsaKeyPair,
    encoding: EncodingKey,
    pub jwk: Jwk,
}

impl ClientKey {
    /// A fresh key.
    pub fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let encoding = EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("PKCS#8").as_ref());
        let jwk = Jwk::from_encoding_key(&encoding, Algorithm::ES256).expect("a JWK");
        Self { pair, encoding, jwk }
    }

    /// The public half as a set.
    pub fn set(&self) -> JwkSet {
        JwkSet { keys: vec![self.jwk.clone()] }
    }

    /// The thumbprint.
    pub fn jkt(&self) -> String {
        self.jwk.thumbprint(ThumbprintHash::SHA256).expect("a thumbprint")
    }

    /// A JWT without anything in its header but the algorithm.
    pub fn sign(&self, claims: &Value) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::ES256), claims, &self.encoding).expect("a signature")
    }

    /// A DPoP proof whose header is taken as it is: the typed one would drop the private members of a key.
    pub fn proof_with_raw_header(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A DPoP proof, with claims and header members replaced; null leaves one out.
    pub fn proof(&self, defaults: Value, claim_changes: Value, header_changes: Value) -> String {
        let header = merged(json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk }), header_changes);
        let header: Header = serde_json::from_value(header).expect("a header");
        jsonwebtoken::encode(&header, &merged(defaults, claim_changes), &self.encoding).expect("a signature")
    }
}

fn merged(base: Value, changes: Value) -> Value {
    let (Value::Object(mut base), Value::Object(changes)) = (base, changes) else { panic!("two objects") };
    base.extend(changes);
    base.retain(|_, value| !value.is_null());
    Value::Object(base)
}
