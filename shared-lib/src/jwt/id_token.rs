//! ID tokens (OpenID Connect Core 3.1.3.7 and 12.2).

use std::{rc::Rc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::{
    Algorithm, Header, Keys, TokenError,
    claims::{Claims, MAX_CLOCK_SKEW, TimeRules, seconds},
};
use crate::{clock::Clock, context::RequestContext};

/// What is asked of the ID tokens of one issuer for one client.
#[derive(Debug, Clone)]
pub struct IdTokenSettings {
    /// The issuer, compared exactly.
    pub issuer: String,
    /// Our client id: the audience, and the authorized party.
    pub client_id: String,
    /// The algorithms that are allowed.
    pub algorithms: Vec<Algorithm>,
    /// How far the clocks may be apart; more than [`MAX_CLOCK_SKEW`] counts as that.
    pub clock_skew: Duration,
    /// The longest lifetime, from `iat` to `exp`.
    pub max_lifetime: Duration,
}

impl IdTokenSettings {
    /// All asymmetric algorithms, 30 seconds of clock skew, a lifetime of a day.
    #[must_use]
    pub fn new(issuer: &str, client_id: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            algorithms: Algorithm::ALL.to_vec(),
            clock_skew: Duration::from_secs(30),
            max_lifetime: Duration::from_secs(24 * 3600),
        }
    }
}

/// The nonce that a token must carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedNonce<'a> {
    /// A login: this nonce must be there.
    Login(&'a str),
    /// A refresh: there need not be one.
    Refresh,
}

/// What one exchange expects of its ID token, beyond what holds for all.
#[derive(Debug, Clone, Copy)]
pub struct IdTokenExpectations<'a> {
    /// The nonce.
    pub nonce: ExpectedNonce<'a>,
    /// The access token that came with it, to compare with `at_hash` where there is one.
    pub access_token: Option<&'a str>,
    /// The `max_age` that was asked for: `auth_time` is required then, and bounded by it.
    pub max_age: Option<Duration>,
    /// The subject of the session, at a refresh or a step-up.
    pub subject: Option<&'a str>,
}

impl<'a> IdTokenExpectations<'a> {
    /// A login with this nonce.
    #[must_use]
    pub fn login(nonce: &'a str, access_token: &'a str) -> Self {
        let nonce = ExpectedNonce::Login(nonce);
        Self { nonce, access_token: Some(access_token), max_age: None, subject: None }
    }

    /// A refresh for this subject.
    #[must_use]
    pub fn refresh(subject: &'a str, access_token: &'a str) -> Self {
        let nonce = ExpectedNonce::Refresh;
        Self { nonce, access_token: Some(access_token), max_age: None, subject: Some(subject) }
    }
}

/// The claims of an ID token that is believed.
#[derive(Clone, PartialEq, Eq)]
pub struct IdTokenClaims {
    /// Who logged in (`sub`).
    pub subject: String,
    /// The session at the provider (`sid`), by which back-channel logouts name it.
    pub session_id: Option<String>,
    /// When it was issued (`iat`).
    pub issued_at: Timestamp,
    /// When it ends (`exp`); no more than that one should begin something with it.
    pub expires_at: Timestamp,
    /// When the user logged in (`auth_time`).
    pub auth_time: Option<Timestamp>,
    /// How the user logged in (`acr`).
    pub acr: Option<String>,
    /// By what means (`amr`).
    pub amr: Vec<String>,
    members: Map<String, Value>,
}

/// Names no subject and no other personal data, because debug output ends in logs.
impl std::fmt::Debug for IdTokenClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdTokenClaims")
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .field("acr", &self.acr)
            .finish_non_exhaustive()
    }
}

impl IdTokenClaims {
    /// Another claim, where it is a text: `name`, `email`, `locale`…
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    /// Another claim, whatever it is.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }
}

/// Believes the ID tokens of one issuer. Cheap to clone; stays on its thread.
#[derive(Clone)]
pub struct IdTokenVerifier {
    rules: Rc<IdTokenSettings>,
    keys: Keys,
    clock: Clock,
}

impl IdTokenVerifier {
    /// A verifier with these rules and the issuer's keys.
    #[must_use]
    pub fn new(settings: IdTokenSettings, keys: Keys, clock: Clock) -> Self {
        Self { rules: Rc::new(settings), keys, clock }
    }

