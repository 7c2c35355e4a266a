//! `[redis]`: where replicas count together.

use std::time::Duration;

use serde::Deserialize;
use shared_lib::{
    rate_limit::SharedSettings,
    settings::{Findings, Secret, key},
};
use url::Url;

/// Redis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// Its address, with the password; empty: there is none.
    pub url: Secret,
    /// What the name of every key begins with.
    pub key_prefix: String,
    /// The longest that opening a connection may take.
    pub connect_timeout_ms: u64,
    /// The longest that an answer may take.
    pub response_timeout_ms: u64,
    /// How long a Redis that did not answer is left alone.
    pub retry_ms: u64,
}

impl RedisSettings {
    /// Where limits are counted together, if anywhere.
    #[must_use]
    pub fn shared_tier(&self) -> Option<SharedSettings> {
        (!self.url.is_empty()).then(|| SharedSettings {
            url: self.url.clone(),
            key_prefix: self.key_prefix.clone(),
            connect_timeout: Duration::from_millis(self.connect_timeout_ms),
            response_timeout: Duration::from_millis(self.response_timeout_ms),
            retry: Duration::from_millis(self.retry_ms),
        })
    }

    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let message = "must be empty, or redis://[[user]:password@]host[:port][/database]";
        findings.require(self.url.is_empty() || is_address(self.url.expose()), key(prefix, "url"), message);
        let is_plain = !self.key_prefix.is_empty()
            && self.key_prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
        findings.require(is_plain, key(prefix, "key_prefix"), "must be of A-Z a-z 0-9 - _ . : and not empty");
        for (name, value) in [
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("response_timeout_ms", self.response_timeout_ms),
            ("retry_ms", self.retry_ms),
        ] {
            findings.require((10..=10_000).contains(&value), key(prefix, name), "must be from 10 to 10000");
        }
    }
}

fn is_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "redis" | "unix" | "redis+unix"))
}
