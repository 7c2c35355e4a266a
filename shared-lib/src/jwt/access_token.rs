//! Access tokens as JWTs (RFC 9068 section 4), and of providers that do not mark theirs.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    Algorithm, BelievedTokens, Header, Keys, TokenError,
    claims::{Claims, TimeRules},
};
use crate::{clock::Clock, context::RequestContext};

/// How an issuer tells its access tokens from its other tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// By `typ` (RFC 9068 section 2.1), and with all claims that it requires.
    #[default]
    Rfc9068,
    /// Not at all: `typ` is `JWT` or missing, the client may be named `azp` and the scopes `scp`. What is known of ID,
    /// logout and refresh tokens is refused: their claims, their marks, and a token whose audience is its own client.
    Unmarked,
}

/// What is asked of the access tokens of one issuer.
#[derive(Debug, Clone)]
pub struct AccessTokenSettings {
    /// The issuer, compared exactly.
    pub issuer: String,
    /// The audience that must be among the token's.
    pub audience: String,
    /// The algorithms that are allowed.
    pub algorithms: Vec<Algorithm>,
    /// How the issuer marks its access tokens.
    pub profile: Profile,
    /// How far the clocks may be apart; more than [`MAX_CLOCK_SKEW`](super::MAX_CLOCK_SKEW) counts as that.
    pub clock_skew: Duration,
    /// The longest lifetime, from `iat` to `exp`.
    pub max_lifetime: Duration,
}

impl AccessTokenSettings {
    /// The strict profile, all asymmetric algorithms, 30 seconds of clock skew, a lifetime of a day.
    #[must_use]
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            algorithms: Algorithm::ALL.to_vec(),
            profile: Profile::default(),
            clock_skew: Duration::from_secs(30),
            max_lifetime: Duration::from_secs(24 * 3600),
        }
    }
}

/// The claims of an access token that is believed.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessTokenClaims {
    /// Whose resources it opens (`sub`).
    pub subject: String,
    /// To whom it was issued (`client_id`).
    pub client_id: String,
    /// What it was granted (`scope`), in its order.
    pub scopes: Vec<String>,
    /// Its name (`jti`).
    pub jti: String,
    /// When it was issued (`iat`).
    pub issued_at: Timestamp,
    /// When it ends (`exp`).
    pub expires_at: Timestamp,
    /// When its subject logged in (`auth_time`).
    pub auth_time: Option<Timestamp>,
    /// How its subject logged in (`acr`).
    pub acr: Option<String>,
    /// The thumbprint of the key that it is bound to (`cnf.jkt`, RFC 9449 section 6.1). Such a token is worth nothing
    /// without a proof, and refusing it as a plain bearer token is up to the caller.
    pub cnf_jkt: Option<String>,
    /// The session at the provider (`sid`).
    pub session_id: Option<String>,
}

