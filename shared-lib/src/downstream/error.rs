//! What can go wrong with a downstream: whose fault it was, and whether asking again makes sense.

use std::{error::Error, sync::Arc, time::Duration};

use actix_web::http::StatusCode;
use bytes::Bytes;

use super::step_up::StepUp;
use crate::{
    circuit_breaker::Outcome,
    oauth::OAuthError,
    problem::{Problem, ProblemKind, kinds},
};

/// A failed call: the service's configured name and what happened. Its text names no address and carries no body.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{service}: {failure}")]
pub struct DownstreamError {
    /// The name under `[downstreams.<name>]`.
    pub service: Arc<str>,
    /// What happened.
    #[source]
    pub failure: Failure,
}

/// What happened to a call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// No connection: refused, unreachable, name not found, TLS failed. Nothing was sent.
    #[error("no connection")]
    Connect(#[source] Arc<dyn Error + Send + Sync>),
    /// The connection broke, or what came was not HTTP, before a whole answer had come.
    #[error("the exchange broke off")]
    Broken(#[source] Arc<dyn Error + Send + Sync>),
    /// The attempt's time was up before the whole answer had come.
    #[error("no whole answer within {0:?}")]
    TimedOut(Duration),
    /// An answer with an error status.
    #[error("status {status}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The wait that the service asked for.
        retry_after: Option<Duration>,
        /// The bounded body, for a service module that can translate it. Never passed on as it is.
        body: Bytes,
    },
    /// The service wants the user to prove more, or more lately, who they are (RFC 9470).
    #[error("the user has to prove more")]
    StepUp(StepUp),
    /// A gRPC error status.
    #[error("gRPC status {0:?}")]
    Grpc(tonic::Code),
    /// The body was larger than the downstream's limit in bytes.
    #[error("a body of more than {0} bytes")]
    TooLarge(usize),
    /// The content type was not the expected one.
    #[error("an unexpected content type")]
    ContentType,
    /// The body was not JSON of the expected shape; where, but not what.
    #[error("malformed JSON at line {line}, column {column}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The circuit breaker let nothing through.
    #[error("the circuit breaker is open")]
    BreakerOpen {
        /// When it may let something through again.
        retry_after: Duration,
    },
    /// There is no instance to send to.
    #[error("no instance")]
    NoInstance,
    /// The downstream's bulkhead was full for as long as a call may wait for a place. Nothing was sent.
    #[error("too many calls under way")]
    BulkheadFull,
    /// The request's own budget of time or attempts was used up, so nothing was sent.
    #[error("the request's budget is used up")]
    BudgetExhausted,
    /// There is no access token for this service. Nothing was sent to it.
    #[error("no access token for it")]
    NoToken(#[source] Arc<OAuthError>),
    /// The call could not be put together.
    #[error("the request could not be built")]
    Request(#[source] Arc<dyn Error + Send + Sync>),
}

impl Failure {
    /// Whether the same idempotent call may succeed a moment later. A rejection by our own breaker or budget is not
    /// worth a retry: it costs the downstream nothing, and the answer would be the same.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Broken(_) | Self::TimedOut(_) => true,
            Self::Status { status, .. } => matches!(status.as_u16(), 429 | 502 | 503 | 504),
            Self::Grpc(code) => matches!(code, tonic::Code::Unavailable | tonic::Code::ResourceExhausted),
            Self::StepUp(_)
            | Self::NoToken(_)
            | Self::TooLarge(_)
            | Self::ContentType
            | Self::Malformed { .. }
            | Self::BreakerOpen { .. }
            | Self::BulkheadFull
            | Self::NoInstance
            | Self::BudgetExhausted
            | Self::Request(_) => false,
        }
    }

    /// Whether it is certain that the service has not seen the call.
    #[must_use]
    pub fn was_never_sent(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::BreakerOpen { .. }
            | Self::BulkheadFull
            | Self::NoInstance
            | Self::BudgetExhausted
            | Self::NoToken(_)
            | Self::Request(_) => true,
            Self::Broken(_)
            | Self::StepUp(_)
            | Self::TimedOut(_)
            | Self::Status { .. }
            | Self::Grpc(_)
            | Self::TooLarge(_)
            | Self::ContentType
            | Self::Malformed { .. } => false,
        }
    }

    /// What the failure says of the downstream's health where [`FailureSettings`](super::FailureSettings) do not say
    /// otherwise.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Connect(_)
            | Self::Broken(_)
            | Self::TimedOut(_)
            | Self::TooLarge(_)
            | Self::ContentType
            | Self::Malformed { .. } => Outcome::Failure,
            Self::Status { status, .. } if status.is_server_error() => Outcome::Failure,
            // A 4xx is an answer of a service that is well.
            Self::Status { .. } | Self::StepUp(_) => Outcome::Success,
            Self::Grpc(code) => match code {
                tonic::Code::Unknown
                | tonic::Code::DeadlineExceeded
                | tonic::Code::Internal
                | tonic::Code::Unavailable
                | tonic::Code::DataLoss => Outcome::Failure,
                _ => Outcome::Success,
            },
            Self::BreakerOpen { .. }
            | Self::BulkheadFull
            | Self::NoInstance
            | Self::BudgetExhausted
            | Self::NoToken(_)
            | Self::Request(_) => Outcome::Ignored,
        }
    }

    /// Whether the downstream is not there for us at the moment, so that an old answer is better than none. A refusal
    /// of this very request (4xx) is an answer.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::BreakerOpen { .. } | Self::BulkheadFull | Self::NoInstance | Self::BudgetExhausted => true,
            Self::NoToken(error) => error.is_outage(),
            Self::Request(_) => false,
            _ => self.is_transient() || self.outcome() == Outcome::Failure,
        }
    }

    /// The wait that the service, or the breaker in front of it, asked for.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::BreakerOpen { retry_after } => Some(*retry_after),
            _ => None,
        }
    }

    /// One stable word for receipts, logs and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Connect(_) | Self::NoInstance => "connect",
            Self::Broken(_) => "broken",
            Self::TimedOut(_) | Self::Grpc(tonic::Code::DeadlineExceeded) => "timeout",
            Self::Status { status, .. } if status.is_server_error() => "server-error",
            Self::Status { .. } => "refused",
            Self::StepUp(_) => "insufficient-user-authentication",
            Self::NoToken(_) => "no-token",
            Self::Grpc(tonic::Code::Unavailable) => "connect",
            Self::Grpc(_) => "server-error",
            Self::TooLarge(_) => "too-large",
            Self::ContentType | Self::Malformed { .. } => "invalid-response",
            Self::BreakerOpen { .. } => "breaker-open",
            Self::BulkheadFull => "bulkhead-full",
            Self::BudgetExhausted => "budget-exhausted",
            Self::Request(_) => "internal",
        }
    }

    pub(crate) fn problem_kind(&self) -> &'static ProblemKind {
        match self {
            Self::StepUp(_) => &kinds::INSUFFICIENT_USER_AUTHENTICATION,
            Self::NoToken(error) => error.problem_kind(),
            Self::TimedOut(_) | Self::BudgetExhausted | Self::Grpc(tonic::Code::DeadlineExceeded) => {
                &kinds::DOWNSTREAM_TIMEOUT
            }
            Self::Connect(_)
            | Self::BreakerOpen { .. }
            | Self::BulkheadFull
            | Self::NoInstance
            | Self::Grpc(tonic::Code::Unavailable) => &kinds::DOWNSTREAM_UNAVAILABLE,
            Self::Status { status, .. } if matches!(status.as_u16(), 429 | 503) => &kinds::DOWNSTREAM_UNAVAILABLE,
            Self::Status { status, .. } if status.as_u16() == 504 => &kinds::DOWNSTREAM_TIMEOUT,
            Self::Status { .. } | Self::Grpc(_) | Self::Broken(_) => &kinds::DOWNSTREAM_ERROR,
            Self::TooLarge(_) | Self::ContentType | Self::Malformed { .. } => &kinds::DOWNSTREAM_INVALID_RESPONSE,
            Self::Request(_) => &kinds::INTERNAL_ERROR,
        }
    }
}

