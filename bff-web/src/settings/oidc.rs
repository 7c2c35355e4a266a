//! `[oidc]`: the OpenID provider that people sign in at, and this service as its client.

use std::time::Duration;

use serde::Deserialize;
use shared_lib::settings::{Findings, Secret, StringList, key};
use url::Url;

/// The OpenID provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// The issuer, exactly as its metadata and its tokens write it.
    pub issuer: String,
    /// This service's name at the provider.
    pub client_id: String,
    /// How this service authenticates at the token endpoint.
    pub client_authentication: ClientAuthentication,
    /// What it authenticates with.
    pub client_secret: Secret,
    /// The scopes that are asked for at sign-in.
    pub scopes: StringList,
    /// The `audience` parameter of the authorization request, for providers that want one.
    pub audience: Option<String>,
    /// How long before its expiry an access token is renewed.
    pub refresh_lead_ms: u64,
}

/// How a confidential client authenticates (OpenID Connect Core section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// HTTP Basic.
    ClientSecretBasic,
    /// In the form.
    ClientSecretPost,
}

impl OidcSettings {
    /// See [`OidcSettings::refresh_lead_ms`].
    #[must_use]
    pub fn refresh_lead(&self) -> Duration {
        Duration::from_millis(self.refresh_lead_ms)
    }

    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let issuer = Url::parse(&self.issuer);
        let is_issuer = issuer.as_ref().is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        let message = "must be an absolute http or https address without query and fragment, as the provider writes it";
        findings.require(is_issuer, key(prefix, "issuer"), message);
        findings.require(!self.client_id.is_empty(), key(prefix, "client_id"), "must not be empty");
        findings.require(!self.client_secret.is_empty(), key(prefix, "client_secret"), "must not be empty");
        let asks_for_identity = self.scopes.iter().any(|scope| scope == "openid");
        findings.require(asks_for_identity, key(prefix, "scopes"), "must contain openid");
        findings.require(
            self.refresh_lead_ms <= 3_600_000,
            key(prefix, "refresh_lead_ms"),
            "must be from 0 to 3600000",
        );
    }

    /// Checks what production asks for on top.
    pub fn audit_production(&self, prefix: &str, findings: &mut Findings) {
        findings.require(self.issuer.starts_with("https://"), key(prefix, "issuer"), "must be https in production");
    }
}
