//! The JWTs that the provider makes: access tokens (RFC 9068), ID tokens and logout tokens.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::unix_seconds;

use super::clients::Client;
use super::random::{half_sha256, token};
use super::scopes::Scopes;
use super::state::Authentication;
use super::users::User;
use super::{Provider, ProviderError};

/// The type of an access token (RFC 9068, 2.1).
pub(crate) const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// The claim `aud`: one audience or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    /// One, written as a string.
    One(String),
    /// Several, written as an array.
    Many(Vec<String>),
}

impl Audience {
    /// Whether `name` is among them.
    pub(crate) fn contains(&self, name: &str) -> bool {
        match self {
            Self::One(own) => own == name,
            Self::Many(all) => all.iter().any(|own| own == name),
        }
    }
}

/// The claim `cnf` of a DPoP-bound token (RFC 9449, 6).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Confirmation {
    /// The thumbprint of the key.
    pub(crate) jkt: String,
}

/// The claims of an access token (RFC 9068, 2.2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AccessClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: Audience,
    pub(crate) exp: u64,
    pub(crate) iat: u64,
    pub(crate) jti: String,
    pub(crate) client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) acr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cnf: Option<Confirmation>,
    /// Who acts for the subject (RFC 8693, 4.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) act: Option<Value>,
}

impl AccessClaims {
    /// The scopes of the token.
    pub(crate) fn scopes(&self) -> Scopes {
        let text = self.scope.as_deref().unwrap_or_default();
        Scopes::of(&text.split(' ').filter(|scope| !scope.is_empty()).collect::<Vec<_>>())
    }
}

impl Provider {
    /// The claims of an access token that `client` gets now, with the configured lifetime.
    pub(crate) fn access_claims(
        &self,
        client_id: &str,
        sub: &str,
        audience: &str,
        scopes: &Scopes,
    ) -> Result<AccessClaims, ProviderError> {
        let now = self.clock().unix_seconds();
        Ok(AccessClaims {
            iss: self.issuer(),
            sub: sub.to_owned(),
            aud: Audience::One(audience.to_owned()),
            exp: now + self.settings(|settings| settings.access_token_lifetime.as_secs()),
            iat: now,
            jti: token::<16>()?,
            client_id: client_id.to_owned(),
            scope: (!scopes.is_empty()).then(|| scopes.to_text()),
            auth_time: None,
            acr: None,
            cnf: None,
            act: None,
        })
    }

    /// Signs an access token.
    pub(crate) fn sign_access_token(&self, claims: &AccessClaims) -> Result<String, ProviderError> {
        self.keys(|keys| keys.current().sign(ACCESS_TOKEN_TYPE, claims))
    }

    /// The claims of an access token that this provider made, that has not expired and is not revoked.
    pub(crate) fn verify_access_token(&self, jwt: &str) -> Option<AccessClaims> {
        let token = self.keys(|keys| keys.verify::<AccessClaims>(jwt))?;
        let now = self.clock().now();
        let claims = token.claims;
        let good = token.header.typ.as_deref() == Some(ACCESS_TOKEN_TYPE)
            && claims.iss == self.issuer()
            && claims.exp > unix_seconds(now);
        (good && self.state(|state| state.is_active(&claims.jti, now))).then_some(claims)
    }

    /// Signs an ID token about `authentication` for `client` (OpenID Connect Core, 2).
    pub(crate) fn sign_id_token(
        &self,
        client: &Client,
        authentication: &Authentication,
        scopes: &Scopes,
        nonce: Option<&str>,
        access_token: &str,
    ) -> Result<String, ProviderError> {
        let now = self.clock().unix_seconds();
        let mut claims = Map::new();
        claims.insert("iss".into(), json!(self.issuer()));
        claims.insert("sub".into(), json!(authentication.sub));
        claims.insert("aud".into(), json!(client.id));
        claims.insert("azp".into(), json!(client.id));
        claims.insert("exp".into(), json!(now + 300));
        claims.insert("iat".into(), json!(now));
        claims.insert("auth_time".into(), json!(authentication.auth_time));
        claims.insert("acr".into(), json!(authentication.acr.name()));
        claims.insert("amr".into(), json!(authentication.acr.methods()));
        claims.insert("sid".into(), json!(authentication.sid));
        claims.insert("at_hash".into(), json!(half_sha256(access_token)));
        if let Some(nonce) = nonce {
            claims.insert("nonce".into(), json!(nonce));
        }
        if let Some(user) = User::by_sub(&authentication.sub) {
            claims.extend(user_claims(&user, scopes));
        }
        self.keys(|keys| keys.current().sign("JWT", &claims))
    }

    /// Signs a logout token for `client_id` (OpenID Connect Back-Channel Logout, 2.4).
    pub(crate) fn sign_logout_token(&self, client_id: &str, sub: &str, sid: &str) -> Result<String, ProviderError> {
        let now = self.clock().unix_seconds();
        let claims = json!({
            "iss": self.issuer(),
            "sub": sub,
            "aud": client_id,
            "iat": now,
            "exp": now + 120,
            "jti": token::<16>()?,
            "sid": sid,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        self.keys(|keys| keys.current().sign("logout+jwt", &claims))
    }

    /// Remembers that an access token belongs to a grant, so that it falls with it.
    pub(crate) fn remember_access_token(&self, claims: &AccessClaims, grant_id: &str) {
        let expires_at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(claims.exp);
        let now = self.clock().now();
        self.state(|state| {
            state.access_tokens.insert(claims.jti.clone(), grant_id.to_owned(), expires_at, now);
        });
    }
}

/// The claims about a user that `scopes` open (OpenID Connect Core, 5.4).
pub(crate) fn user_claims(user: &User, scopes: &Scopes) -> Map<String, Value> {
    let mut claims = Map::new();
    if scopes.contains("profile") {
        claims.insert("name".into(), json!(user.name()));
        claims.insert("given_name".into(), json!(user.given_name));
        claims.insert("family_name".into(), json!(user.family_name));
        claims.insert("preferred_username".into(), json!(user.username));
        claims.insert("locale".into(), json!(user.locale));
    }
    if scopes.contains("email") {
        claims.insert("email".into(), json!(user.email));
        claims.insert("email_verified".into(), json!(true));
    }
    claims
}
