//! DPoP proofs (RFC 9449): an access token that is bound to a key is worth nothing without a proof, made for this very
//! request, that its bearer holds the key.
//!
//! [`DpopVerifier::verify`] makes the checks of section 4.3, of which the first (one `DPoP` header) is the caller's,
//! because it sees the headers. The checks that cost nothing come first, the signature after them, and the store of
//! proofs that were seen last, so that only holders of a bound token can put anything into it.
//!
//! # Nonces
//! Phones' clocks are wrong by minutes and hours. A nonce of this service says by itself when a proof was made, so with
//! one the proof's `iat` is not compared with our clock at all (section 11.1 permits it). Nonces are not remembered:
//! one is a period of time under a MAC, good for its period and the next.
//!
//! # Replicas
//! With the same `nonce_key`, replicas accept each other's nonces; with keys of their own, a change of the replica costs
//! a round trip. The store of seen proofs is this process's own: a proof that is stolen on its way could be shown to
//! another replica once more while its nonce is good, for the same method and address.

mod nonces;
mod replays;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;

use self::{
    nonces::{Age, Nonces},
    replays::Replays,
};
use super::{
    Algorithm, Compact, JwkError, PublicKey, TokenError,
    claims::{Claims, seconds},
    strict_json,
};
use crate::{clock::Clock, settings::Secret};

/// The members of a JSON Web Key that only a private or symmetric one has (RFC 7518 section 6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// How proofs are checked.
#[derive(Debug, Clone)]
pub struct DpopSettings {
    /// The algorithms that are allowed.
    pub algorithms: Vec<Algorithm>,
    /// Whether a proof without a nonce is refused.
    pub require_nonce: bool,
    /// How long a nonce is given out; it is good for as long again. At least a second.
    pub nonce_period: Duration,
    /// How far the time of a proof without a nonce may be from ours, either way.
    pub max_age: Duration,
    /// How many proofs are remembered.
    pub max_replays: usize,
    /// What nonces are made with; none: a key of this process alone.
    pub nonce_key: Option<Secret>,
}

impl Default for DpopSettings {
    fn default() -> Self {
        Self {
            algorithms: Algorithm::ALL.to_vec(),
            require_nonce: true,
            nonce_period: Duration::from_secs(120),
            max_age: Duration::from_secs(60),
            max_replays: 100_000,
            nonce_key: None,
        }
    }
}

/// What a proof has to be for.
#[derive(Clone, Copy)]
pub struct ProofOf<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's address as its client sees it; query and fragment do not count.
    pub target: &'a Url,
    /// The access token that came with it.
    pub access_token: &'a str,
    /// The thumbprint of the key that the token is bound to (`cnf.jkt`).
    pub thumbprint: &'a str,
}

/// A proof that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedProof {
    /// The nonce to use from now on, where the proof's own is not the present one.
    pub next_nonce: Option<String>,
}

