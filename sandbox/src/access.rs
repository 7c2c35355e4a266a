//! Who calls a service: the check of the access token that every service makes, and the partner that a call is for.

mod keys;

use std::{sync::Arc, time::SystemTime};

use actix_web::http::StatusCode;
use jsonwebtoken::Validation;
use serde::Deserialize;

pub(crate) use self::keys::{KeyLocation, Keys, OWN_FETCH};
use crate::{clock::Clock, provider::SERVICES_AUDIENCE};

/// The one client that may name a partner.
const PARTNER_CLIENT: &str = "bff-partner";

/// The header field that names a partner.
pub(crate) const PARTNER_HEADER: &str = "x-partner-id";

/// Whose call it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) subject: String,
    pub(crate) client_id: String,
    /// The partner that the call is for.
    pub(crate) partner: Option<String>,
    /// How and when the user signed in whom the token speaks for.
    pub(crate) authentication: Option<SignedIn>,
}

/// What a token says of the user's sign-in (RFC 9470 section 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedIn {
    pub(crate) acr: Option<String>,
    /// In seconds since 1970.
    pub(crate) at: u64,
}

/// What an operation asks of the user's sign-in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    /// Its strength.
    pub(crate) acr: &'static str,
    /// How long ago it may have been, in seconds.
    pub(crate) max_age: u64,
}

impl Demand {
    /// Whether the sign-in is strong and recent enough. A client that acts for itself has nobody who could sign in again.
    pub(crate) fn is_met_by(&self, caller: &Caller, now: u64) -> bool {
        let Some(authentication) = &caller.authentication else { return caller.subject == caller.client_id };
        authentication.acr.as_deref() == Some(self.acr) && now.saturating_sub(authentication.at) <= self.max_age
    }

    /// The challenge that says so (RFC 9470 section 3).
    pub(crate) fn challenge(&self) -> String {
        let Self { acr, max_age } = self;
        format!(
            r#"Bearer realm="trifront-services", error="insufficient_user_authentication", error_description="A stronger or more recent sign-in is required", acr_values="{acr}", max_age="{max_age}""#
        )
    }
}

impl Caller {
    /// Whom orders, carts and devices belong to: the partner that is named, else the token's subject.
    pub(crate) fn owner(&self) -> String {
        self.partner.as_ref().map_or_else(|| self.subject.clone(), |partner| format!("partner:{partner}"))
    }
}

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("an access token is needed")]
    Missing,
    #[error("the access token is malformed")]
    Malformed(#[source] jsonwebtoken::errors::Error),
    #[error("the access token names no key that the issuer has published")]
    UnknownKey,
    #[error("the access token was not issued for this service")]
    Invalid(#[source] jsonwebtoken::errors::Error),
    #[error("the access token has expired")]
    Expired,
    #[error("the access token is bound to a key and is no bearer token")]
    Bound,
    #[error("the issuer's keys cannot be had")]
    KeysAway(#[source] keys::KeysError),
    #[error("this client may not name a partner")]
    PartnerNotAllowed,
    #[error("the partner's name is not valid")]
    PartnerInvalid,
}

impl Refusal {
    /// The HTTP status that says so.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Malformed(_) | Self::UnknownKey | Self::Invalid(_) | Self::Expired | Self::Bound => {
                StatusCode::UNAUTHORIZED
            }
            Self::KeysAway(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::PartnerNotAllowed => StatusCode::FORBIDDEN,
            Self::PartnerInvalid => StatusCode::BAD_REQUEST,
        }
    }

    /// A short code that services put into their errors.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing_token",
            Self::Malformed(_) | Self::UnknownKey | Self::Invalid(_) | Self::Expired | Self::Bound => "invalid_token",
            Self::KeysAway(_) => "keys_unavailable",
            Self::PartnerNotAllowed => "partner_not_allowed",
            Self::PartnerInvalid => "partner_invalid",
        }
    }

    /// The challenge of RFC 6750, section 3, for a 401. Without a token it names no error.
    pub(crate) fn challenge(&self) -> Option<String> {
        match self {
            Self::Missing => Some(r#"Bearer realm="trifront-services""#.to_owned()),
            other if other.status() == StatusCode::UNAUTHORIZED => {
                Some(format!(r#"Bearer realm="trifront-services", error="invalid_token", error_description="{other}""#))
            }
            _ => None,
        }
    }
}

/// The claims that services look at.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    client_id: Option<String>,
    /// Keycloak's name for the client.
    azp: Option<String>,
    exp: u64,
    cnf: Option<serde_json::Value>,
    acr: Option<String>,
    auth_time: Option<u64>,
}

/// The check of access tokens. Clones share the cached keys.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    issuer: Arc<str>,
    keys: Arc<Keys>,
    clock: Clock,
}

impl Access {
    /// A check that trusts one issuer.
    pub(crate) fn new(issuer: &str, keys: Keys, clock: Clock) -> Self {
        Self { issuer: issuer.into(), keys: Arc::new(keys), clock }
    }

    /// Checks the value of an `Authorization` field and that of [`PARTNER_HEADER`].
    pub(crate) async fn check(&self, authorization: Option<&str>, partner: Option<&str>) -> Result<Caller, Refusal> {
        let token = authorization
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Refusal::Missing)?;
        let claims = self.verify(token).await?;
        let client_id = claims.client_id.or(claims.azp).unwrap_or_default();
        if let Some(partner) = partner {
            check_partner(&client_id, partner)?;
        }
        let authentication = claims.auth_time.map(|at| SignedIn { acr: claims.acr, at });
        Ok(Caller { subject: claims.sub, client_id, partner: partner.map(str::to_owned), authentication })
    }

    async fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        let header = jsonwebtoken::decode_header(token).map_err(Refusal::Malformed)?;
        let kid = header.kid.ok_or(Refusal::UnknownKey)?;
        let key = self.keys.find(&kid).await.map_err(Refusal::KeysAway)?.ok_or(Refusal::UnknownKey)?;
        let mut validation = Validation::new(key.algorithm);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[SERVICES_AUDIENCE]);
        // Compared below, by the sandbox's own clock and without leeway.
        validation.validate_exp = false;
        let claims =
            jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation).map_err(Refusal::Invalid)?.claims;
        let now = self.clock.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if claims.exp <= now {
            return Err(Refusal::Expired);
        }
        // RFC 9449, section 7.2: a bound token is not accepted as a bearer token.
        if claims.cnf.is_some() {
            return Err(Refusal::Bound);
        }
        Ok(claims)
    }
}

/// A partner is named by the partner BFF only, with up to 64 letters, digits, `-` and `_`.
pub(crate) fn check_partner(client_id: &str, partner: &str) -> Result<(), Refusal> {
    if client_id != PARTNER_CLIENT {
        return Err(Refusal::PartnerNotAllowed);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if partner.is_empty() || partner.len() > 64 || !partner.chars().all(plain) {
        return Err(Refusal::PartnerInvalid);
    }
    Ok(())
}
