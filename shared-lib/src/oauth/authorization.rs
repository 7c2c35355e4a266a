//! What begins a login: the secrets of the transaction and the address that the browser is sent to.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore as _;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{OAuthError, client::ProviderClient, metadata::MetadataError};
use crate::{context::RequestContext, settings::Secret};

/// 256 random bits as text, for a `state` or a `nonce`.
#[must_use]
pub fn random_token() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The secret of one login (RFC 7636): the challenge goes to the provider with the browser, the verifier later and
/// without it.
#[derive(Debug, Clone)]
pub struct Pkce {
    verifier: Secret,
}

impl Pkce {
    /// A fresh one, of 256 bits.
    #[must_use]
    pub fn generate() -> Self {
        Self { verifier: Secret::from(random_token()) }
    }

    /// One that was kept.
    #[must_use]
    pub fn from_verifier(verifier: Secret) -> Self {
        Self { verifier }
    }

    /// What is kept until the code comes, and goes with it.
    #[must_use]
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }

    /// What the provider is told beforehand (`S256`).
    #[must_use]
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose()))
    }
}

/// A login to be asked for (RFC 6749 section 4.1.1, OpenID Connect Core 3.1.2.1).
#[derive(Debug, Clone)]
pub struct AuthorizationRequest<'a> {
    /// Where the answer goes.
    pub redirect_uri: &'a str,
    /// What is asked for; `openid` among it for an ID token.
    pub scopes: &'a [String],
    /// Binds the answer to the browser that asked.
    pub state: &'a str,
    /// Binds the ID token to the login.
    pub nonce: &'a str,
    /// The challenge of [`Pkce::challenge`].
    pub code_challenge: &'a str,
    /// `none`, `login`, `consent`, `select_account`.
    pub prompt: Option<&'a str>,
    /// How long ago the login may have been.
    pub max_age: Option<Duration>,
    /// How strong the login should be, best first.
    pub acr_values: &'a [String],
    /// Who probably logs in.
    pub login_hint: Option<&'a str>,
    /// The languages of the page, best first.
    pub ui_locales: Option<&'a str>,
    /// Further parameters that a provider asks for, such as `audience`.
    pub extra: &'a [(String, String)],
}

impl<'a> AuthorizationRequest<'a> {
    /// A login with what every login needs.
    #[must_use]
    pub fn new(
        redirect_uri: &'a str,
        scopes: &'a [String],
        state: &'a str,
        nonce: &'a str,
        code_challenge: &'a str,
    ) -> Self {
        Self {
            redirect_uri,
            scopes,
            state,
            nonce,
            code_challenge,
            prompt: None,
            max_age: None,
            acr_values: &[],
            login_hint: None,
            ui_locales: None,
            extra: &[],
        }
    }

    fn parameters(&self) -> Vec<(&str, String)> {
        let mut parameters = vec![
            ("response_type", "code".to_owned()),
            ("redirect_uri", self.redirect_uri.to_owned()),
            ("scope", self.scopes.join(" ")),
            ("state", self.state.to_owned()),
            ("nonce", self.nonce.to_owned()),
            ("code_challenge", self.code_challenge.to_owned()),
            ("code_challenge_method", "S256".to_owned()),
        ];
        let optional = [
            ("prompt", self.prompt.map(str::to_owned)),
            ("max_age", self.max_age.map(|age| age.as_secs().to_string())),
            ("acr_values", (!self.acr_values.is_empty()).then(|| self.acr_values.join(" "))),
            ("login_hint", self.login_hint.map(str::to_owned)),
            ("ui_locales", self.ui_locales.map(str::to_owned)),
        ];
        parameters.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        // A parameter that stands twice is an error (RFC 6749 section 3.1), and ours come first.
        for (name, value) in self.extra {
            if name != "client_id" && !parameters.iter().any(|(known, _)| known == name) {
                parameters.push((name, value.clone()));
            }
        }
        parameters
    }
}

#[derive(Clone, Deserialize)]
struct PushedAnswer {
    request_uri: String,
}

impl ProviderClient {
    /// The address to send the browser to. Where the provider takes pushed requests, the request is pushed and the
    /// address carries only its name, so nobody between can read or change it.
    ///
    /// # Errors
    /// When the provider cannot be asked, refuses the pushed request, or has no authorization endpoint.
    pub async fn authorization_url(
        &self,
        context: &RequestContext,
        request: &AuthorizationRequest<'_>,
    ) -> Result<Url, OAuthError> {
        let metadata = self.metadata(context).await?;
        let endpoint = metadata.authorization_endpoint.clone();
        let mut url = endpoint.ok_or(MetadataError::Missing("authorization_endpoint"))?;
        let client_id = &self.settings().client_id;
        let Some(pushed_to) = metadata.pushed_authorization_request_endpoint.clone() else {
            if metadata.require_pushed_authorization_requests {
                return Err(MetadataError::Missing("pushed_authorization_request_endpoint").into());
            }
            url.query_pairs_mut().append_pair("client_id", client_id).extend_pairs(request.parameters());
            return Ok(url);
        };
        let call = self.form_call(context, pushed_to, &metadata, &request.parameters())?;
        let answer = call.json::<PushedAnswer>().await?.value;
        if answer.request_uri.is_empty() {
            return Err(OAuthError::Answer("request_uri"));
        }
        url.query_pairs_mut().append_pair("client_id", client_id).append_pair("request_uri", &answer.request_uri);
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: W1
    #[test]
    fn the_challenge_is_the_one_of_the_standard() {
        // RFC 7636 appendix B.
        let pkce = Pkce::from_verifier(Secret::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    /// Shows: W1
    #[test]
    fn every_secret_is_of_256_bits_and_fresh() {
        let tokens: std::collections::HashSet<_> = (0..100).map(|_| random_token()).collect();
        assert_eq!(tokens.len(), 100);
        assert!(tokens.iter().all(|token| token.len() == 43));
        assert_ne!(Pkce::generate().challenge(), Pkce::generate().challenge());
    }

    #[test]
    fn an_extra_parameter_cannot_replace_one_of_ours() {
        let extra = [("state", "forged"), ("client_id", "other"), ("audience", "api")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let scopes = ["openid".to_owned()];
        let mut request = AuthorizationRequest::new("https://shop.example/cb", &scopes, "s", "n", "c");
        request.extra = &extra;
        let parameters = request.parameters();
        assert_eq!(parameters.iter().filter(|(name, _)| *name == "state").count(), 1);
        assert!(parameters.contains(&("state", "s".to_owned())));
        assert!(!parameters.iter().any(|(name, _)| *name == "client_id"));
        assert!(parameters.contains(&("audience", "api".to_owned())));
    }
}
