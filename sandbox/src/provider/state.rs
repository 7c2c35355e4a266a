//! What the provider remembers: all of it in memory, bounded, and under one lock.
//!
//! One lock is what makes the rules about single use true: a code or a refresh token is checked and spent in
//! one step, so that of two requests with the same one exactly one gets through.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::authorization::AuthorizationRequest;
use super::expiring::Expiring;
use super::scopes::Scopes;

/// How strongly a user was authenticated: the value of `acr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acr {
    /// By password.
    Password,
    /// By password and a second factor.
    Mfa,
}

impl Acr {
    /// All of them, the weakest first.
    pub const ALL: [Self; 2] = [Self::Password, Self::Mfa];

    /// The value in requests and claims.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "urn:sandbox:password",
            Self::Mfa => "urn:sandbox:mfa",
        }
    }

    /// Reads a value; `None` for an unknown one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|acr| acr.name() == name)
    }

    /// The methods behind it: the value of `amr` (RFC 8176).
    #[must_use]
    pub fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Password => &["pwd"],
            Self::Mfa => &["pwd", "otp", "mfa"],
        }
    }
}

/// Who authenticated when and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authentication {
    /// The user's subject.
    pub(crate) sub: String,
    /// The id of the session at the provider.
    pub(crate) sid: String,
    /// When the user typed the password, in seconds since the epoch.
    pub(crate) auth_time: u64,
    /// How strongly.
    pub(crate) acr: Acr,
}

/// A login at the provider itself, in one browser.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Who, when and how.
    pub(crate) authentication: Authentication,
    /// The clients that got something out of it and hear of its end.
    pub(crate) clients: BTreeSet<String>,
}

/// An authorization request that waits for the user.
#[derive(Clone, Debug)]
pub(crate) struct Interaction {
    /// What was asked for.
    pub(crate) request: AuthorizationRequest,
    /// Failed passwords so far.
    pub(crate) failures: u8,
}

/// An authorization code that was given out.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    /// What it answers.
    pub(crate) request: AuthorizationRequest,
    /// Who signed in.
    pub(crate) authentication: Authentication,
    /// Until when it can be redeemed; it is remembered for longer, to notice a second use.
    pub(crate) expires_at: SystemTime,
    /// The grant that it was redeemed for.
    pub(crate) redeemed: Option<String>,
    /// The session ended before the code was redeemed.
    pub(crate) void: bool,
}

/// What a user granted a client: the family of a refresh token and the access tokens along with it.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// The client.
    pub(crate) client_id: String,
    /// Who granted it, and how they had signed in.
    pub(crate) authentication: Authentication,
    /// The scopes granted.
    pub(crate) scopes: Scopes,
    /// The key that a public client's refresh token is bound to (RFC 9449, 5).
    pub(crate) jkt: Option<String>,
    /// The hash of the one refresh token that can be used.
    pub(crate) refresh_hash: Option<String>,
    /// Until when.
    pub(crate) refresh_expires_at: SystemTime,
    /// Revoked by the client, by reuse, or with the session.
    pub(crate) revoked: bool,
}

/// Everything that changes while the provider runs.
pub(crate) struct State {
    /// Logins in progress, by interaction id.
    pub(crate) interactions: Expiring<Interaction>,
    /// Pushed authorization requests, by request URI.
    pub(crate) pushed: Expiring<AuthorizationRequest>,
    /// Authorization codes, by code.
    pub(crate) codes: Expiring<Code>,
    /// Sessions, by hash of the cookie's value.
    pub(crate) sessions: Expiring<Session>,
    /// Grants, by grant id.
    pub(crate) grants: Expiring<Grant>,
    /// Which grant an access token belongs to, by `jti`.
    pub(crate) access_tokens: Expiring<String>,
    /// Access tokens that were revoked one by one, by `jti`.
    pub(crate) denied: Expiring<()>,
    /// Client assertions and DPoP proofs that were used.
    pub(crate) replays: Expiring<()>,
}

impl State {
    /// An empty state. Full, it takes in the order of 200 MB.
    pub(crate) fn new() -> Self {
        Self {
            interactions: Expiring::new(10_000),
            pushed: Expiring::new(10_000),
            codes: Expiring::new(20_000),
            sessions: Expiring::new(50_000),
            grants: Expiring::new(100_000),
            access_tokens: Expiring::new(200_000),
            denied: Expiring::new(100_000),
            replays: Expiring::new(200_000),
        }
    }

    /// Revokes a grant and with it its refresh token and access tokens.
    pub(crate) fn revoke_grant(&mut self, grant_id: &str, now: SystemTime) {
        if let Some(grant) = self.grants.get_mut(grant_id, now) {
            grant.revoked = true;
            grant.refresh_hash = None;
        }
    }

    /// Whether an access token with a good signature has not been revoked since.
    pub(crate) fn is_active(&self, jti: &str, now: SystemTime) -> bool {
        if self.denied.get(jti, now).is_some() {
            return false;
        }
        match self.access_tokens.get(jti, now) {
            None => true,
            Some(grant_id) => self.grants.get(grant_id, now).is_some_and(|grant| !grant.revoked),
        }
    }

    /// Ends the session behind a cookie and returns it. Codes and grants of it end too, except grants with
    /// `offline_access`, whose purpose is to outlive the session (OpenID Connect Core, 11).
    pub(crate) fn end_session(&mut self, cookie_hash: &str, now: SystemTime) -> Option<Session> {
        let session = self.sessions.remove(cookie_hash, now)?;
        let sid = &session.authentication.sid;
        for grant in self.grants.values_mut(now) {
            if grant.authentication.sid == *sid && !grant.scopes.contains("offline_access") {
                grant.revoked = true;
                grant.refresh_hash = None;
            }
        }
        for code in self.codes.values_mut(now) {
            if code.authentication.sid == *sid {
                code.void = true;
            }
        }
        Some(session)
    }

    /// Ends all sessions that `matches` picks and returns them.
    pub(crate) fn end_sessions(&mut self, now: SystemTime, matches: impl Fn(&Session) -> bool) -> Vec<Session> {
        let picked: Vec<String> = self
            .sessions
            .iter(now)
            .filter(|(_, session)| matches(session))
            .map(|(cookie_hash, _)| cookie_hash.clone())
            .collect();
        picked.iter().filter_map(|cookie_hash| self.end_session(cookie_hash, now)).collect()
    }
}
