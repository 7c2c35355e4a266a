//! `[redis]`: where sessions are when more than one replica keeps them.

use std::time::Duration;

use serde::Deserialize;
use shared_lib::settings::{Findings, Secret, key};

/// Redis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// Its address, with the password.
    pub url: Secret,
    /// What the name of every key begins with.
    pub key_prefix: String,
    /// The longest that opening a connection may take.
    pub connect_timeout_ms: u64,
    /// The longest that an answer may take.
    pub response_timeout_ms: u64,
}

impl RedisSettings {
    /// See [`RedisSettings::connect_timeout_ms`].
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    /// See [`RedisSettings::response_timeout_ms`].
    #[must_use]
    pub fn response_timeout(&self) -> Duration {
        Duration::from_millis(self.response_timeout_ms)
    }

    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let is_address = redis::Client::open(self.url.expose()).is_ok();
        let message = "must be redis://[[user]:password@]host[:port][/database] or unix:///path";
        findings.require(is_address, key(prefix, "url"), message);
        let is_plain = !self.key_prefix.is_empty()
            && self.key_prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
        findings.require(is_plain, key(prefix, "key_prefix"), "must be of A-Z a-z 0-9 - _ . : and not empty");
        for (name, value) in
            [("connect_timeout_ms", self.connect_timeout_ms), ("response_timeout_ms", self.response_timeout_ms)]
        {
            findings.require((10..=10_000).contains(&value), key(prefix, name), "must be from 10 to 10000");
        }
    }
}
