//! Client authentication: none, `client_secret_basic`, `client_secret_post`, `private_key_jwt`.

use std::time::{Duration, UNIX_EPOCH};

use actix_web::HttpRequest;
use actix_web::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

use super::Provider;
use super::clients::Client;
use super::keys::signature_only;
use super::params::Params;
use super::random::same_secret;
use super::refusal::Refusal;
use super::tokens::Audience;

/// The value of `client_assertion_type` (RFC 7523, 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The methods, as discovery lists them.
pub(crate) const METHODS: [&str; 4] = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];

/// The algorithms of client assertions and DPoP proofs, as discovery lists them.
pub(crate) const ASYMMETRIC: [Algorithm; 5] =
    [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256];

/// How long a client assertion may live at most, from now.
const LONGEST_ASSERTION: u64 = 600;

/// The claims of a client assertion (RFC 7523, 3).
#[derive(Deserialize)]
struct AssertionClaims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u64,
    #[serde(default)]
    nbf: u64,
    #[serde(default)]
    iat: u64,
    jti: String,
}

impl Provider {
    /// Finds out which client sends a request to the endpoint at `path`, and makes it prove that.
    ///
    /// # Errors
    /// `invalid_client`, or `invalid_request` when two methods are used at once (RFC 6749, 2.3).
    pub(crate) fn authenticate_client(
        &self,
        request: &HttpRequest,
        params: &Params,
        path: &str,
    ) -> Result<Client, Refusal> {
        let basic = basic_credentials(request)?;
        let secret = params.get("client_secret");
        let assertion = params.get("client_assertion");
        let methods = [basic.is_some(), secret.is_some(), assertion.is_some()];
        if methods.iter().filter(|used| **used).count() > 1 {
            return Err(Refusal::invalid_request("more than one method of client authentication"));
        }
        if let Some(assertion) = assertion {
            if params.get("client_assertion_type") != Some(JWT_BEARER) {
                return Err(Refusal::invalid_request("the client_assertion_type is not supported"));
            }
            return self.client_of_assertion(assertion, params.get("client_id"), path);
        }
        if let Some((id, secret)) = basic {
            if params.get("client_id").is_some_and(|other| other != id) {
                return Err(Refusal::invalid_request("two different client ids"));
            }
            return self.client_with_secret(&id, &secret);
        }
        let id = params.get("client_id").ok_or_else(|| Refusal::invalid_client("the client did not say who it is"))?;
        if let Some(secret) = secret {
            return self.client_with_secret(id, secret);
        }
        self.client(id).filter(|client| !client.confidential).ok_or_else(refused)
    }

    fn client_with_secret(&self, id: &str, secret: &str) -> Result<Client, Refusal> {
        let client = self.client(id).ok_or_else(refused)?;
        let right = client.secret.as_deref().is_some_and(|own| same_secret(own, secret));
        right.then_some(client).ok_or_else(refused)
    }

    fn client_of_assertion(&self, jwt: &str, client_id: Option<&str>, path: &str) -> Result<Client, Refusal> {
        // Read unverified to find the client whose keys are to verify it.
        let unverified: AssertionClaims = jsonwebtoken::dangerous::insecure_decode(jwt).map_err(|_| refused())?.claims;
        let client = self.client(&unverified.sub).ok_or_else(refused)?;
        let keys = client.keys.as_ref().ok_or_else(refused)?;
        let claims = verify_assertion(jwt, keys).ok_or_else(refused)?;
        let issuer = self.issuer();
        let audience_is_us = claims.aud.contains(&issuer)
            || claims.aud.contains(&format!("{issuer}/token"))
            || claims.aud.contains(&format!("{issuer}{path}"));
        let now = self.clock().unix_seconds();
        let in_time = claims.exp > now
            && claims.exp <= now + LONGEST_ASSERTION
            && claims.nbf <= now + 60
            && claims.iat <= now + 60;
        let same_client = claims.iss == client.id && client_id.is_none_or(|id| id == client.id);
        if !(audience_is_us && in_time && same_client) {
            return Err(refused());
        }
        let replay_key = format!("assertion {} {}", client.id, claims.jti);
        let expires_at = UNIX_EPOCH + Duration::from_secs(claims.exp);
        let now = self.clock().now();
        if !self.state(|state| state.replays.insert_new(replay_key, (), expires_at, now)) {
            return Err(Refusal::invalid_client("the client assertion was used before"));
        }
        Ok(client)
    }
}

/// One answer for a wrong secret, an unknown client and a bad assertion.
fn refused() -> Refusal {
    Refusal::invalid_client("client authentication failed")
}

fn verify_assertion(jwt: &str, keys: &JwkSet) -> Option<AssertionClaims> {
    let header = jsonwebtoken::decode_header(jwt).ok()?;
    if header.crit.is_some() || !ASYMMETRIC.contains(&header.alg) {
        return None;
    }
    let fits = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid || key.common.key_id.is_none();
    keys.keys.iter().filter(fits).find_map(|jwk| {
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let token = jsonwebtoken::decode(jwt, &key, &signature_only(header.alg)).ok()?;
        Some(token.claims)
    })
}

/// Reads HTTP Basic credentials, of which RFC 6749, 2.3.1 form-encodes each half.
fn basic_credentials(request: &HttpRequest) -> Result<Option<(String, String)>, Refusal> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let read = || {
        let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (id, secret) = decoded.split_once(':')?;
        Some((form_decoded(id)?, form_decoded(secret)?))
    };
    read().map(Some).ok_or_else(refused)
}

fn form_decoded(text: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&format!("v={text}")).ok()?;
    match <[_; 1]>::try_from(pairs) {
        Ok([(_, value)]) => Some(value),
        Err(_) => None,
    }
}
