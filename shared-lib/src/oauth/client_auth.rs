//! How a client proves to be itself: not at all, by a secret (RFC 6749 section 2.3.1), or by an assertion that it signs
//! (RFC 7523 section 2.2).

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use super::{OAuthError, authorization::random_token};
use crate::{jwt::Algorithm, settings::Secret};

/// How a client proves to be itself.
#[derive(Debug, Clone)]
pub enum ClientAuth {
    /// A public client.
    None,
    /// `client_secret_basic`.
    SecretBasic(Secret),
    /// `client_secret_post`.
    SecretPost(Secret),
    /// `private_key_jwt`.
    PrivateKeyJwt(AssertionKey),
}

/// For whom an assertion is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AssertionAudience {
    /// The issuer: the one audience that no other provider can pass on as its own (RFC 7523bis).
    #[default]
    Issuer,
    /// The token endpoint, which some providers insist on.
    TokenEndpoint,
}

/// The private key that signs client assertions.
#[derive(Clone)]
pub struct AssertionKey {
    key: Arc<EncodingKey>,
    algorithm: Algorithm,
    key_id: Option<String>,
    audience: AssertionAudience,
}

/// The private key is not one that can sign assertions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be a private key for {0} in PEM (PKCS#8)")]
pub struct AssertionKeyError(Algorithm);

impl std::fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssertionKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl AssertionKey {
    /// Reads a private key, and tries it. `key_id` is the name of its public half in our registration.
    ///
    /// # Errors
    /// [`AssertionKeyError`] when it is not a key for this algorithm.
    pub fn from_pem(pem: &Secret, algorithm: Algorithm, key_id: Option<&str>) -> Result<Self, AssertionKeyError> {
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let pem = pem.expose().as_bytes();
        let key = match algorithm {
            Algorithm::Es256 | Algorithm::Es384 => EncodingKey::from_ec_pem(pem),
            Algorithm::EdDsa => EncodingKey::from_ed_pem(pem),
            _ => EncodingKey::from_rsa_pem(pem),
        };
        let key = key.map_err(|_| AssertionKeyError(algorithm))?;
        jsonwebtoken::crypto::sign(b"trial", &key, algorithm.for_library())
            .map_err(|_| AssertionKeyError(algorithm))?;
        let key_id = key_id.map(str::to_owned);
        Ok(Self { key: Arc::new(key), algorithm, key_id, audience: AssertionAudience::default() })
    }

    /// The same key with another audience.
    #[must_use]
    pub fn for_audience(mut self, audience: AssertionAudience) -> Self {
        self.audience = audience;
        self
    }

    fn assertion(
        &self,
        client_id: &str,
        issuer: &str,
        token_endpoint: &str,
        now: Timestamp,
    ) -> Result<String, OAuthError> {
        let mut header = Header::new(self.algorithm.for_library());
        header.kid.clone_from(&self.key_id);
        let audience = match self.audience {
            AssertionAudience::Issuer => issuer,
            AssertionAudience::TokenEndpoint => token_endpoint,
        };
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "iat": now.as_second(),
            "exp": now.as_second() + ASSERTION_LIFETIME_S,
            "jti": random_token(),
        });
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|error| OAuthError::Assertion(Arc::new(error)))
    }
}

/// How long an assertion is good for, in seconds: long enough for clocks that differ, too short to be worth stealing.
const ASSERTION_LIFETIME_S: i64 = 60;

/// A form for the provider, and the header that goes with it.
pub(super) struct Credentials {
    /// The value of `Authorization`.
    pub(super) header: Option<String>,
    /// Fields of the form.
    pub(super) fields: Vec<(&'static str, String)>,
}

impl ClientAuth {
    /// What is sent with one request. An assertion is good for one.
    pub(super) fn credentials(
        &self,
        client_id: &str,
        issuer: &str,
        token_endpoint: &str,
        now: Timestamp,
    ) -> Result<Credentials, OAuthError> {
        let id = ("client_id", client_id.to_owned());
        let (header, fields) = match self {
            Self::None => (None, vec![id]),
            Self::SecretBasic(secret) => (Some(basic(client_id, secret)), Vec::new()),
            Self::SecretPost(secret) => (None, vec![id, ("client_secret", secret.expose().to_owned())]),
            Self::PrivateKeyJwt(key) => {
                let assertion = key.assertion(client_id, issuer, token_endpoint, now)?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned();
                (None, vec![id, ("client_assertion_type", kind), ("client_assertion", assertion)])
            }
        };
        Ok(Credentials { header, fields })
    }

    /// Whether the same form may be sent a second time: an assertion may not, its `jti` is used up.
    pub(super) fn can_repeat(&self) -> bool {
        !matches!(self, Self::PrivateKeyJwt(_))
    }
}

/// Both halves are form-encoded before they are joined, or a colon in an id would move the border.
fn basic(client_id: &str, secret: &Secret) -> String {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret.expose()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(auth: &ClientAuth, client_id: &str) -> Credentials {
        auth.credentials(client_id, "https://id.example", "https://id.example/token", Timestamp::UNIX_EPOCH)
            .expect("credentials")
    }

    /// Shows: W2
    #[test]
    fn basic_credentials_are_form_encoded_on_both_sides_of_the_colon() {
        let sent = credentials(&ClientAuth::SecretBasic(Secret::from("p:w d+%ü")), "my:client");
        let encoded = sent.header.as_deref().and_then(|header| header.strip_prefix("Basic ")).expect("a Basic header");
        let decoded = STANDARD.decode(encoded).expect("base64");
        assert_eq!(String::from_utf8_lossy(&decoded), "my%3Aclient:p%3Aw+d%2B%25%C3%BC");
        assert!(sent.fields.is_empty(), "one method at a time");
    }

    /// Shows: W2
    #[test]
    fn a_posted_secret_stands_beside_the_client_id() {
        let sent = credentials(&ClientAuth::SecretPost(Secret::from("s3")), "bff");
        assert_eq!(sent.fields, [("client_id", "bff".to_owned()), ("client_secret", "s3".to_owned())]);
        assert!(sent.header.is_none());
    }

    #[test]
    fn a_key_of_another_kind_is_refused_when_it_is_read() {
        let pem = Secret::from("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        for algorithm in Algorithm::ALL {
            assert_eq!(AssertionKey::from_pem(&pem, algorithm, None).err(), Some(AssertionKeyError(algorithm)));
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let shown = format!(
            "{:?} {:?}",
            ClientAuth::SecretBasic(Secret::from("hush")),
            ClientAuth::SecretPost(Secret::from("hush"))
        );
        assert!(!shown.contains("hush"), "{shown}");
    }
}
