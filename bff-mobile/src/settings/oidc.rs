//! `[oidc]`: this BFF as a client of the OpenID provider, where it exchanges its callers' tokens (RFC 8693).

use serde::Deserialize;
use shared_lib::settings::{Findings, Secret, key};

use super::is_issuer;

/// This BFF as a client of the OpenID provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// The provider's issuer identifier; absent: that of `[jwt]`.
    pub issuer: Option<String>,
    /// The name under which this BFF is registered.
    pub client_id: String,
    /// Its secret, for `client_secret_basic`.
    pub client_secret: Secret,
    /// The audience of the services behind it: what callers' tokens are exchanged for.
    pub audience: String,
}

impl OidcSettings {
    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let issuer = "must be an issuer's identifier, such as https://id.example.com, or be left out";
        findings.require(self.issuer.as_deref().is_none_or(is_issuer), key(prefix, "issuer"), issuer);
        findings.require(!self.client_id.is_empty(), key(prefix, "client_id"), "must not be empty");
        findings.require(!self.client_secret.is_empty(), key(prefix, "client_secret"), "must not be empty");
        findings.require(!self.audience.is_empty(), key(prefix, "audience"), "must not be empty");
    }

    /// Checks what production asks for on top.
    pub fn audit_production(&self, prefix: &str, findings: &mut Findings) {
        let is_https = self.issuer.as_deref().is_none_or(|issuer| issuer.starts_with("https://"));
        findings.require(is_https, key(prefix, "issuer"), "must be https in production");
    }
}
