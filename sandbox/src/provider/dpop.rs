//! DPoP proofs: a token that can only be used by whoever holds a key (RFC 9449).

use std::time::Duration;

use actix_web::HttpRequest;
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::ThumbprintHash;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::client_auth::ASYMMETRIC;
use super::keys::signature_only;
use super::random::{same_secret, sha256};
use super::refusal::Refusal;
use super::{Provider, ProviderError};

/// How far the proof's time may be from ours, either way, in seconds.
const SKEW: u64 = 60;

/// For how long a nonce is given out, in seconds; it is accepted for at least as long again.
const NONCE_PERIOD: u64 = 120;

/// The members of a JWK that only a private or symmetric key has (RFC 7518, 6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Makes and recognizes nonces without remembering them: a nonce is a period of time under a MAC.
pub(crate) struct Nonces(hmac::Key);

impl Nonces {
    /// With a key of its own.
    pub(crate) fn new() -> Result<Self, ProviderError> {
        let mut key = [0_u8; 32];
        rand::fill(&mut key).map_err(|_| ProviderError::Random)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The nonce to give out at `now` (seconds since the epoch).
    pub(crate) fn current(&self, now: u64) -> String {
        self.of_period(now / NONCE_PERIOD)
    }

    fn of_period(&self, period: u64) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, &period.to_be_bytes()))
    }

    fn accepts(&self, nonce: &str, now: u64) -> bool {
        let period = now / NONCE_PERIOD;
        same_secret(nonce, &self.of_period(period)) || same_secret(nonce, &self.of_period(period.saturating_sub(1)))
    }
}

#[derive(Deserialize)]
struct ProofClaims {
    jti: String,
    htm: String,
    htu: String,
    iat: u64,
    nonce: Option<String>,
    ath: Option<String>,
}

impl Provider {
    /// Checks the proof that a request to the endpoint at `path` carries, if it carries one, and returns the
    /// thumbprint of its key. `access_token` is the token that comes along at a protected resource.
    ///
    /// # Errors
    /// `invalid_dpop_proof`, or `use_dpop_nonce` with the nonce to use.
    pub(crate) fn check_proof(
        &self,
        request: &HttpRequest,
        path: &str,
        access_token: Option<&str>,
    ) -> Result<Option<String>, Refusal> {
        let mut headers = request.headers().get_all("dpop");
        let Some(proof) = headers.next() else {
            return Ok(None);
        };
        if headers.next().is_some() {
            return Err(Refusal::invalid_dpop_proof("more than one DPoP header"));
        }
        let proof = proof.to_str().map_err(|_| invalid("it is not a JWT"))?;
        let (jkt, claims) = verify(proof)?;
        if claims.htm != request.method().as_str() {
            return Err(invalid("htm is not the method"));
        }
        if !same_target(&claims.htu, &format!("{}{path}", self.issuer())) {
            return Err(invalid("htu is not the address"));
        }
        let now = self.clock().unix_seconds();
        match &claims.nonce {
            // A nonce says when the proof was made, so the sender's clock does not matter.
            Some(nonce) if self.nonces().accepts(nonce, now) => {}
            Some(_) => return Err(Refusal::use_dpop_nonce(self.nonces().current(now))),
            None if self.settings(|settings| settings.dpop_nonce_required) => {
                return Err(Refusal::use_dpop_nonce(self.nonces().current(now)));
            }
            None if claims.iat.abs_diff(now) > SKEW => return Err(invalid("iat is too far from now")),
            None => {}
        }
        if let Some(token) = access_token
            && claims.ath.as_deref() != Some(sha256(token).as_str())
        {
            return Err(invalid("ath is not the hash of the access token"));
        }
        if claims.jti.is_empty() || claims.jti.len() > 256 {
            return Err(invalid("jti is empty or too long"));
        }
        let instant = self.clock().now();
        let remembered_until = instant + Duration::from_secs(2 * NONCE_PERIOD.max(SKEW));
        let replay_key = format!("proof {jkt} {}", claims.jti);
        if !self.state(|state| state.replays.insert_new(replay_key, (), remembered_until, instant)) {
            return Err(invalid("it was used before"));
        }
        Ok(Some(jkt))
    }
}

fn invalid(why: &str) -> Refusal {
    Refusal::invalid_dpop_proof(&format!("the DPoP proof is invalid: {why}"))
}

fn verify(proof: &str) -> Result<(String, ProofClaims), Refusal> {
    let header = jsonwebtoken::decode_header(proof).map_err(|_| invalid("its header cannot be read"))?;
    if header.typ.as_deref() != Some("dpop+jwt") {
        return Err(invalid("typ is not dpop+jwt"));
    }
    if header.crit.is_some() {
        return Err(invalid("it has critical headers"));
    }
    if !ASYMMETRIC.contains(&header.alg) {
        return Err(invalid("alg is not an asymmetric algorithm that is supported"));
    }
    if has_private_members(proof) {
        return Err(invalid("jwk holds a private key"));
    }
    let jwk = header.jwk.ok_or_else(|| invalid("jwk is missing"))?;
    let jkt = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| invalid("jwk is of an unknown kind"))?;
    let key = DecodingKey::from_jwk(&jwk).map_err(|_| invalid("jwk is not a key"))?;
    let token = jsonwebtoken::decode(proof, &key, &signature_only(header.alg))
        .map_err(|_| invalid("its signature or claims are wrong"))?;
    Ok((jkt, token.claims))
}

/// Whether the key in the header has members that a public key has not. The typed header drops them.
fn has_private_members(proof: &str) -> bool {
    let header = proof.split('.').next().unwrap_or_default();
    let jwk = URL_SAFE_NO_PAD
        .decode(header)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok())
        .and_then(|header| header.get("jwk").cloned());
    jwk.is_none_or(|jwk| PRIVATE_MEMBERS.iter().any(|member| jwk.get(member).is_some()))
}

/// Whether `htu` is `expected`, query and fragment aside (RFC 9449, 4.3).
fn same_target(htu: &str, expected: &str) -> bool {
    let (Ok(mut htu), Ok(expected)) = (Url::parse(htu), Url::parse(expected)) else {
        return false;
    };
    htu.set_query(None);
    htu.set_fragment(None);
    htu == expected
}