/// Names no subject and no session, because debug output ends in logs.
impl std::fmt::Debug for AccessTokenClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessTokenClaims")
            .field("client_id", &self.client_id)
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl AccessTokenClaims {
    /// Whether this scope was granted.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

/// Believes the access tokens of one issuer. Cheap to clone; stays on its thread.
#[derive(Clone)]
pub struct AccessTokenVerifier {
    rules: std::rc::Rc<AccessTokenSettings>,
    keys: Keys,
    clock: Clock,
    believed: Option<BelievedTokens>,
}

impl AccessTokenVerifier {
    /// A verifier with these rules and the issuer's keys.
    #[must_use]
    pub fn new(settings: AccessTokenSettings, keys: Keys, clock: Clock) -> Self {
        Self { rules: std::rc::Rc::new(settings), keys, clock, believed: None }
    }

    /// Looks among these tokens before it checks one, and keeps there what it believes. They belong to one issuer and
    /// one set of rules.
    #[must_use]
    pub fn remembering(self, believed: BelievedTokens) -> Self {
        Self { believed: Some(believed), ..self }
    }

    /// Checks a token and gives its claims. A key that is not known yet is fetched, within the request's budget.
    ///
    /// # Errors
    /// The first fault that is found. [`TokenError::KeysUnavailable`] is not the token's fault.
    pub async fn verify(&self, context: &RequestContext, token: &str) -> Result<AccessTokenClaims, TokenError> {
        if let Some(claims) = self.believed.as_ref().and_then(|believed| believed.find(token)) {
            return Ok(claims);
        }
        let rules = &self.rules;
        let checked = self.keys.verify_as(context, token, &rules.algorithms, |header| rules.check_type(header)).await?;
        let claims = rules.check_claims(&checked.claims, self.clock.wall())?;
        if let Some(believed) = &self.believed {
            believed.keep(token, &claims);
        }
        Ok(claims)
    }
}

impl AccessTokenSettings {
    fn check_type(&self, header: &Header) -> Result<(), TokenError> {
        let fits = match self.profile {
            Profile::Rfc9068 => header.typ.as_deref() == Some("at+jwt"),
            Profile::Unmarked => matches!(header.typ.as_deref(), None | Some("jwt" | "at+jwt")),
        };
        if fits { Ok(()) } else { Err(TokenError::Type) }
    }

    fn check_claims(&self, members: &Map<String, Value>, now: Timestamp) -> Result<AccessTokenClaims, TokenError> {
        let claims = Claims(members);
        claims.check_issuer(&self.issuer)?;
        let audiences = claims.audiences()?;
        if !audiences.contains(&self.audience.as_str()) {
            return Err(TokenError::Audience);
        }
        let rules = TimeRules { clock_skew: self.clock_skew, max_lifetime: self.max_lifetime };
        let validity = claims.check_times(rules, now)?;
        let client_id = match self.profile {
            Profile::Rfc9068 => claims.name("client_id")?,
            Profile::Unmarked => unmarked_client(&claims, &audiences)?,
        };
        Ok(AccessTokenClaims {
            subject: claims.name("sub")?.to_owned(),
            client_id: client_id.to_owned(),
            scopes: self.scopes(&claims)?,
            jti: claims.name("jti")?.to_owned(),
            issued_at: validity.issued_at,
            expires_at: validity.expires_at,
            auth_time: claims.moment("auth_time")?,
            acr: claims.text("acr")?.map(str::to_owned),
            cnf_jkt: confirmation(members)?,
            session_id: claims.text("sid")?.map(str::to_owned),
        })
    }

    fn scopes(&self, claims: &Claims<'_>) -> Result<Vec<String>, TokenError> {
        let split = |text: &str| text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        // A provider that grants nothing may send an empty text.
        match claims.0.get("scope") {
            Some(Value::String(text)) => return Ok(split(text)),
            Some(_) => return Err(TokenError::Claim("scope")),
            None if self.profile == Profile::Rfc9068 => return Ok(Vec::new()),
            None => {}
        }
        match claims.0.get("scp") {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(split(text)),
            Some(Value::Array(scopes)) => {
                scopes.iter().map(|scope| scope.as_str().map(str::to_owned).ok_or(TokenError::Claim("scp"))).collect()
            }
            Some(_) => Err(TokenError::Claim("scp")),
        }
    }
}

/// Claims that ID tokens and logout tokens have and access tokens do not.
const NOT_OF_ACCESS_TOKENS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

/// Makes sure that a token without a mark is an access token, and finds its client.
fn unmarked_client<'a>(claims: &Claims<'a>, audiences: &[&str]) -> Result<&'a str, TokenError> {
    if NOT_OF_ACCESS_TOKENS.iter().any(|name| claims.0.contains_key(*name)) {
        return Err(TokenError::NotAnAccessToken);
    }
    // Keycloak says in the claims what it does not say in the header: Bearer, ID, Refresh, Logout.
    if claims.text("typ")?.is_some_and(|typ| !typ.eq_ignore_ascii_case("bearer") && !typ.eq_ignore_ascii_case("at+jwt"))
    {
        return Err(TokenError::NotAnAccessToken);
    }
    let client_id = match claims.text("client_id")? {
        Some(_) => claims.name("client_id")?,
        None if claims.0.contains_key("azp") => claims.name("azp")?,
        None => return Err(TokenError::Missing("client_id")),
    };
    // An ID token is for the client that asked for it; an access token is for somebody else.
    if audiences.contains(&client_id) {
        return Err(TokenError::NotAnAccessToken);
    }
    Ok(client_id)
}

/// Reads `cnf` (RFC 7800). A binding other than to a key's thumbprint could not be checked, and a bound token must not
/// pass for an unbound one.
fn confirmation(members: &Map<String, Value>) -> Result<Option<String>, TokenError> {
    match members.get("cnf") {
        None => Ok(None),
        Some(Value::Object(binding)) => match binding.get("jkt") {
            Some(Value::String(thumbprint)) if binding.len() == 1 && !thumbprint.is_empty() => {
                Ok(Some(thumbprint.clone()))
            }
            _ => Err(TokenError::Binding),
        },
        Some(_) => Err(TokenError::Claim("cnf")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_claim() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (1_767_000_000_i64..1_768_000_000).prop_map(Value::from),
            "(https://id.example|api|\\PC{0,8})".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("(jkt|\\PC{0,3})", inner, 0..3).prop_map(|members| json!(members)),
            ]
        })
    }

    proptest! {
        /// Shows: M1
        #[test]
        fn random_claims_never_panic_and_are_believed_only_when_all_that_is_required_is_there(
            claims in proptest::collection::hash_map(
                "(iss|sub|aud|exp|iat|nbf|jti|client_id|azp|scope|scp|cnf|acr|sid|typ|nonce|auth_time)", any_claim(), 0..17),
            strict in any::<bool>(),
        ) {
            let profile = if strict { Profile::Rfc9068 } else { Profile::Unmarked };
            let rules = AccessTokenSettings { profile, ..AccessTokenSettings::new("https://id.example", "api") };
            let members: Map<String, Value> = claims.into_iter().collect();
            let now = Timestamp::constant(1_767_225_600, 0);
            if let Ok(believed) = rules.check_claims(&members, now) {
                prop_assert!(!believed.subject.is_empty() && !believed.client_id.is_empty() && !believed.jti.is_empty());
                prop_assert!(believed.issued_at < believed.expires_at);
                prop_assert!(["iss", "sub", "aud", "exp", "iat", "jti"].iter().all(|name| members.contains_key(*name)));
            }
        }
    }
}
