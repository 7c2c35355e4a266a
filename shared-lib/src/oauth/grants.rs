//! The token endpoint (RFC 6749 section 3.2). Each request to it is sent once.

use std::time::Duration;

use serde::Deserialize;

use super::{OAuthError, authorization::Pkce, client::ProviderClient};
use crate::{context::RequestContext, settings::Secret};

/// How an access token is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// By whoever bears it (RFC 6750).
    Bearer,
    /// With a proof of the key that it is bound to (RFC 9449).
    Dpop,
}

/// What the provider gives (RFC 6749 section 5.1, OpenID Connect Core 3.1.3.3).
#[derive(Debug, Clone)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: Secret,
    /// How it is used.
    pub kind: TokenKind,
    /// The refresh token. At a refresh, one that is missing means that the old one stays good.
    pub refresh_token: Option<Secret>,
    /// The ID token, unverified.
    pub id_token: Option<Secret>,
    /// How long the access token is good for, from when it was asked for.
    pub expires_in: Option<Duration>,
    /// The scopes, where they are not those that were asked for.
    pub scope: Option<String>,
}

/// A code to be exchanged (RFC 6749 section 4.1.3).
#[derive(Debug, Clone, Copy)]
pub struct CodeExchange<'a> {
    /// The code from the authorization response.
    pub code: &'a Secret,
    /// The address that it came to, as it was asked for.
    pub redirect_uri: &'a str,
    /// The secret of the login.
    pub pkce: &'a Pkce,
}

/// The answer as it is sent. It has no `Debug`, so that it cannot reach a log.
#[derive(Clone, Deserialize)]
struct WireResponse {
    access_token: String,
    token_type: String,
    refresh_token: Option<String>,
    id_token: Option<String>,
    expires_in: Option<u64>,
    scope: Option<String>,
}

impl ProviderClient {
    /// Exchanges a code for tokens. The ID token still has to be verified.
    ///
    /// # Errors
    /// [`OAuthError::is_invalid_grant`] for a code that is no good.
    pub async fn exchange_code(
        &self,
        context: &RequestContext,
        exchange: &CodeExchange<'_>,
    ) -> Result<TokenResponse, OAuthError> {
        let parameters = [
            ("grant_type", "authorization_code".to_owned()),
            ("code", exchange.code.expose().to_owned()),
            ("redirect_uri", exchange.redirect_uri.to_owned()),
            ("code_verifier", exchange.pkce.verifier().expose().to_owned()),
        ];
        self.tokens(context, &parameters).await
    }

    /// Exchanges a refresh token for new tokens. The refresh token must be considered used up, whatever comes of it,
    /// unless [`OAuthError::delivery`] says that it was not sent.
    ///
    /// # Errors
    /// [`OAuthError::is_invalid_grant`] for a refresh token that is dead.
    pub async fn refresh(&self, context: &RequestContext, refresh_token: &Secret) -> Result<TokenResponse, OAuthError> {
        let parameters =
            [("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh_token.expose().to_owned())];
        self.tokens(context, &parameters).await
    }

    /// One request to the token endpoint.
    pub(super) async fn tokens(
        &self,
        context: &RequestContext,
        parameters: &[(&str, String)],
    ) -> Result<TokenResponse, OAuthError> {
        let metadata = self.metadata(context).await?;
        let call = self.form_call(context, metadata.token_endpoint()?, &metadata, parameters)?;
        read(call.json::<WireResponse>().await?.value)
    }
}

fn read(answer: WireResponse) -> Result<TokenResponse, OAuthError> {
    let kind = match answer.token_type.to_ascii_lowercase().as_str() {
        "bearer" => TokenKind::Bearer,
        "dpop" => TokenKind::Dpop,
        _ => return Err(OAuthError::Answer("token_type")),
    };
    if answer.access_token.is_empty() {
        return Err(OAuthError::Answer("access_token"));
    }
    let secret = |text: Option<String>| text.filter(|text| !text.is_empty()).map(Secret::from);
    Ok(TokenResponse {
        access_token: Secret::from(answer.access_token),
        kind,
        refresh_token: secret(answer.refresh_token),
        id_token: secret(answer.id_token),
        expires_in: answer.expires_in.map(Duration::from_secs),
        scope: answer.scope,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_json(answer: Value) -> Result<TokenResponse, OAuthError> {
        read(serde_json::from_value(answer).expect("an answer"))
    }

    #[test]
    fn the_type_of_a_token_is_compared_without_case() {
        for (name, kind) in [("bearer", TokenKind::Bearer), ("Bearer", TokenKind::Bearer), ("DPoP", TokenKind::Dpop)] {
            let read = read_json(json!({ "access_token": "a", "token_type": name })).expect("tokens");
            assert_eq!(read.kind, kind);
        }
        let other = read_json(json!({ "access_token": "a", "token_type": "mac" }));
        assert!(matches!(other, Err(OAuthError::Answer("token_type"))));
    }

    #[test]
    fn an_empty_token_is_no_token() {
        let none = read_json(json!({ "access_token": "", "token_type": "Bearer" }));
        assert!(matches!(none, Err(OAuthError::Answer("access_token"))));
        let some = json!({ "access_token": "a", "token_type": "Bearer", "refresh_token": "", "expires_in": 60 });
        let some = read_json(some).expect("tokens");
        assert!(some.refresh_token.is_none());
        assert_eq!(some.expires_in, Some(Duration::from_secs(60)));
    }

    #[test]
    fn debug_output_shows_no_token() {
        let answer = json!({ "access_token": "hush-a", "token_type": "Bearer", "refresh_token": "hush-r", "id_token": "hush-i" });
        let shown = format!("{:?}", read_json(answer).expect("tokens"));
        assert!(!shown.contains("hush"), "{shown}");
    }
}
