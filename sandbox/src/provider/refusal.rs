//! Refusals in the form of RFC 6749, 5.2: an error code, a sentence, and the headers that belong to them.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use super::ProviderError;

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    description: String,
    challenge: Option<String>,
    dpop_nonce: Option<String>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, description: &str) -> Self {
        Self { status, code, description: description.to_owned(), challenge: None, dpop_nonce: None }
    }

    /// 400 with any code.
    pub(crate) fn bad_request(code: &'static str, description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, description)
    }

    /// A parameter is missing, doubled or malformed.
    pub(crate) fn invalid_request(description: &str) -> Self {
        Self::bad_request("invalid_request", description)
    }

    /// Client authentication failed. RFC 6749, 5.2 wants a challenge where the Authorization header was used.
    pub(crate) fn invalid_client(description: &str) -> Self {
        let mut refusal = Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description);
        refusal.challenge = Some("Basic realm=\"sandbox\", charset=\"UTF-8\"".to_owned());
        refusal
    }

    /// The code, the refresh token or the verifier is no good.
    pub(crate) fn invalid_grant(description: &str) -> Self {
        Self::bad_request("invalid_grant", description)
    }

    /// The client may not do that.
    pub(crate) fn unauthorized_client(description: &str) -> Self {
        Self::bad_request("unauthorized_client", description)
    }

    /// A scope is unknown or goes beyond what was granted.
    pub(crate) fn invalid_scope(description: &str) -> Self {
        Self::bad_request("invalid_scope", description)
    }

    /// The audience cannot be had (RFC 8693, 2.2.2).
    pub(crate) fn invalid_target(description: &str) -> Self {
        Self::bad_request("invalid_target", description)
    }

    /// The DPoP proof is no good (RFC 9449, 5).
    pub(crate) fn invalid_dpop_proof(description: &str) -> Self {
        Self::bad_request("invalid_dpop_proof", description)
    }

    /// The DPoP proof needs this nonce (RFC 9449, 8).
    pub(crate) fn use_dpop_nonce(nonce: String) -> Self {
        let mut refusal = Self::bad_request("use_dpop_nonce", "the DPoP proof must carry the nonce");
        refusal.dpop_nonce = Some(nonce);
        refusal
    }

    /// The access token or its proof is no good at a protected resource (RFC 6750, 3; RFC 9449, 7.1).
    /// `scheme` is the challenge's scheme.
    pub(crate) fn at_resource(self, scheme: &str) -> Self {
        let challenge = format!("{scheme} error=\"{}\", error_description=\"{}\"", self.code, self.description);
        Self { status: StatusCode::UNAUTHORIZED, challenge: Some(challenge), ..self }
    }

    /// 403 with `insufficient_scope` (RFC 6750, 3.1).
    pub(crate) fn insufficient_scope(scope: &str) -> Self {
        let mut refusal = Self::new(StatusCode::FORBIDDEN, "insufficient_scope", "the token lacks a scope");
        refusal.challenge = Some(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""));
        refusal
    }

    /// 401 without an error code, for a request without credentials (RFC 6750, 3.1).
    pub(crate) fn no_credentials() -> Self {
        let mut refusal = Self::new(StatusCode::UNAUTHORIZED, "invalid_request", "an access token is needed");
        refusal.challenge = Some("Bearer, DPoP algs=\"ES256 EdDSA PS256 RS256\"".to_owned());
        refusal
    }

    /// 403 for what is not open to other origins.
    pub(crate) fn forbidden(description: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "access_denied", description)
    }

    /// The error code.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence about it.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.description)
    }
}

impl std::error::Error for Refusal {}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(challenge) = &self.challenge {
            response.insert_header((header::WWW_AUTHENTICATE, challenge.as_str()));
        }
        if let Some(nonce) = &self.dpop_nonce {
            response.insert_header(("DPoP-Nonce", nonce.as_str()));
        }
        response.json(json!({ "error": self.code, "error_description": self.description }))
    }
}

impl From<ProviderError> for Refusal {
    fn from(error: ProviderError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the provider failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the provider failed")
    }
}
