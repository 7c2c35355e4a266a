//! `[oidc]`: this BFF as a client of the OpenID provider, where it gets its own tokens (client credentials).

use serde::Deserialize;
use shared_lib::settings::{Findings, Secret, key};
use url::Url;

/// This BFF as a client of the OpenID provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// The provider's issuer identifier.
    pub issuer: String,
    /// The name under which this BFF is registered.
    pub client_id: String,
    /// Its secret, for `client_secret_basic`.
    pub client_secret: Secret,
    /// The audience of the services behind it.
    pub audience: String,
}

impl OidcSettings {
    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let issuer = "must be an issuer's identifier, such as https://id.example.com";
        findings.require(is_issuer(&self.issuer), key(prefix, "issuer"), issuer);
        findings.require(!self.client_id.is_empty(), key(prefix, "client_id"), "must not be empty");
        findings.require(!self.client_secret.is_empty(), key(prefix, "client_secret"), "must not be empty");
        findings.require(!self.audience.is_empty(), key(prefix, "audience"), "must not be empty");
    }

    /// Checks what production asks for on top.
    pub fn audit_production(&self, prefix: &str, findings: &mut Findings) {
        let message = "must be https in production";
        findings.require(self.issuer.starts_with("https://"), key(prefix, "issuer"), message);
    }
}

/// Whether the text is an issuer identifier: an address without query and fragment (RFC 8414 section 2). Plain http is
/// for development.
fn is_issuer(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none()
    })
}
