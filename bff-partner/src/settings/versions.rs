//! `[versions.<name>]`: the ends of the versions of the API.

use serde::Deserialize;
use shared_lib::{
    settings::{Findings, key},
    versioning::VersionSettings,
};

/// The versions that there are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VersionsSettings {
    /// `/v1`.
    pub v1: VersionSettings,
}

impl VersionsSettings {
    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        self.v1.audit(&key(prefix, "v1"), findings);
    }
}
