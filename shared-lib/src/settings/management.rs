//! `[management]`: the listener for probes, metrics and operators, apart from the public one.

use serde::Deserialize;

use super::findings::{Findings, key};
use super::secret::Secret;

const MIN_OPERATOR_TOKEN_BYTES: usize = 16;

/// The management listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagementSettings {
    /// Address or name to listen on.
    pub host: String,
    /// Port to listen on; 0 lets the system choose one.
    pub port: u16,
    /// What operators show (`Authorization: Bearer`) to change something under `/admin`. Absent: nobody may.
    pub operator_token: Option<Secret>,
}

impl ManagementSettings {
    /// Checks ranges. `prefix` is the section's path, such as `management`.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        findings.require(!self.host.is_empty(), key(prefix, "host"), "must not be empty");
        let is_long_enough =
            self.operator_token.as_ref().is_none_or(|token| token.expose().len() >= MIN_OPERATOR_TOKEN_BYTES);
        findings.require(
            is_long_enough,
            key(prefix, "operator_token"),
            format!("must have at least {MIN_OPERATOR_TOKEN_BYTES} characters, or be left out"),
        );
    }
}
