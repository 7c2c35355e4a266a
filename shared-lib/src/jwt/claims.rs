//! Reading claims with their types (RFC 7519 section 4), and the rules about time that all tokens share.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::TokenError;

/// The most that clocks may differ, whatever is configured.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The longest subject, client id and token id, in bytes (OpenID Connect Core section 2 bounds `sub` at 255).
const MAX_NAME_BYTES: usize = 255;

/// Claims of a token whose signature holds.
pub(super) struct Claims<'a>(pub(super) &'a Map<String, Value>);

/// When a token was made and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// The bounds on time of a verifier.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeRules {
    /// At most [`MAX_CLOCK_SKEW`].
    pub(super) clock_skew: Duration,
    /// The longest from `iat` to `exp`.
    pub(super) max_lifetime: Duration,
}

impl<'a> Claims<'a> {
    /// A text, which is not empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&'a str>, TokenError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(TokenError::Claim(name)),
        }
    }

    /// A required text of a length that is fit for a key in logs and stores.
    pub(super) fn name(&self, name: &'static str) -> Result<&'a str, TokenError> {
        let text = self.text(name)?.ok_or(TokenError::Missing(name))?;
        if text.len() <= MAX_NAME_BYTES { Ok(text) } else { Err(TokenError::Claim(name)) }
    }

    /// A moment (`NumericDate`, RFC 7519 section 2), to the second.
    pub(super) fn moment(&self, name: &'static str) -> Result<Option<Timestamp>, TokenError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let seconds = match (value.as_i64(), value.as_f64()) {
            (Some(seconds), _) => Some(seconds),
            // The cast cannot lose anything that matters within these bounds.
            (None, Some(seconds)) if (0.0..1e12).contains(&seconds) => Some(seconds as i64),
            _ => None,
        };
        let moment = seconds.filter(|seconds| *seconds >= 0).and_then(|seconds| Timestamp::from_second(seconds).ok());
        moment.map(Some).ok_or(TokenError::Claim(name))
    }

    /// A required moment.
    pub(super) fn required_moment(&self, name: &'static str) -> Result<Timestamp, TokenError> {
        self.moment(name)?.ok_or(TokenError::Missing(name))
    }

    /// The audiences: a text or a list of texts, never none.
    pub(super) fn audiences(&self) -> Result<Vec<&'a str>, TokenError> {
        match self.0.get("aud") {
            None => Err(TokenError::Missing("aud")),
            Some(Value::String(one)) if !one.is_empty() => Ok(vec![one]),
            Some(Value::Array(many)) if !many.is_empty() => {
                many.iter().map(|one| one.as_str().ok_or(TokenError::Claim("aud"))).collect()
            }
            Some(_) => Err(TokenError::Claim("aud")),
        }
    }

    /// Checks that the issuer is exactly this one.
    pub(super) fn check_issuer(&self, issuer: &str) -> Result<(), TokenError> {
        match self.text("iss")? {
            None => Err(TokenError::Missing("iss")),
            Some(found) if found == issuer => Ok(()),
            Some(_) => Err(TokenError::Issuer),
        }
    }

    /// Checks `exp`, `iat` and `nbf` at the time `now`.
    pub(super) fn check_times(&self, rules: TimeRules, now: Timestamp) -> Result<Validity, TokenError> {
        let skew = seconds(rules.clock_skew.min(MAX_CLOCK_SKEW));
        let now = now.as_second();
        let expires_at = self.required_moment("exp")?;
        let issued_at = self.required_moment("iat")?;
        let not_before = self.moment("nbf")?;
        if now >= expires_at.as_second().saturating_add(skew) {
            return Err(TokenError::Expired);
        }
        if issued_at.as_second() > now.saturating_add(skew) {
            return Err(TokenError::IssuedInFuture);
        }
        if not_before.is_some_and(|not_before| not_before.as_second() > now.saturating_add(skew)) {
            return Err(TokenError::NotYetValid);
        }
        let lifetime = expires_at.as_second().saturating_sub(issued_at.as_second());
        if lifetime <= 0 || lifetime > seconds(rules.max_lifetime) {
            return Err(TokenError::Lifetime);
        }
        Ok(Validity { issued_at, expires_at })
    }
}

/// Whole seconds, for comparison with `NumericDate`s.
pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
