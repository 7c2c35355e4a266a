//! Tokens of any shape for tests: right ones to begin with, then bent as a test needs.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value, json};

use super::keys::SigningKey;
use super::random::token;
use super::tokens::ACCESS_TOKEN_TYPE;
use super::{Provider, ProviderError};

/// With what a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningChoice {
    /// The provider's current key.
    Current,
    /// A key that is published nowhere, under its own key id.
    UnknownKey,
    /// A key that is published nowhere, under the id of the current key.
    ForgedKeyId,
    /// HS256 with the text of the published key as secret: the algorithm confusion of RFC 8725, 2.1.
    HmacOfPublicKey,
    /// Not at all: `alg` is `none`.
    Unsigned,
}

/// A JWT in the making. It begins with claims that are right.
#[derive(Clone)]
pub struct JwtBuilder {
    provider: Provider,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    signing: SigningChoice,
}

impl JwtBuilder {
    /// A builder for a JWT of type `typ` that lives from now for `lifetime`.
    pub(crate) fn new(provider: Provider, typ: &str, lifetime: Duration) -> Result<Self, ProviderError> {
        let now = provider.clock().unix_seconds();
        let issuer = provider.issuer();
        let builder = Self { provider, header: Map::new(), claims: Map::new(), signing: SigningChoice::Current };
        Ok(builder
            .header("typ", json!(typ))
            .claim("iss", json!(issuer))
            .claim("iat", json!(now))
            .claim("exp", json!(now + lifetime.as_secs()))
            .claim("jti", json!(token::<16>()?)))
    }

    /// A builder for an access token (RFC 9068).
    pub(crate) fn access_token(
        provider: Provider,
        sub: &str,
        client_id: &str,
        audience: &str,
        lifetime: Duration,
    ) -> Result<Self, ProviderError> {
        Ok(Self::new(provider, ACCESS_TOKEN_TYPE, lifetime)?
            .claim("sub", json!(sub))
            .claim("aud", json!(audience))
            .claim("client_id", json!(client_id)))
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a member of the header. `alg` is set by what signs.
    #[must_use]
    pub fn header(mut self, name: &str, value: Value) -> Self {
        self.header.insert(name.to_owned(), value);
        self
    }

    /// Leaves a member of the header out.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.insert(name.to_owned(), Value::Null);
        self
    }

    /// Sets the scopes.
    #[must_use]
    pub fn scopes(self, scopes: &[&str]) -> Self {
        self.claim("scope", json!(scopes.join(" ")))
    }

    /// Binds the token to the key with that thumbprint (RFC 9449, 6).
    #[must_use]
    pub fn bound_to(self, jkt: &str) -> Self {
        self.claim("cnf", json!({ "jkt": jkt }))
    }

    /// Makes the token older: issued and ended that much earlier.
    #[must_use]
    pub fn aged(mut self, by: Duration) -> Self {
        for name in ["iat", "exp"] {
            if let Some(moment) = self.claims.get(name).and_then(Value::as_u64) {
                self.claims.insert(name.to_owned(), json!(moment.saturating_sub(by.as_secs())));
            }
        }
        self
    }

    /// Chooses what signs.
    #[must_use]
    pub fn signed_by(mut self, signing: SigningChoice) -> Self {
        self.signing = signing;
        self
    }

    /// The token.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn build(self) -> Result<String, ProviderError> {
        let Self { provider, header, claims, signing } = self;
        match signing {
            SigningChoice::Current => provider.keys(|keys| sign(keys.current(), keys.current().kid(), header, &claims)),
            SigningChoice::UnknownKey => {
                let key = SigningKey::generate()?;
                sign(&key, key.kid(), header, &claims)
            }
            SigningChoice::ForgedKeyId => {
                let key = SigningKey::generate()?;
                provider.keys(|keys| sign(&key, keys.current().kid(), header, &claims))
            }
            SigningChoice::HmacOfPublicKey => provider.keys(|keys| {
                let published = json!(keys.published().keys.first()).to_string();
                let header = complete(header, "HS256", keys.current().kid())?;
                jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(published.as_bytes()))
                    .map_err(ProviderError::Sign)
            }),
            SigningChoice::Unsigned => {
                let mut header = header;
                header.retain(|_, value| !value.is_null());
                header.insert("alg".into(), json!("none"));
                let part = |map: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(map).to_string());
                Ok(format!("{}.{}.", part(header), part(claims)))
            }
        }
    }
}

fn sign(
    key: &SigningKey,
    kid: &str,
    header: Map<String, Value>,
    claims: &Map<String, Value>,
) -> Result<String, ProviderError> {
    key.sign_with_header(&complete(header, "ES256", kid)?, claims)
}

/// The header with what was not said about it; null takes a member out.
fn complete(mut header: Map<String, Value>, alg: &str, kid: &str) -> Result<Header, ProviderError> {
    header.insert("alg".into(), json!(alg));
    header.entry("kid").or_insert_with(|| json!(kid));
    header.retain(|_, value| !value.is_null());
    serde_json::from_value(Value::Object(header))
        .map_err(|error| ProviderError::Sign(jsonwebtoken::errors::Error::from(error)))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::Algorithm;

    use super::*;

    #[test]
    fn the_algorithm_follows_the_signing_choice() {
        assert_eq!(complete(Map::new(), "ES256", "k").map(|header| header.alg).ok(), Some(Algorithm::ES256));
        assert_eq!(complete(Map::new(), "HS256", "k").map(|header| header.alg).ok(), Some(Algorithm::HS256));
    }
}
