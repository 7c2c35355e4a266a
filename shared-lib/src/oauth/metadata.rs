//! The provider's metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2), believed only when it says of
//! itself what we were told, and only with addresses that are safe to send secrets to.

use serde::Deserialize;
use url::Url;

use super::settings::ProviderSettings;

/// Why metadata cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Its issuer is not exactly the one that was asked for (RFC 8414 section 3.3): a mix-up, or a slash too many.
    #[error("the issuer in the metadata is not the configured one")]
    Issuer,
    /// An address is not https.
    #[error("the metadata's {0} is not an https address")]
    Insecure(&'static str),
    /// It does not offer what was asked for.
    #[error("the metadata has no {0}")]
    Missing(&'static str),
    /// It says that PKCE with S256 is not supported, without which no login is safe.
    #[error("the provider does not support PKCE with S256")]
    Pkce,
}

/// Whose authorization response this is cannot be told, or it is somebody else's (RFC 9207 section 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseIssuerError {
    /// `iss` is another issuer.
    #[error("the authorization response is from another issuer")]
    Mismatch,
    /// `iss` is missing although the provider says that it always sends it.
    #[error("the authorization response names no issuer")]
    Missing,
}

/// What a provider says of itself, as far as it is used.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// The issuer identifier.
    pub issuer: String,
    /// Where users log in.
    pub authorization_endpoint: Option<Url>,
    /// Where tokens are given.
    pub token_endpoint: Option<Url>,
    /// Where the public keys are.
    pub jwks_uri: Option<Url>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<Url>,
    /// Where users log out (OpenID Connect RP-Initiated Logout).
    pub end_session_endpoint: Option<Url>,
    /// Where claims about the user are had.
    pub userinfo_endpoint: Option<Url>,
    /// Where authorization requests are pushed (RFC 9126).
    pub pushed_authorization_request_endpoint: Option<Url>,
    /// Whether they must be.
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// Whether authorization responses carry `iss` (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// The methods of PKCE. Many providers leave it out although they support them.
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether the provider calls us when a session ends there.
    #[serde(default)]
    pub backchannel_logout_supported: bool,
}

impl Metadata {
    /// Checks it against what was configured.
    pub(super) fn check(&self, settings: &ProviderSettings, issuer: &Url) -> Result<(), MetadataError> {
        if self.issuer != settings.issuer {
            return Err(MetadataError::Issuer);
        }
        let allows_http = settings.allows_http(issuer);
        for (name, endpoint) in [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
            ("jwks_uri", &self.jwks_uri),
            ("revocation_endpoint", &self.revocation_endpoint),
            ("end_session_endpoint", &self.end_session_endpoint),
            ("userinfo_endpoint", &self.userinfo_endpoint),
            ("pushed_authorization_request_endpoint", &self.pushed_authorization_request_endpoint),
        ] {
            let safe = endpoint.as_ref().is_none_or(|url| match url.scheme() {
                "https" => true,
                "http" => allows_http,
                _ => false,
            });
            if !safe {
                return Err(MetadataError::Insecure(name));
            }
        }
        let methods = self.code_challenge_methods_supported.as_ref();
        if methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
            return Err(MetadataError::Pkce);
        }
        Ok(())
    }

    /// Checks the `iss` of an authorization response against this provider, before its code is sent anywhere.
    ///
    /// # Errors
    /// [`ResponseIssuerError`].
    pub fn check_response_issuer(&self, iss: Option<&str>) -> Result<(), ResponseIssuerError> {
        match iss {
            Some(iss) if iss == self.issuer => Ok(()),
            Some(_) => Err(ResponseIssuerError::Mismatch),
            None if self.authorization_response_iss_parameter_supported => Err(ResponseIssuerError::Missing),
            None => Ok(()),
        }
    }

    pub(super) fn token_endpoint(&self) -> Result<Url, MetadataError> {
        self.token_endpoint.clone().ok_or(MetadataError::Missing("token_endpoint"))
    }
}

