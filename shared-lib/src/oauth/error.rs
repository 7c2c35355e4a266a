//! What can go wrong with a provider, told apart by what it means: the provider said no (and why), it said nothing, or
//! it said nonsense.

use std::sync::Arc;

use actix_web::http::StatusCode;
use serde::Deserialize;

use super::metadata::MetadataError;
use crate::{
    downstream::{DownstreamError, Failure},
    problem::{Problem, ProblemKind, kinds},
};

/// A failed exchange with a provider. It carries nothing of the answer but the error code.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OAuthError {
    /// The provider decided against the request and said why (RFC 6749 section 5.2).
    #[error("the provider refused: {code} (status {status})")]
    Refused {
        /// Its error code.
        code: ErrorCode,
        /// Its status.
        status: StatusCode,
    },
    /// The provider gave no usable answer.
    #[error("the provider could not be asked")]
    Downstream(#[source] DownstreamError),
    /// The provider's metadata could not be had, so what was asked for was not even sent.
    #[error("the provider's metadata could not be fetched")]
    Unreachable(#[source] DownstreamError),
    /// The provider's metadata is wrong, or lacks what is asked for.
    #[error("the provider's metadata cannot be used")]
    Metadata(#[source] MetadataError),
    /// The answer lacks something that it must have.
    #[error("the provider's answer has no usable {0}")]
    Answer(&'static str),
    /// The client assertion could not be signed.
    #[error("the client assertion could not be signed")]
    Assertion(#[source] Arc<jsonwebtoken::errors::Error>),
    /// The request's budget ended while another request was asking for the same.
    #[error("the request's time was up while the provider was being asked")]
    WaitedTooLong,
}

/// A provider's error code (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8693 section 2.2.2, RFC 9449, OpenID Connect Core
/// 3.1.2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorCode {
    /// `invalid_request`.
    InvalidRequest,
    /// `invalid_client`: our own credentials are refused.
    InvalidClient,
    /// `invalid_grant`: the code or the refresh token is dead. For a session this is the end.
    InvalidGrant,
    /// `unauthorized_client`.
    UnauthorizedClient,
    /// `unsupported_grant_type`.
    UnsupportedGrantType,
    /// `invalid_scope`.
    InvalidScope,
    /// `invalid_target`.
    InvalidTarget,
    /// `access_denied`.
    AccessDenied,
    /// `login_required`.
    LoginRequired,
    /// `consent_required`.
    ConsentRequired,
    /// `interaction_required`.
    InteractionRequired,
    /// `server_error`.
    ServerError,
    /// `temporarily_unavailable`.
    TemporarilyUnavailable,
    /// Another one, of letters, digits, `_` and `-`, 64 at most.
    Other(String),
}

/// Whether the provider may have acted on a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing was sent. What it would have used up is as good as before.
    NotSent,
    /// The provider answered, so it decided.
    Answered,
    /// It was sent and no answer came, or one that leaves open what happened. What it used may be used up, so it must
    /// not be sent again.
    Unknown,
}

impl ErrorCode {
    /// The code of this name. A name with characters that error codes do not have becomes `unknown`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "invalid_request" => Self::InvalidRequest,
            "invalid_client" => Self::InvalidClient,
            "invalid_grant" => Self::InvalidGrant,
            "unauthorized_client" => Self::UnauthorizedClient,
            "unsupported_grant_type" => Self::UnsupportedGrantType,
            "invalid_scope" => Self::InvalidScope,
            "invalid_target" => Self::InvalidTarget,
            "access_denied" => Self::AccessDenied,
            "login_required" => Self::LoginRequired,
            "consent_required" => Self::ConsentRequired,
            "interaction_required" => Self::InteractionRequired,
            "server_error" => Self::ServerError,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            other => {
                let fit = (1..=64).contains(&other.len())
                    && other.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
                Self::Other(if fit { other } else { "unknown" }.to_owned())
            }
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::Other(name) => name,
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl OAuthError {
    /// The provider's error code, where it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the code or the refresh token is dead, as opposed to a provider that could not say.
    #[must_use]
    pub fn is_invalid_grant(&self) -> bool {
        self.code() == Some(&ErrorCode::InvalidGrant)
    }

    /// Whether the provider may have acted on the request.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Refused { .. } => Delivery::Answered,
            Self::Answer(_) => Delivery::Unknown,
            Self::Unreachable(_) | Self::Metadata(_) | Self::Assertion(_) | Self::WaitedTooLong => Delivery::NotSent,
            Self::Downstream(error) => match &error.failure {
                failure if failure.was_never_sent() => Delivery::NotSent,
                Failure::Status { status, .. } if status.is_client_error() => Delivery::Answered,
                _ => Delivery::Unknown,
            },
        }
    }

    /// Whether the failure says more about the budget of the request that asked than about the provider, so that others
    /// who wait for the same should ask themselves.
    pub(super) fn is_of_the_request(&self) -> bool {
        match self {
            Self::WaitedTooLong => true,
            Self::Downstream(error) | Self::Unreachable(error) => {
                matches!(error.failure, Failure::BudgetExhausted | Failure::TimedOut(_))
            }
            _ => false,
        }
    }

    pub(crate) fn problem_kind(&self) -> &'static ProblemKind {
        match self {
            Self::Downstream(error) | Self::Unreachable(error) => error.failure.problem_kind(),
            Self::WaitedTooLong => &kinds::DOWNSTREAM_TIMEOUT,
            Self::Answer(_) | Self::Metadata(_) => &kinds::DOWNSTREAM_INVALID_RESPONSE,
            Self::Refused { .. } => &kinds::DOWNSTREAM_ERROR,
            Self::Assertion(_) => &kinds::INTERNAL_ERROR,
        }
    }

    /// Whether the provider is not there at the moment, as opposed to one that refuses.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Downstream(error) | Self::Unreachable(error) => error.failure.is_outage(),
            Self::WaitedTooLong => true,
            _ => false,
        }
    }

    /// The problem that a client gets when this part was needed.
    #[must_use]
    pub fn into_problem(self, part: &str) -> Problem {
        let kind = match self {
            Self::Downstream(error) | Self::Unreachable(error) => return error.into_problem(part),
            _ => self.problem_kind(),
        };
        Problem::new(kind).extension("part", part).caused_by(self)
    }
}

