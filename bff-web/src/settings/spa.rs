//! `[spa]`: where the single-page application is, what its pages may do, and who renders them.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;
use shared_lib::settings::{Findings, StringList, key};

use crate::spa::policy::{self, NONCE};

/// The most that rendered pages are given again, so that nobody sees an old one.
const MAX_RENDER_FRESH_MS: u64 = 60_000;

/// What `[spa]` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpaSettings {
    /// The folder with the built application; absent: what was built in, or else a small start page.
    pub folder: Option<PathBuf>,
    /// The memory that its files may take, in bytes.
    pub max_bytes: u64,
    /// The policy of its pages, with `{nonce}` where the nonce goes.
    pub content_security_policy: String,
    /// The downstream that renders pages; absent: browsers do.
    pub render: Option<String>,
    /// What the paths of rendered pages begin with.
    pub render_paths: StringList,
    /// How long a rendered page is given again, in milliseconds.
    pub render_fresh_ms: u64,
    /// The memory that rendered pages may take, in bytes.
    pub render_cache_bytes: u64,
}

impl SpaSettings {
    /// See [`SpaSettings::render_fresh_ms`].
    #[must_use]
    pub fn render_fresh(&self) -> Duration {
        Duration::from_millis(self.render_fresh_ms)
    }

    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let policy = key(prefix, "content_security_policy");
        findings.require(
            policy::is_valid(&self.content_security_policy),
            policy.as_str(),
            "must be a policy in one line",
        );
        let names_nonce = self.content_security_policy.contains(&format!("'nonce-{NONCE}'"));
        findings.require(names_nonce, policy, format!("must have 'nonce-{NONCE}' for the scripts of a page"));
        findings.require(
            self.render_paths.iter().all(|path| path.starts_with('/')),
            key(prefix, "render_paths"),
            "must be beginnings of paths, such as \"/\"",
        );
        findings.require(
            self.render_fresh_ms <= MAX_RENDER_FRESH_MS,
            key(prefix, "render_fresh_ms"),
            format!("must be from 0 to {MAX_RENDER_FRESH_MS}"),
        );
    }

    /// Checks what production asks for on top of [`SpaSettings::audit`].
    pub fn audit_production(&self, prefix: &str, findings: &mut Findings) {
        let unsafe_source = policy::unsafe_script_source(&self.content_security_policy);
        findings.require(
            unsafe_source.is_none(),
            key(prefix, "content_security_policy"),
            format!("must not let scripts run by {} in production", unsafe_source.unwrap_or_default()),
        );
    }
}
