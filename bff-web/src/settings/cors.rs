//! `[cors]`: pages of other origins that may call, in development only.

use serde::Deserialize;
use shared_lib::settings::{Findings, StringList, key};
use url::Url;

/// What `[cors]` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsSettings {
    /// The origins, each by its name.
    pub allowed_origins: StringList,
}

impl CorsSettings {
    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let is_origin = |text: &String| {
            Url::parse(text).is_ok_and(|url| {
                let is_name = matches!(url.scheme(), "http" | "https") && !text.contains('*');
                is_name && url.origin().ascii_serialization() == *text
            })
        };
        findings.require(
            self.allowed_origins.iter().all(is_origin),
            key(prefix, "allowed_origins"),
            "must be origins such as \"http://localhost:4200\", each by its name, without a path and never \"*\"",
        );
    }

    /// Checks what production asks for on top of [`CorsSettings::audit`].
    pub fn audit_production(&self, prefix: &str, findings: &mut Findings) {
        findings.require(
            self.allowed_origins.is_empty(),
            key(prefix, "allowed_origins"),
            "must be empty in production: the application and this service have one origin",
        );
    }
}