impl DownstreamError {
    /// An error of this service.
    #[must_use]
    pub fn new(service: &Arc<str>, failure: Failure) -> Self {
        Self { service: Arc::clone(service), failure }
    }

    /// The status, where the service answered with an error status.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match &self.failure {
            Failure::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The problem that the client gets when this part was needed: 502, 503 or 504, the part's name, and why; 401 when it
    /// needs the user to prove more.
    #[must_use]
    pub fn into_problem(self, part: &str) -> Problem {
        if let Failure::StepUp(step_up) = &self.failure {
            return step_up.problem().extension("part", part).caused_by(self);
        }
        let problem = Problem::new(self.failure.problem_kind())
            .detail(format!("The part `{part}` could not be fetched."))
            .extension("part", part)
            .extension("reason", self.failure.reason());
        let problem = match self.failure.problem_kind().status {
            StatusCode::SERVICE_UNAVAILABLE => {
                problem.retry_after(self.failure.retry_after().unwrap_or(Duration::from_secs(1)))
            }
            _ => problem,
        };
        problem.caused_by(self)
    }
}

/// For a handler that asked one service: the part is the service's name.
impl From<DownstreamError> for Problem {
    fn from(error: DownstreamError) -> Self {
        let service = Arc::clone(&error.service);
        error.into_problem(&service)
    }
}