    /// Checks a token and gives its claims.
    ///
    /// # Errors
    /// The first fault that is found. [`TokenError::KeysUnavailable`] is not the token's fault.
    pub async fn verify(
        &self,
        context: &RequestContext,
        token: &str,
        expected: &IdTokenExpectations<'_>,
    ) -> Result<IdTokenClaims, TokenError> {
        let token = self.keys.verify_as(context, token, &self.rules.algorithms, check_type).await?;
        self.rules.check_claims(token.claims, token.header.algorithm, expected, self.clock.wall())
    }
}

/// ID tokens have no type of their own, but the tokens that could be taken for one have theirs.
fn check_type(header: &Header) -> Result<(), TokenError> {
    match header.typ.as_deref() {
        None | Some("jwt") => Ok(()),
        Some(_) => Err(TokenError::Type),
    }
}

impl IdTokenSettings {
    fn check_claims(
        &self,
        members: Map<String, Value>,
        algorithm: Algorithm,
        expected: &IdTokenExpectations<'_>,
        now: Timestamp,
    ) -> Result<IdTokenClaims, TokenError> {
        let claims = Claims(&members);
        claims.check_issuer(&self.issuer)?;
        self.check_audience(&claims)?;
        let rules = TimeRules { clock_skew: self.clock_skew, max_lifetime: self.max_lifetime };
        let validity = claims.check_times(rules, now)?;
        if claims.0.contains_key("events") {
            return Err(TokenError::Type);
        }
        let subject = claims.name("sub")?.to_owned();
        if expected.subject.is_some_and(|before| before != subject) {
            return Err(TokenError::Subject);
        }
        if let ExpectedNonce::Login(sent) = expected.nonce {
            let nonce = claims.text("nonce")?.ok_or(TokenError::Nonce)?;
            if !bool::from(nonce.as_bytes().ct_eq(sent.as_bytes())) {
                return Err(TokenError::Nonce);
            }
        }
        if let (Some(found), Some(access_token)) = (claims.text("at_hash")?, expected.access_token)
            && found != access_token_hash(algorithm, access_token)
        {
            return Err(TokenError::AccessTokenHash);
        }
        let auth_time = claims.moment("auth_time")?;
        if let Some(max_age) = expected.max_age {
            let authenticated = auth_time.ok_or(TokenError::Missing("auth_time"))?.as_second();
            let latest = authenticated
                .saturating_add(seconds(max_age))
                .saturating_add(seconds(self.clock_skew.min(MAX_CLOCK_SKEW)));
            if now.as_second() > latest {
                return Err(TokenError::AuthenticationTooOld);
            }
        }
        let (session_id, acr) = (claims.text("sid")?.map(str::to_owned), claims.text("acr")?.map(str::to_owned));
        let amr = methods(&members)?;
        Ok(IdTokenClaims {
            subject,
            session_id,
            issued_at: validity.issued_at,
            expires_at: validity.expires_at,
            auth_time,
            acr,
            amr,
            members,
        })
    }

    /// Our client must be an audience; where there are others, or an authorized party is named, that must be us as well.
    fn check_audience(&self, claims: &Claims<'_>) -> Result<(), TokenError> {
        let audiences = claims.audiences()?;
        if !audiences.contains(&self.client_id.as_str()) {
            return Err(TokenError::Audience);
        }
        match claims.text("azp")? {
            Some(party) if party == self.client_id => Ok(()),
            None if audiences.len() == 1 => Ok(()),
            _ => Err(TokenError::AuthorizedParty),
        }
    }
}

fn methods(members: &Map<String, Value>) -> Result<Vec<String>, TokenError> {
    match members.get("amr") {
        None => Ok(Vec::new()),
        Some(Value::Array(names)) => {
            names.iter().map(|name| name.as_str().map(str::to_owned).ok_or(TokenError::Claim("amr"))).collect()
        }
        Some(_) => Err(TokenError::Claim("amr")),
    }
}

/// The left half of the hash that the algorithm uses (OpenID Connect Core 3.1.3.6). Ed25519 uses SHA-512.
fn access_token_hash(algorithm: Algorithm, access_token: &str) -> String {
    let left_half = |hash: &[u8]| URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2]);
    match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => left_half(&Sha256::digest(access_token)),
        Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => left_half(&Sha384::digest(access_token)),
        Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::EdDsa => left_half(&Sha512::digest(access_token)),
    }
}
