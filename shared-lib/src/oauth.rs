//! A client of an OpenID provider: its metadata, logins, tokens and their end.
//!
//! [`ProviderShared`] is what the process knows of one provider: metadata, keys, tokens that serve more than one
//! request. [`ProviderClient`] is how a worker talks to it, always through the downstream that is named for it, so its
//! calls have the same budget, breaker, limits and telemetry as any other. Nothing is asked before it is needed, so a
//! provider that is away does not stop the start.
//!
//! A `POST` to the token endpoint is sent once: a code or a refresh token that is sent twice can cost its family its
//! life (RFC 9700 section 2.2.2). [`OAuthError::delivery`] tells whether the provider may have seen it. Metadata and
//! keys are `GET`s and follow the downstream's retry policy.
//!
//! What is spoken: discovery (OpenID Connect Discovery 1.0, RFC 8414), authorization code with PKCE (RFC 6749, 7636),
//! pushed requests (RFC 9126), the `iss` of answers (RFC 9207), refresh, client credentials, token exchange (RFC 8693),
//! revocation (RFC 7009), RP-initiated logout; clients authenticate by nothing, a secret, or a signed assertion
//! (RFC 7523).

mod authorization;
mod client;
mod client_auth;
mod error;
mod exchange;
mod grants;
mod logout;
mod metadata;
mod service_token;
mod settings;
mod shared;
mod single_flight;
mod token_cache;

pub use authorization::{AuthorizationRequest, Pkce, random_token};
pub use client::ProviderClient;
pub use client_auth::{AssertionAudience, AssertionKey, AssertionKeyError, ClientAuth};
pub use error::{Delivery, ErrorCode, OAuthError};
pub use grants::{CodeExchange, TokenKind, TokenResponse};
pub use logout::EndSession;
pub use metadata::{Metadata, MetadataError, ResponseIssuerError};
pub use settings::{ProviderSettings, ProviderSettingsError};
pub use shared::ProviderShared;