/// Why a proof is refused. The text fits an `error_description`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DpopError {
    /// It is no JWT as it should be: its form, `typ`, algorithm or signature (checks 2, 4, 5 and 6).
    #[error("the DPoP proof is no valid JWT: {0}")]
    Jwt(#[source] TokenError),
    /// The header has no key, or one that cannot be used.
    #[error("the key of the DPoP proof is not usable")]
    Key(#[source] JwkError),
    /// The header has a private key (check 7).
    #[error("the DPoP proof carries a private key")]
    PrivateKey,
    /// A claim is missing, or not what it should be (check 3).
    #[error("the claim {0} of the DPoP proof is missing or malformed")]
    Claim(&'static str),
    /// Another method (check 8).
    #[error("the DPoP proof is for another method")]
    Method,
    /// Another address (check 9).
    #[error("the DPoP proof is for another address")]
    Target,
    /// No nonce, or one that is not good any more (check 10). The answer carries one that is.
    #[error("the DPoP proof needs a fresh nonce")]
    Nonce,
    /// Too old, or from the future (check 11).
    #[error("the DPoP proof was not made just now")]
    Time,
    /// For another access token (check 12).
    #[error("the DPoP proof is for another access token")]
    TokenHash,
    /// By another key than the one that the token is bound to (check 12).
    #[error("the DPoP proof is by another key than the token is bound to")]
    Binding,
    /// It was seen before (section 11.1).
    #[error("the DPoP proof was used before")]
    Replayed,
    /// No more proofs can be remembered at the moment. Not the proof's fault.
    #[error("no more DPoP proofs can be remembered")]
    Full,
}

/// Checks proofs. Cheap to clone; all clones share the nonces and the store of proofs that were seen.
#[derive(Clone)]
pub struct DpopVerifier(Arc<Shared>);

struct Shared {
    settings: DpopSettings,
    nonces: Nonces,
    replays: Replays,
    clock: Clock,
}

impl DpopVerifier {
    /// A verifier that has seen nothing yet.
    #[must_use]
    pub fn new(settings: DpopSettings, clock: Clock) -> Self {
        // Named, because a process into which two back ends are compiled has no default one. An error means that one
        // is installed already, which is as good.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let nonces = Nonces::new(settings.nonce_key.as_ref(), settings.nonce_period);
        // The longest that any proof can be good for.
        let window = (settings.nonce_period * 2).max(settings.max_age * 2) + Duration::from_secs(1);
        let replays = Replays::new(window, settings.max_replays, clock.now());
        Self(Arc::new(Shared { settings, nonces, replays, clock }))
    }

    /// The nonce to give out now.
    #[must_use]
    pub fn nonce(&self) -> String {
        self.0.nonces.current(self.0.clock.wall())
    }

    /// The algorithms that are allowed, for the challenge (section 7.1).
    #[must_use]
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.0.settings.algorithms
    }

    /// Checks a proof, and remembers it.
    ///
    /// # Errors
    /// The first fault that is found. [`DpopError::Full`] is not the proof's fault.
    pub fn verify(&self, proof: &str, of: &ProofOf<'_>) -> Result<VerifiedProof, DpopError> {
        let shared = &*self.0;
        let key = shared.key_of(proof)?;
        let claims = key.1;
        let claims = Claims(&claims);
        let jti = claims.name("jti").map_err(|_| DpopError::Claim("jti"))?;
        if required(&claims, "htm")? != of.method {
            return Err(DpopError::Method);
        }
        if !is_same_target(required(&claims, "htu")?, of.target) {
            return Err(DpopError::Target);
        }
        let made_at = claims.required_moment("iat").map_err(|_| DpopError::Claim("iat"))?;
        let nonce = claims.text("nonce").map_err(|_| DpopError::Claim("nonce"))?;
        let now = shared.clock.wall();
        let next_nonce = shared.check_time(nonce, made_at, now)?;
        let expected = URL_SAFE_NO_PAD.encode(Sha256::digest(of.access_token));
        if !is_same(required(&claims, "ath")?, &expected) {
            return Err(DpopError::TokenHash);
        }
        if !is_same(key.0.thumbprint(), of.thumbprint) {
            return Err(DpopError::Binding);
        }
        shared.replays.remember(key.0.thumbprint(), jti, shared.clock.now())?;
        Ok(VerifiedProof { next_nonce })
    }
}

impl Shared {
    /// The key in the header, and the claims that it signed.
    fn key_of(&self, proof: &str) -> Result<(PublicKey, Map<String, Value>), DpopError> {
        let token = Compact::parse(proof).map_err(DpopError::Jwt)?;
        let header = token.header().map_err(DpopError::Jwt)?;
        if header.typ.as_deref() != Some("dpop+jwt") {
            return Err(DpopError::Jwt(TokenError::Type));
        }
        if !self.settings.algorithms.contains(&header.algorithm) {
            return Err(DpopError::Jwt(TokenError::Algorithm));
        }
        let jwk = key_in_header(proof)?;
        if PRIVATE_MEMBERS.iter().any(|member| jwk.get(member).is_some()) {
            return Err(DpopError::PrivateKey);
        }
        let key = PublicKey::from_jwk(&jwk).map_err(DpopError::Key)?;
        let claims = token.verified_claims(&key, header.algorithm).map_err(DpopError::Jwt)?;
        Ok((key, claims))
    }

    /// Whether it was made just now, by its nonce or, without one, by its own clock. Gives the nonce to go on with.
    fn check_time(&self, nonce: Option<&str>, made_at: Timestamp, now: Timestamp) -> Result<Option<String>, DpopError> {
        match nonce.map(|nonce| self.nonces.age(nonce, now)) {
            Some(Age::Present) => Ok(None),
            Some(Age::Last) => Ok(Some(self.nonces.current(now))),
            Some(Age::Past) => Err(DpopError::Nonce),
            None if self.settings.require_nonce => Err(DpopError::Nonce),
            None => {
                let distance = made_at.as_second().abs_diff(now.as_second());
                let most = u64::try_from(seconds(self.settings.max_age)).unwrap_or(0);
                if distance > most { Err(DpopError::Time) } else { Ok(Some(self.nonces.current(now))) }
            }
        }
    }
}

/// The member `jwk`, which no other verifier reads: only here does a token bring its own key, and it proves nothing but
/// that its maker holds it.
fn key_in_header(proof: &str) -> Result<Value, DpopError> {
    let header = proof.split('.').next().unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| DpopError::Jwt(TokenError::Malformed))?;
    let mut members = strict_json::object(&bytes).map_err(DpopError::Jwt)?;
    members.remove("jwk").filter(Value::is_object).ok_or(DpopError::Key(JwkError::Malformed))
}

fn required<'a>(claims: &Claims<'a>, name: &'static str) -> Result<&'a str, DpopError> {
    claims.text(name).ok().flatten().ok_or(DpopError::Claim(name))
}

/// Compares after the normalization of RFC 3986 sections 6.2.2 and 6.2.3, without query and fragment.
fn is_same_target(htu: &str, target: &Url) -> bool {
    let Ok(mut htu) = Url::parse(htu) else { return false };
    let mut target = target.clone();
    for url in [&mut htu, &mut target] {
        url.set_query(None);
        url.set_fragment(None);
    }
    htu == target
}

fn is_same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}
