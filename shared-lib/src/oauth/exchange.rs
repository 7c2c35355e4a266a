//! Token exchange (RFC 8693): a user's token for one audience becomes one for another.
//!
//! Exchanged tokens are kept by a hash of the token that they were made from, so that the cache holds no token of a
//! client, and two users can never share one. None is kept beyond the end of the token that it was made from.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{OAuthError, client::ProviderClient, service_token::sorted};
use crate::{
    context::{RequestContext, UserToken},
    settings::Secret,
};

/// What an exchanged token is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ExchangeKey {
    subject: [u8; 32],
    /// What the token falls with.
    session: Option<[u8; 32]>,
    audience: String,
    scopes: String,
}

impl ExchangeKey {
    pub(super) fn is_of(&self, session: &[u8; 32]) -> bool {
        self.session.as_ref() == Some(session)
    }
}

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

impl ProviderClient {
    /// An access token for `audience` that speaks for the subject of `subject_token`, which is good until
    /// `subject_expires_at`. No scopes: those that the provider grants.
    ///
    /// # Errors
    /// When the provider refuses or cannot be asked.
    pub async fn exchange(
        &self,
        context: &RequestContext,
        subject_token: &Secret,
        subject_expires_at: Timestamp,
        audience: &str,
        scopes: &[String],
    ) -> Result<Secret, OAuthError> {
        self.exchange_within(context, None, subject_token, subject_expires_at, audience, scopes).await
    }

    /// The same for the token of a session: what comes of it is kept until the session is
    /// [forgotten](super::ProviderShared::forget_session), at most.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    pub async fn exchange_user_token(
        &self,
        context: &RequestContext,
        user: &UserToken,
        audience: &str,
    ) -> Result<Secret, OAuthError> {
        self.exchange_within(context, Some(user.session), &user.token, user.expires_at, audience, &[]).await
    }

    /// Forgets what [`exchange_user_token`](Self::exchange_user_token) gave for this audience, after a service has
    /// refused it.
    pub fn forget_exchanged(&self, user: &UserToken, audience: &str) {
        let key = ExchangeKey {
            subject: Sha256::digest(user.token.expose()).into(),
            session: Some(user.session),
            audience: audience.to_owned(),
            scopes: String::new(),
        };
        self.shared().parts().exchanged_tokens.forget(&key);
    }

    async fn exchange_within(
        &self,
        context: &RequestContext,
        session: Option<[u8; 32]>,
        subject_token: &Secret,
        subject_expires_at: Timestamp,
        audience: &str,
        scopes: &[String],
    ) -> Result<Secret, OAuthError> {
        let key = ExchangeKey {
            subject: Sha256::digest(subject_token.expose()).into(),
            session,
            audience: audience.to_owned(),
            scopes: sorted(scopes),
        };
        let mut parameters = vec![
            ("grant_type", GRANT.to_owned()),
            ("subject_token", subject_token.expose().to_owned()),
            ("subject_token_type", ACCESS_TOKEN.to_owned()),
            ("requested_token_type", ACCESS_TOKEN.to_owned()),
            ("audience", key.audience.clone()),
        ];
        if !key.scopes.is_empty() {
            parameters.push(("scope", key.scopes.clone()));
        }
        let left = subject_expires_at.as_second().saturating_sub(self.shared().clock().wall().as_second());
        let longest = Duration::from_secs(u64::try_from(left).unwrap_or(0));
        let cache = &self.shared().parts().exchanged_tokens;
        cache.get(context, &key, longest, async || self.tokens(context, &parameters).await).await
    }
}
