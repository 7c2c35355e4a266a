//! What tests use in process: tokens without a login, and a look behind the curtain.

use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::backchannel::LogoutDelivery;
use super::clients::Client;
use super::counters::Counters;
use super::keys::SigningKey;
use super::mint::JwtBuilder;
use super::settings::ProviderSettings;
use super::sso::SESSION_COOKIE;
use super::state::Acr;
use super::users::User;
use super::{Provider, ProviderError};

/// A login at the provider that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LiveSession {
    /// The session's id, as in ID tokens and logout tokens.
    pub sid: String,
    /// The user's subject.
    pub sub: String,
    /// The clients that took part in it, in alphabetical order.
    pub clients: Vec<String>,
}

/// Which sessions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionSelector {
    /// All of a user, by subject.
    Subject(String),
    /// One, by its id.
    Sid(String),
}

/// A handle on a running provider, for tests in the same process.
#[derive(Clone)]
pub struct ProviderHandle(Provider);

impl fmt::Debug for ProviderHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is behind it are keys and tokens.
        f.debug_struct("ProviderHandle").field("issuer", &self.issuer()).finish_non_exhaustive()
    }
}

impl ProviderHandle {
    pub(crate) fn new(provider: Provider) -> Self {
        Self(provider)
    }

    /// The issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.0.issuer()
    }

    /// An access token for a user, named by username or subject.
    ///
    /// # Errors
    /// When there is no such user, or signing fails.
    pub fn access_token(
        &self,
        user: &str,
        client_id: &str,
        audience: &str,
        scopes: &[&str],
        lifetime: Duration,
    ) -> Result<String, ProviderError> {
        self.access_token_builder(user, client_id, audience, scopes, lifetime)?.build()
    }

    /// The same token, to be bent before it is signed.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn access_token_builder(
        &self,
        user: &str,
        client_id: &str,
        audience: &str,
        scopes: &[&str],
        lifetime: Duration,
    ) -> Result<JwtBuilder, ProviderError> {
        let user = find_user(user)?;
        let now = self.0.clock().unix_seconds();
        Ok(JwtBuilder::access_token(self.0.clone(), &user.sub, client_id, audience, lifetime)?
            .scopes(scopes)
            .claim("auth_time", json!(now))
            .claim("acr", json!(Acr::Password.name())))
    }

    /// An access token of a client itself, as by client credentials; to be bent before it is signed.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn client_token_builder(&self, client_id: &str, audience: &str) -> Result<JwtBuilder, ProviderError> {
        JwtBuilder::access_token(self.0.clone(), client_id, client_id, audience, Duration::from_secs(300))
    }

    /// An ID token for a client, without a nonce; to be bent before it is signed.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn id_token_builder(&self, user: &str, client_id: &str, sid: &str) -> Result<JwtBuilder, ProviderError> {
        let user = find_user(user)?;
        Ok(JwtBuilder::new(self.0.clone(), "JWT", Duration::from_secs(300))?
            .without_claim("jti")
            .claim("sub", json!(user.sub))
            .claim("aud", json!(client_id))
            .claim("sid", json!(sid)))
    }

    /// A logout token for a client; to be bent before it is signed.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn logout_token_builder(&self, client_id: &str, sub: &str, sid: &str) -> Result<JwtBuilder, ProviderError> {
        Ok(JwtBuilder::new(self.0.clone(), "logout+jwt", Duration::from_secs(120))?
            .claim("sub", json!(sub))
            .claim("aud", json!(client_id))
            .claim("sid", json!(sid))
            .claim("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} })))
    }

    /// Signs a user in without the form and returns name and value of the session cookie: a browser that sends it
    /// to `/authorize` gets its code at once.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn sign_in(&self, user: &str, acr: Acr) -> Result<(&'static str, String), ProviderError> {
        let (cookie, _) = self.0.begin_session(&find_user(user)?, acr, None)?;
        Ok((SESSION_COOKIE, cookie))
    }

    /// Makes a new key the signing one and returns its id. The old one stays published until the next rotation.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn rotate_keys(&self) -> Result<String, ProviderError> {
        let key = SigningKey::generate()?;
        let kid = key.kid().to_owned();
        self.0.0.keys.write().unwrap_or_else(PoisonError::into_inner).rotate(key);
        Ok(kid)
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.0.counters().read()
    }

    /// The sessions that have not ended, by session id.
    #[must_use]
    pub fn sessions(&self) -> Vec<LiveSession> {
        let now = self.0.clock().now();
        let mut sessions: Vec<LiveSession> = self.0.state(|state| {
            state
                .sessions
                .iter(now)
                .map(|(_, session)| LiveSession {
                    sid: session.authentication.sid.clone(),
                    sub: session.authentication.sub.clone(),
                    clients: session.clients.iter().cloned().collect(),
                })
                .collect()
        });
        sessions.sort_by(|left, right| left.sid.cmp(&right.sid));
        sessions
    }

    /// Ends sessions, and waits until their clients were told or the time for it is over. Returns how many ended,
    /// and what came of telling the clients.
    pub async fn end_session(&self, which: &SessionSelector) -> (usize, Vec<LogoutDelivery>) {
        let (ended, deliveries) = self.0.end_sessions(|session| match which {
            SessionSelector::Subject(sub) => session.authentication.sub == *sub,
            SessionSelector::Sid(sid) => session.authentication.sid == *sid,
        });
        (ended, deliveries.outcomes().await)
    }

    /// Revokes all grants of a user, refresh tokens included, and returns how many there were. Sessions stay.
    #[must_use]
    pub fn revoke_grants(&self, sub: &str) -> usize {
        let now = self.0.clock().now();
        self.0.state(|state| {
            let ids: Vec<String> = state
                .grants
                .iter(now)
                .filter(|(_, grant)| grant.authentication.sub == sub && !grant.revoked)
                .map(|(id, _)| id.clone())
                .collect();
            for id in &ids {
                state.revoke_grant(id, now);
            }
            ids.len()
        })
    }

    /// Changes settings while the provider runs. Lifetimes, switches and the time limit take effect at once; what
    /// is about keys, clients and the issuer was read at the start.
    pub fn change_settings(&self, change: impl FnOnce(&mut ProviderSettings)) {
        change(&mut self.0.0.settings.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Changes the registration of a client, for example where its logout tokens go.
    ///
    /// # Errors
    /// When there is no such client.
    pub fn change_client(&self, client_id: &str, change: impl FnOnce(&mut Client)) -> Result<(), ProviderError> {
        let mut clients = self.0.0.clients.write().unwrap_or_else(PoisonError::into_inner);
        let client = clients.get_mut(client_id).ok_or_else(|| ProviderError::UnknownClient(client_id.to_owned()))?;
        change(client);
        Ok(())
    }
}

fn find_user(name: &str) -> Result<User, ProviderError> {
    User::find(name).ok_or_else(|| ProviderError::UnknownUser(name.to_owned()))
}
