//! `[oidc]`: the OpenID provider that people sign in at, and this service as its client.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use shared_lib::{
    downstream::DownstreamsSettings,
    jwt::Algorithm,
    oauth::{AssertionAudience, AssertionKey, ClientAuth},
    settings::{Findings, Secret, StringList, key},
};
use url::Url;

use super::PROVIDER;

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
    /// What it authenticates with, where that is a secret.
    pub client_secret: Secret,
    /// The private key (PKCS#8, PEM) that signs its assertions, for `private_key_jwt`.
    pub client_key: Option<Secret>,
    /// What that key is named at the provider.
    pub client_key_id: Option<String>,
    /// What that key signs with, such as `ES256`.
    pub client_key_algorithm: String,
    /// For whom the assertions are meant.
    pub client_assertion_audience: ClientAssertionAudience,
    /// The scopes that are asked for at sign-in.
    pub scopes: StringList,
    /// The `audience` parameter of the authorization request, for providers that want one.
    pub audience: Option<String>,
    /// How long before its expiry an access token is renewed.
    pub refresh_lead_ms: u64,
    /// The scopes of this service's own tokens.
    pub client_scopes: StringList,
    /// The audiences of services that take only tokens of their own, by the downstream's name.
    #[serde(default)]
    pub audiences: BTreeMap<String, String>,
}

/// How a confidential client authenticates (OpenID Connect Core section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// HTTP Basic.
    ClientSecretBasic,
    /// In the form.
    ClientSecretPost,
    /// By an assertion that it signs (RFC 7523): the provider holds nothing that could be stolen from it.
    PrivateKeyJwt,
}

/// For whom a client's assertions are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAssertionAudience {
    /// The issuer.
    Issuer,
    /// The token endpoint, which some providers insist on.
    TokenEndpoint,
}

impl OidcSettings {
    /// See [`OidcSettings::refresh_lead_ms`].
    #[must_use]
    pub fn refresh_lead(&self) -> Duration {
        Duration::from_millis(self.refresh_lead_ms)
    }

    /// How this service authenticates, put together. `None` when the key cannot be used.
    #[must_use]
    pub fn client_auth(&self) -> Option<ClientAuth> {
        Some(match self.client_authentication {
            ClientAuthentication::ClientSecretBasic => ClientAuth::SecretBasic(self.client_secret.clone()),
            ClientAuthentication::ClientSecretPost => ClientAuth::SecretPost(self.client_secret.clone()),
            ClientAuthentication::PrivateKeyJwt => {
                let algorithm = Algorithm::from_name(&self.client_key_algorithm)?;
                let key = AssertionKey::from_pem(self.client_key.as_ref()?, algorithm, self.client_key_id.as_deref());
                ClientAuth::PrivateKeyJwt(key.ok()?.for_audience(match self.client_assertion_audience {
                    ClientAssertionAudience::Issuer => AssertionAudience::Issuer,
                    ClientAssertionAudience::TokenEndpoint => AssertionAudience::TokenEndpoint,
                }))
            }
        })
    }

    /// Checks that audiences are of services that there are.
    pub(super) fn audit_audiences(&self, prefix: &str, downstreams: &DownstreamsSettings, findings: &mut Findings) {
        for (name, audience) in &self.audiences {
            let path = key(&key(prefix, "audiences"), name);
            let is_service = name != PROVIDER && downstreams.contains_key(name);
            findings.require(is_service, &path, "must be named after one of [downstreams.*], and not the provider");
            findings.require(!audience.is_empty(), &path, "must not be empty");
        }
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
        let has_key = self.client_authentication == ClientAuthentication::PrivateKeyJwt;
        let has_secret = has_key || !self.client_secret.is_empty();
        findings.require(has_secret, key(prefix, "client_secret"), "must not be empty");
        let is_known = Algorithm::from_name(&self.client_key_algorithm).is_some();
        let message = "must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";
        findings.require(is_known, key(prefix, "client_key_algorithm"), message);
        let message = "must be a private key (PKCS#8, PEM) for client_key_algorithm";
        findings.require(!is_known || self.client_auth().is_some(), key(prefix, "client_key"), message);
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
