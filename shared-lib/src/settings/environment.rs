//! Where a service runs.

use serde::Deserialize;

/// Decides which unsafe mixes of settings are refused at start-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A developer's machine or a test: plain http, built-in secrets and development logins are allowed.
    Development,
    /// Anything that others can reach.
    Production,
}

impl Environment {
    /// Whether the strict rules hold.
    pub fn is_production(self) -> bool {
        self == Self::Production
    }
}
