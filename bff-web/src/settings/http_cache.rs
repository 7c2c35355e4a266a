//! `[http_cache]`: how long browsers and shared caches may keep what is the same for everyone.

use serde::Deserialize;
use shared_lib::settings::{Findings, key};

const DAY: u32 = 86_400;

/// What goes into `Cache-Control` of public answers. Private ones are never kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCacheSettings {
    /// How long an answer is used without asking, in seconds.
    pub public_max_age_seconds: u32,
    /// How long after that it is used while it is asked for anew, in seconds.
    pub public_stale_while_revalidate_seconds: u32,
}

impl HttpCacheSettings {
    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        for (name, value) in [
            ("public_max_age_seconds", self.public_max_age_seconds),
            ("public_stale_while_revalidate_seconds", self.public_stale_while_revalidate_seconds),
        ] {
            findings.require(value <= DAY, key(prefix, name), format!("must be from 0 to {DAY}"));
        }
    }
}
