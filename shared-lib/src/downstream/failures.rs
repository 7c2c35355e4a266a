//! What counts as a failure of the downstream, for its circuit breaker and for the ejection of instances.

use serde::Deserialize;

use super::error::Failure;
use crate::circuit_breaker::Outcome;

/// The settings of `[downstreams.<name>.failures]`. What is turned off counts as nothing, neither failure nor success. A
/// refusal (4xx) is an answer of a service that is well and always counts as a success, but for 429.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FailureSettings {
    /// Whether an error status of the service counts: 5xx, and the gRPC statuses that mean the same (default true).
    pub server_error: bool,
    /// Whether an attempt counts that took too long (default true).
    pub timeout: bool,
    /// Whether it counts that no connection came about (default true).
    pub connect: bool,
    /// Whether an answer counts that broke off or cannot be read: malformed, too large, of the wrong type (default true).
    pub protocol: bool,
    /// Whether 429, and gRPC's `RESOURCE_EXHAUSTED`, count (default false: the service is well and says so).
    pub too_many_requests: bool,
}

impl Default for FailureSettings {
    fn default() -> Self {
        Self { server_error: true, timeout: true, connect: true, protocol: true, too_many_requests: false }
    }
}

impl FailureSettings {
    /// What this failure counts as.
    pub(super) fn outcome(&self, failure: &Failure) -> Outcome {
        let too_many = match failure {
            Failure::Status { status, .. } => status.as_u16() == 429,
            Failure::Grpc(code) => *code == tonic::Code::ResourceExhausted,
            _ => false,
        };
        if too_many && self.too_many_requests {
            return Outcome::Failure;
        }
        let counts = match failure {
            Failure::TimedOut(_) => self.timeout,
            Failure::Connect(_) => self.connect,
            Failure::Broken(_) | Failure::TooLarge(_) | Failure::ContentType | Failure::Malformed { .. } => {
                self.protocol
            }
            Failure::Status { .. } | Failure::StepUp(_) | Failure::Grpc(_) => self.server_error,
            Failure::BreakerOpen { .. }
            | Failure::BulkheadFull
            | Failure::NoInstance
            | Failure::BudgetExhausted
            | Failure::NoToken(_)
            | Failure::Request(_) => true,
        };
        match failure.outcome() {
            Outcome::Failure if !counts => Outcome::Ignored,
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use actix_web::http::StatusCode;
    use bytes::Bytes;

    use super::*;

    fn status(status: StatusCode) -> Failure {
        Failure::Status { status, retry_after: None, body: Bytes::new() }
    }

    /// Shows: S2
    #[test]
    fn each_kind_of_failure_counts_as_its_setting_says() {
        let connect = Failure::Connect(Arc::new(std::io::Error::other("refused")));
        let off = |change: fn(&mut FailureSettings)| {
            let mut settings = FailureSettings::default();
            change(&mut settings);
            settings
        };
        let cases = [
            (status(StatusCode::INTERNAL_SERVER_ERROR), off(|settings| settings.server_error = false)),
            (Failure::Grpc(tonic::Code::Internal), off(|settings| settings.server_error = false)),
            (Failure::TimedOut(Duration::ZERO), off(|settings| settings.timeout = false)),
            (connect, off(|settings| settings.connect = false)),
            (Failure::ContentType, off(|settings| settings.protocol = false)),
        ];
        for (failure, off) in cases {
            assert_eq!(FailureSettings::default().outcome(&failure), Outcome::Failure, "{failure}");
            assert_eq!(off.outcome(&failure), Outcome::Ignored, "{failure}");
        }
    }

    /// Shows: S2
    #[test]
    fn too_many_requests_count_by_choice_and_other_refusals_never() {
        let strict = FailureSettings { too_many_requests: true, ..FailureSettings::default() };
        for failure in [status(StatusCode::TOO_MANY_REQUESTS), Failure::Grpc(tonic::Code::ResourceExhausted)] {
            assert_eq!(FailureSettings::default().outcome(&failure), Outcome::Success);
            assert_eq!(strict.outcome(&failure), Outcome::Failure);
        }
        assert_eq!(strict.outcome(&status(StatusCode::NOT_FOUND)), Outcome::Success);
        assert_eq!(strict.outcome(&Failure::BulkheadFull), Outcome::Ignored);
    }
}
