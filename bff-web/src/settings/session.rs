//! `[session]`: how long people stay signed in, where that is kept, and the cookies that go with it.

use std::time::Duration;

use actix_web::cookie::SameSite;
use serde::Deserialize;
use shared_lib::settings::{Findings, Secret, key};

const MIN_KEY_BYTES: usize = 32;

/// Sessions and their cookies.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSettings {
    /// Where sessions are kept.
    pub store: SessionStoreKind,
    /// What the keys of cookies, login attempts and CSRF tokens are derived from.
    pub key: Secret,
    /// The keys before that, separated by commas or white space: they open and check, but seal and sign no more.
    pub previous_keys: Option<Secret>,
    /// How long a session lasts without a request.
    pub idle_timeout_ms: u64,
    /// How long a session lasts at most.
    pub absolute_timeout_ms: u64,
    /// Sessions that the memory store keeps at most.
    pub max_sessions: usize,
    /// The session cookie's name, without the prefix that it gets over https.
    pub cookie_name: String,
    /// The session cookie's SameSite attribute.
    pub cookie_same_site: SameSiteSetting,
    /// How long the one replica that refreshes a session's tokens has for itself without a sign of life.
    pub refresh_lease_ms: u64,
    /// How long one attempt to sign in may take.
    pub login_lifetime_ms: u64,
    /// Attempts of one browser that may be under way at once.
    pub max_logins: usize,
}

/// Where sessions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStoreKind {
    /// In the memory of this process.
    Memory,
    /// In Redis, for all replicas.
    Redis,
}

/// The SameSite attribute of a cookie (RFC 6265bis section 5.6.7). `None` is not offered: the session must not go along
/// with requests that another site makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SameSiteSetting {
    /// Only with requests that our own pages make.
    Strict,
    /// Also when someone follows a link from elsewhere.
    Lax,
}

impl From<SameSiteSetting> for SameSite {
    fn from(setting: SameSiteSetting) -> Self {
        match setting {
            SameSiteSetting::Strict => Self::Strict,
            SameSiteSetting::Lax => Self::Lax,
        }
    }
}

impl SessionSettings {
    /// See [`SessionSettings::idle_timeout_ms`].
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    /// See [`SessionSettings::absolute_timeout_ms`].
    #[must_use]
    pub fn absolute_timeout(&self) -> Duration {
        Duration::from_millis(self.absolute_timeout_ms)
    }

    /// See [`SessionSettings::refresh_lease_ms`].
    #[must_use]
    pub fn refresh_lease(&self) -> Duration {
        Duration::from_millis(self.refresh_lease_ms)
    }

    /// See [`SessionSettings::previous_keys`].
    pub fn former_keys(&self) -> impl Iterator<Item = Secret> {
        let keys = self.previous_keys.as_ref().map(Secret::expose).unwrap_or_default();
        keys.split([',', ' ', '\t', '\r', '\n']).filter(|key| !key.is_empty()).map(Secret::from)
    }

    /// See [`SessionSettings::login_lifetime_ms`].
    #[must_use]
    pub fn login_lifetime(&self) -> Duration {
        Duration::from_millis(self.login_lifetime_ms)
    }

    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let is_long = self.key.expose().len() >= MIN_KEY_BYTES;
        findings.require(is_long, key(prefix, "key"), format!("must have at least {MIN_KEY_BYTES} characters"));
        let are_long = self.former_keys().all(|key| key.expose().len() >= MIN_KEY_BYTES);
        let message = format!("must each have at least {MIN_KEY_BYTES} characters");
        findings.require(are_long, key(prefix, "previous_keys"), message);
        let message = "must be from 300 to 60000";
        findings.require((300..=60_000).contains(&self.refresh_lease_ms), key(prefix, "refresh_lease_ms"), message);
        for (name, value, max) in [
            ("idle_timeout_ms", self.idle_timeout_ms, 86_400_000),
            ("absolute_timeout_ms", self.absolute_timeout_ms, 2_592_000_000),
            ("login_lifetime_ms", self.login_lifetime_ms, 3_600_000),
        ] {
            let message = format!("must be from 1000 to {max}");
            findings.require((1_000..=max).contains(&value), key(prefix, name), message);
        }
        findings.require(
            self.idle_timeout_ms <= self.absolute_timeout_ms,
            key(prefix, "idle_timeout_ms"),
            "must not be longer than absolute_timeout_ms",
        );
        findings.require(self.max_sessions >= 1, key(prefix, "max_sessions"), "must be at least 1");
        findings.require((1..=20).contains(&self.max_logins), key(prefix, "max_logins"), "must be from 1 to 20");
        let is_token = !self.cookie_name.is_empty()
            && self.cookie_name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let message = "must be of A-Z a-z 0-9 - _ and not empty; the prefix __Host- comes by itself";
        findings.require(is_token && !self.cookie_name.starts_with("__"), key(prefix, "cookie_name"), message);
    }
}
