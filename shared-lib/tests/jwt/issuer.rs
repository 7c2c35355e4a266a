//! An issuer in a test's hand: real keys of every kind, and a key set that can be rotated, emptied, delayed and taken
//! away.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use serde_json::{Value, json};
use shared_lib::{
    clock::{Clock, ManualClock},
    context::RequestContext,
    downstream::budget::RequestBudget,
    jwt::{Jwks, JwksError, JwksSource, KeySet, KeySetSettings, Keys},
};
use tokio::sync::Notify;

/// The issuer's name.
pub const ISSUER: &str = "https://id.example";
/// The audience of its access tokens.
pub const AUDIENCE: &str = "bff-mobile";

/// A private key with its name.
pub struct SigningKey {
    pub kid: &'static str,
    pair: Pair,
}

enum Pair {
    Ec(&'static str, EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
    Ed(Ed25519KeyPair),
}

/// Text as a part of a token.
pub fn part(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

impl SigningKey {
    pub fn p256(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { kid, pair: Pair::Ec("P-256", pair) }
    }

    pub fn p384(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key");
        Self { kid, pair: Pair::Ec("P-384", pair) }
    }

    pub fn rsa(kid: &'static str) -> Self {
        Self { kid, pair: Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))) }
    }

    pub fn ed25519(kid: &'static str) -> Self {
        Self { kid, pair: Pair::Ed(Ed25519KeyPair::generate().expect("a key")) }
    }

    /// The public half, without `alg` and `use`.
    pub fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Ec(curve, pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "kid": self.kid, "x": part(x), "y": part(y) })
            }
            Pair::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "kid": self.kid, "n": part(public.n), "e": part(public.e) })
            }
            Pair::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": part(pair.public_key().as_ref()) })
            }
        }
    }

    /// Signs header and claims as they are written. An RSA key signs with PKCS #1 padding unless the header says PS256.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let bytes = message.as_bytes();
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ec(_, pair) => pair.sign(&random, bytes).expect("a signature").as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding =
                    if header.contains("PS256") { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, bytes, &mut signature).expect("a signature");
                signature
            }
            Pair::Ed(pair) => pair.sign(bytes).as_ref().to_vec(),
        };
        format!("{message}.{}", part(signature))
    }

    /// Signs header and claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

/// Where the keys are "fetched" from. Clones share everything.
#[derive(Clone, Default)]
pub struct Source {
    pub keys: Rc<RefCell<Vec<Value>>>,
    pub fetches: Rc<Cell<usize>>,
    pub away: Rc<Cell<bool>>,
    /// When set, a fetch waits here until it is told to go on.
    pub gate: Rc<RefCell<Option<Rc<Notify>>>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the issuer is away")]
struct Away;

impl JwksSource for Source {
    fn fetch<'a>(&'a self, _: &'a RequestContext) -> LocalBoxFuture<'a, Result<Jwks, JwksError>> {
        async move {
            self.fetches.set(self.fetches.get() + 1);
            let gate = self.gate.borrow().clone();
            if let Some(gate) = gate {
                gate.notified().await;
            }
            if self.away.get() { Err(JwksError::new(Away)) } else { Ok(Jwks { keys: self.keys.borrow().clone() }) }
        }
        .boxed_local()
    }
}

/// A key set with its source, at a time that the test moves.
pub struct World {
    pub source: Source,
    pub keys: Keys,
    pub clock: Clock,
    pub hand: ManualClock,
}

impl World {
    pub fn new(keys: &[&SigningKey]) -> Self {
        Self::with_settings(keys, KeySetSettings::default())
    }

    pub fn with_settings(keys: &[&SigningKey], settings: KeySetSettings) -> Self {
        let (clock, hand) = Clock::manual();
        let source = Source::default();
        source.keys.borrow_mut().extend(keys.iter().map(|key| key.jwk()));
        let keys = Keys::new(KeySet::new(settings, clock.clone()), Rc::new(source.clone()));
        Self { source, keys, clock, hand }
    }

    /// The time in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.clock.wall().as_second()
    }
}

/// A request with five seconds to live.
pub fn request() -> RequestContext {
    RequestContext::background(RequestBudget::starting_now(Duration::from_secs(5)))
}