/// The members of an error answer that are read. `error_description` is for developers and may quote what was sent.
#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
}

/// Tells a provider's refusal from a provider that is not well.
impl From<DownstreamError> for OAuthError {
    fn from(error: DownstreamError) -> Self {
        // A 5xx or a 429 is no decision about the request, whatever its body says, and its wait must not be lost.
        if let Failure::Status { status, body, .. } = &error.failure
            && status.is_client_error()
            && *status != StatusCode::TOO_MANY_REQUESTS
            && let Ok(answer) = serde_json::from_slice::<ErrorAnswer>(body)
        {
            return Self::Refused { code: ErrorCode::from_name(&answer.error), status: *status };
        }
        Self::Downstream(error)
    }
}

impl From<MetadataError> for OAuthError {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}

/// For a handler that asked nothing but the provider.
impl From<OAuthError> for Problem {
    fn from(error: OAuthError) -> Self {
        error.into_problem("provider")
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use bytes::Bytes;

    use super::*;

    fn status(status: u16, body: &'static str) -> OAuthError {
        let status = StatusCode::from_u16(status).expect("a status");
        let failure = Failure::Status { status, retry_after: None, body: Bytes::from_static(body.as_bytes()) };
        DownstreamError::new(&Arc::from("provider"), failure).into()
    }

    /// Shows: W11
    #[test]
    fn a_dead_grant_is_told_apart_from_a_provider_that_is_not_well() {
        let dead = status(400, r#"{"error":"invalid_grant","error_description":"x"}"#);
        assert!(dead.is_invalid_grant());
        assert_eq!(dead.delivery(), Delivery::Answered);
        for other in [status(400, r#"{"error":"invalid_request"}"#), status(401, r#"{"error":"invalid_client"}"#)] {
            assert!(!other.is_invalid_grant());
            assert_eq!(other.delivery(), Delivery::Answered);
        }
        for unwell in [status(503, ""), status(500, r#"{"error":"server_error"}"#), status(502, "<html>")] {
            assert!(matches!(unwell, OAuthError::Downstream(_)));
            assert_eq!(unwell.delivery(), Delivery::Unknown);
        }
        let throttled = status(429, r#"{"error":"slow_down"}"#);
        assert!(matches!(throttled, OAuthError::Downstream(_)));
        assert_eq!(throttled.delivery(), Delivery::Answered);
    }

    /// Shows: W11
    #[test]
    fn what_was_never_sent_is_told_apart_from_what_may_have_arrived() {
        let error = |failure| OAuthError::from(DownstreamError::new(&Arc::from("provider"), failure));
        let broken: Arc<std::io::Error> = Arc::new(std::io::Error::other("reset"));
        assert_eq!(error(Failure::Connect(broken.clone())).delivery(), Delivery::NotSent);
        assert_eq!(error(Failure::BudgetExhausted).delivery(), Delivery::NotSent);
        assert_eq!(error(Failure::BreakerOpen { retry_after: Duration::ZERO }).delivery(), Delivery::NotSent);
        assert_eq!(error(Failure::Broken(broken)).delivery(), Delivery::Unknown);
        assert_eq!(error(Failure::TimedOut(Duration::ZERO)).delivery(), Delivery::Unknown);
        assert_eq!(error(Failure::ContentType).delivery(), Delivery::Unknown);
    }

    #[test]
    fn a_code_with_strange_characters_does_not_reach_a_log() {
        assert_eq!(ErrorCode::from_name("x\nINFO forged").name(), "unknown");
        assert_eq!(ErrorCode::from_name(&"a".repeat(65)).name(), "unknown");
        assert_eq!(ErrorCode::from_name("slow_down").name(), "slow_down");
    }
}
