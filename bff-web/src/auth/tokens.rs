//! The tokens of a session: what the provider gave, and until when it is of use. `refresh` keeps them fresh.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared_lib::{context::UserToken, oauth::TokenResponse, settings::Secret};

use super::session_store::SessionSecret;

/// How long an access token is taken to live when the provider does not say (RFC 6749 section 5.1 recommends that it does).
const UNSAID_LIFETIME: Duration = Duration::from_secs(60);

/// How long before its end an access token is taken to have ended: services count in whole seconds, and the answer that
/// brought it was under way for a while. At most a quarter of its life.
const MARGIN: Duration = Duration::from_secs(1);

/// The tokens of a session. They are written into the session store and nowhere else.
#[derive(Clone, Serialize, Deserialize)]
pub struct Tokens {
    access: String,
    refresh: Option<String>,
    scope: String,
    expires_at: Timestamp,
    refresh_at: Timestamp,
}

/// Shows no token, because debug output ends in logs.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expires_at, refresh_at, .. } = self;
        f.debug_struct("Tokens").field("expires_at", expires_at).field("refresh_at", refresh_at).finish_non_exhaustive()
    }
}

impl Tokens {
    /// From an answer of the token endpoint. `before` are the tokens that it replaces: what the answer does not say goes on
    /// as it was (RFC 6749 section 6). `lead` is how long before its expiry the access token is renewed; at most half of
    /// its life.
    #[must_use]
    pub fn from_answer(answer: &TokenResponse, before: Option<&Self>, now: Timestamp, lead: Duration) -> Self {
        let lifetime = answer.expires_in.unwrap_or(UNSAID_LIFETIME);
        let after = |duration: Duration| now.checked_add(duration).unwrap_or(Timestamp::MAX);
        let refresh = answer.refresh_token.as_ref().map(|token| token.expose().to_owned());
        Self {
            access: answer.access_token.expose().to_owned(),
            refresh: refresh.or_else(|| before.and_then(|before| before.refresh.clone())),
            scope: answer.scope.clone().or_else(|| before.map(|before| before.scope.clone())).unwrap_or_default(),
            expires_at: after(lifetime - MARGIN.min(lifetime / 4)),
            refresh_at: after(lifetime - lead.min(lifetime / 2)),
        }
    }

    /// The granted scopes.
    pub fn scopes(&self) -> impl Iterator<Item = String> {
        self.scope.split_ascii_whitespace().map(str::to_owned)
    }

    /// Whether this scope was granted.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope.split_ascii_whitespace().any(|granted| granted == scope)
    }

    /// The refresh token.
    pub(super) fn refresh_token(&self) -> Option<Secret> {
        self.refresh.as_deref().map(Secret::from)
    }

    /// The access token.
    pub(super) fn access_token(&self) -> Secret {
        Secret::from(self.access.as_str())
    }

    /// The access token as that of a session.
    pub(super) fn user_token(&self, secret: &SessionSecret) -> UserToken {
        UserToken { token: self.access_token(), expires_at: self.expires_at, session: *secret.id().as_bytes() }
    }

    /// Whether it is time to renew them.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        now >= self.refresh_at
    }

    /// Whether the access token has not ended.
    pub(super) fn is_usable(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// How long the access token lasts from this moment on.
    pub(super) fn lasts(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.expires_at.duration_since(now)).unwrap_or_default()
    }

    /// The same without the refresh token, because nobody knows whether the provider has seen it.
    pub(super) fn without_refresh(self) -> Self {
        Self { refresh: None, refresh_at: self.expires_at, ..self }
    }

    /// Whether these are the same ones.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.access == other.access
    }
}