/// Where the metadata of an issuer may be: by OpenID Connect Discovery (section 4) the path is appended, by RFC 8414
/// (section 3.1) it is put between host and path.
pub(super) fn addresses(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/').to_owned();
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    [
        at(format!("{path}/.well-known/openid-configuration")),
        at(format!("/.well-known/oauth-authorization-server{path}")),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::oauth::ClientAuth;

    fn check(issuer: &str, document: Value) -> Result<(), MetadataError> {
        let settings = ProviderSettings::new(issuer, "bff", ClientAuth::None);
        let metadata: Metadata = serde_json::from_value(document).expect("metadata");
        metadata.check(&settings, &Url::parse(issuer).expect("an address"))
    }

    fn document(issuer: &str) -> Value {
        json!({ "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks") })
    }

    /// Shows: W2
    #[test]
    fn the_issuer_is_compared_exactly() {
        let configured = "https://id.example/realms/shop";
        assert_eq!(check(configured, document(configured)), Ok(()));
        for other in [
            "https://id.example/realms/shop/",
            "https://id.example/realms/Shop",
            "https://ID.example/realms/shop",
            "https://id.example:443/realms/shop",
            "http://id.example/realms/shop",
            "",
        ] {
            let mut document = document(configured);
            document["issuer"] = json!(other);
            assert_eq!(check(configured, document), Err(MetadataError::Issuer), "{other}");
        }
    }

    /// Shows: W2
    #[test]
    fn every_address_must_be_https_unless_the_issuer_is_on_this_machine() {
        let secure = "https://id.example";
        for name in
            ["authorization_endpoint", "token_endpoint", "jwks_uri", "revocation_endpoint", "end_session_endpoint"]
        {
            let mut document = document(secure);
            document[name] = json!("http://id.example/x");
            assert_eq!(check(secure, document.clone()), Err(MetadataError::Insecure(name)));
            document[name] = json!("javascript:alert(1)");
            assert_eq!(check(secure, document), Err(MetadataError::Insecure(name)));
        }
        assert_eq!(check("http://127.0.0.1:9000", document("http://127.0.0.1:9000")), Ok(()));
        assert_eq!(
            check("http://id.example", document("http://id.example")),
            Err(MetadataError::Insecure("authorization_endpoint"))
        );
    }

    /// Shows: W1
    #[test]
    fn a_provider_that_does_not_support_pkce_is_refused() {
        let issuer = "https://id.example";
        let with = |methods: Value| {
            let mut document = document(issuer);
            document["code_challenge_methods_supported"] = methods;
            check(issuer, document)
        };
        assert_eq!(with(json!(["plain"])), Err(MetadataError::Pkce));
        assert_eq!(with(json!(["plain", "S256"])), Ok(()));
    }

    /// Shows: W2
    #[test]
    fn the_issuer_of_an_authorization_response_must_be_the_provider() {
        let mut document = document("https://id.example");
        let silent: Metadata = serde_json::from_value(document.clone()).expect("metadata");
        document["authorization_response_iss_parameter_supported"] = json!(true);
        let speaking: Metadata = serde_json::from_value(document).expect("metadata");
        for metadata in [&silent, &speaking] {
            assert_eq!(metadata.check_response_issuer(Some("https://id.example")), Ok(()));
            assert_eq!(metadata.check_response_issuer(Some("https://id.example/")), Err(ResponseIssuerError::Mismatch));
            assert_eq!(metadata.check_response_issuer(Some("")), Err(ResponseIssuerError::Mismatch));
        }
        assert_eq!(silent.check_response_issuer(None), Ok(()));
        assert_eq!(speaking.check_response_issuer(None), Err(ResponseIssuerError::Missing));
    }

    #[test]
    fn both_well_known_addresses_are_known() {
        let addresses_of = |issuer: &str| addresses(&Url::parse(issuer).expect("an address")).map(String::from);
        assert_eq!(
            addresses_of("https://id.example/realms/shop/"),
            [
                "https://id.example/realms/shop/.well-known/openid-configuration",
                "https://id.example/.well-known/oauth-authorization-server/realms/shop"
            ]
        );
        assert_eq!(
            addresses_of("http://localhost:9000"),
            [
                "http://localhost:9000/.well-known/openid-configuration",
                "http://localhost:9000/.well-known/oauth-authorization-server"
            ]
        );
    }
}
