//! What a process must be told about a provider.

use std::time::Duration;

use url::{Host, Url};

use super::client_auth::ClientAuth;
use crate::{jwt::KeySetSettings, settings::Environment};

/// A provider, and who we are to it.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// The issuer identifier, exactly as the provider writes it, also in its tokens.
    pub issuer: String,
    /// Our client id.
    pub client_id: String,
    /// How we prove to be that client.
    pub client_auth: ClientAuth,
    /// In production, all addresses of the provider are https.
    pub environment: Environment,
    /// How old the metadata may get before it is fetched again.
    pub metadata_max_age: Duration,
    /// How the provider's keys are kept.
    pub keys: KeySetSettings,
    /// How many exchanged tokens are kept at most.
    pub max_exchanged_tokens: u64,
}

/// Settings with which no provider can be talked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderSettingsError {
    /// The issuer is no absolute http or https address without query and fragment.
    #[error("the issuer must be an absolute https address without query and fragment")]
    Issuer,
    /// The issuer's scheme is http and its host is not this machine.
    #[error("the issuer must be an https address outside the development environment")]
    InsecureIssuer,
    /// There is no client id.
    #[error("the client id must not be empty")]
    ClientId,
}

impl ProviderSettings {
    /// Production rules and defaults: metadata is kept for an hour, 10,000 exchanged tokens.
    #[must_use]
    pub fn new(issuer: &str, client_id: &str, client_auth: ClientAuth) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_auth,
            environment: Environment::Production,
            metadata_max_age: Duration::from_secs(3600),
            keys: KeySetSettings::default(),
            max_exchanged_tokens: 10_000,
        }
    }

    /// The same provider under the rules of this environment.
    #[must_use]
    pub fn in_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    pub(super) fn checked_issuer(&self) -> Result<Url, ProviderSettingsError> {
        let url = Url::parse(&self.issuer).map_err(|_| ProviderSettingsError::Issuer)?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
            return Err(ProviderSettingsError::Issuer);
        }
        if url.scheme() != "https" && !self.allows_http(&url) {
            return Err(ProviderSettingsError::InsecureIssuer);
        }
        if self.client_id.is_empty() {
            return Err(ProviderSettingsError::ClientId);
        }
        Ok(url)
    }

    /// Whether the provider's addresses may be http: in development, or where the issuer is on this machine.
    pub(super) fn allows_http(&self, issuer: &Url) -> bool {
        !self.environment.is_production() || (issuer.scheme() == "http" && is_loopback(issuer))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(issuer: &str, environment: Environment) -> Result<(), ProviderSettingsError> {
        ProviderSettings::new(issuer, "bff", ClientAuth::None).in_environment(environment).checked_issuer().map(|_| ())
    }

    #[test]
    fn an_issuer_is_an_https_address() {
        use Environment::{Development, Production};
        use ProviderSettingsError::{InsecureIssuer, Issuer};
        for (issuer, environment, expected) in [
            ("https://id.example", Production, Ok(())),
            ("https://id.example/realms/shop", Production, Ok(())),
            ("http://localhost:9000", Production, Ok(())),
            ("http://127.0.0.1:9000", Production, Ok(())),
            ("http://[::1]:9000", Production, Ok(())),
            ("http://provider:9000", Development, Ok(())),
            ("http://provider:9000", Production, Err(InsecureIssuer)),
            ("http://localhost.evil.example", Production, Err(InsecureIssuer)),
            ("https://id.example/?a=b", Production, Err(Issuer)),
            ("https://id.example/#a", Production, Err(Issuer)),
            ("https://user@id.example/", Production, Err(Issuer)),
            ("id.example", Production, Err(Issuer)),
            ("ftp://id.example", Development, Err(Issuer)),
        ] {
            assert_eq!(check(issuer, environment), expected, "{issuer}");
        }
    }
}
