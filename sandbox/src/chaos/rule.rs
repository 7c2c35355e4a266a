//! The language of fault rules, as it is written in JSON and in tests.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::part::Part;

/// What happens to the calls that a rule matches.
///
/// Of a service's rules the first that matches and is not spent acts; the others do not.
/// Every field is optional; a rule without any matches every call and changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Rule {
    /// Prefix of the path below the service (`/products`), whole segments only. For gRPC the method's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// How long a call waits before it is answered or the fault strikes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// The share of the matched calls, 0 to 1, that `status`, `grpcStatus` and `fault` strike.
    /// Default: all, if one of the three is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
    /// HTTP status of the answer: with no fault, an error of the service's own shape instead of the real answer. 500 when only
    /// `errorRate` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// gRPC status code of the answer. 14 (UNAVAILABLE) when only `errorRate` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_status: Option<i32>,
    /// Header fields that are added to the answer, replacing those of the same name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A way to answer wrongly or not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// How many matched calls the rule acts on before it is spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Calls wait for one another before they are answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barrier: Option<BarrierRule>,
}

/// How long a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Latency {
    /// Always the same time.
    Fixed {
        /// Milliseconds.
        #[serde(rename = "fixedMs")]
        fixed_ms: u64,
    },
    /// Log-normal, given by two of its quantiles.
    Quantiles {
        /// The median, milliseconds, above 0.
        #[serde(rename = "p50Ms")]
        p50_ms: u64,
        /// The 99th percentile, milliseconds, not below the median.
        #[serde(rename = "p99Ms")]
        p99_ms: u64,
    },
}

/// A way to answer wrongly or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// JSON that ends in the middle. The service does not see the call.
    MalformedJson,
    /// The service's answer, said to be `text/html`.
    WrongContentType,
    /// 16 MiB of valid JSON without a stated length. The service does not see the call.
    OversizedBody,
    /// No answer, and the connection stays open. The service does not see the call.
    Hang,
    /// The head of the service's answer, and of its body nothing, ever.
    HangAfterHeaders,
    /// The service's answer, one byte every 50 ms.
    SlowDrip,
    /// The connection is reset without an answer. The service does not see the call.
    Reset,
    /// The connection is reset after the first half (4 KiB at most) of the service's body.
    ResetMidBody,
    /// An answer of length 0. The service does not see the call.
    Empty,
}

/// Calls that wait for one another, whatever service they are made to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BarrierRule {
    /// Calls with the same name wait for one another.
    pub name: String,
    /// How many calls must have arrived before they are answered; then the next round begins.
    pub parties: usize,
}

/// What is wrong with a rule.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum RuleError {
    /// `errorRate` is not a share.
    #[error("errorRate must be between 0 and 1, not {0}")]
    ErrorRate(f64),
    /// `status` cannot be answered.
    #[error("status must be between 200 and 599, not {0}")]
    Status(u16),
    /// `grpcStatus` is not an error of gRPC.
    #[error("grpcStatus must be between 1 and 16, not {0}")]
    GrpcStatus(i32),
    /// The quantiles fit no distribution.
    #[error("latency needs 0 < p50Ms <= p99Ms")]
    Latency,
    /// A barrier for nobody.
    #[error("barrier.parties must be at least 1")]
    Parties,
    /// A header field that HTTP does not allow.
    #[error("{0:?} cannot be sent as a header field")]
    Header(String),
    /// A field that means nothing for this service.
    #[error("{field} means nothing for {service}")]
    Meaningless {
        /// The rule's field, and its value if that matters.
        field: &'static str,
        /// The service.
        service: &'static str,
    },
}

impl Rule {
    /// A rule that makes every call fail with an HTTP status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// A rule that makes every call fail with a gRPC status code.
    #[must_use]
    pub fn grpc_status(code: i32) -> Self {
        Self { grpc_status: Some(code), ..Self::default() }
    }

    /// A rule that strikes every call with a fault.
    #[must_use]
    pub fn fault(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::default() }
    }

    /// A rule that delays every call; whole milliseconds.
    #[must_use]
    pub fn latency(delay: Duration) -> Self {
        let fixed_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Self { latency: Some(Latency::Fixed { fixed_ms }), ..Self::default() }
    }

    /// A rule that lets calls wait until `parties` of them have arrived.
    #[must_use]
    pub fn barrier(name: &str, parties: usize) -> Self {
        Self { barrier: Some(BarrierRule { name: name.to_owned(), parties }), ..Self::default() }
    }

    /// The same rule for this route only; see [`Rule::route`](field@Rule::route).
    #[must_use]
    pub fn on(mut self, route: &str) -> Self {
        self.route = Some(route.to_owned());
        self
    }

    /// The same rule for the next `times` calls only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same rule with a header field in the answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn validate(&self, part: Part) -> Result<(), RuleError> {
        if let Some(rate) = self.error_rate.filter(|rate| !(0.0..=1.0).contains(rate)) {
            return Err(RuleError::ErrorRate(rate));
        }
        if let Some(status) = self.status.filter(|status| !(200..=599).contains(status)) {
            return Err(RuleError::Status(status));
        }
        if let Some(code) = self.grpc_status.filter(|code| !(1..=16).contains(code)) {
            return Err(RuleError::GrpcStatus(code));
        }
        if let Some(Latency::Quantiles { p50_ms, p99_ms }) = self.latency
            && (p50_ms == 0 || p99_ms < p50_ms)
        {
            return Err(RuleError::Latency);
        }
        if self.barrier.as_ref().is_some_and(|barrier| barrier.parties == 0) {
            return Err(RuleError::Parties);
        }
        for (name, value) in &self.headers {
            if name.parse::<http::HeaderName>().is_err() || value.parse::<http::HeaderValue>().is_err() {
                return Err(RuleError::Header(name.clone()));
            }
        }
        self.validate_protocol(part)
    }

    fn validate_protocol(&self, part: Part) -> Result<(), RuleError> {
        let meaningless = |field| Err(RuleError::Meaningless { field, service: part.name() });
        if part != Part::Notifications {
            return if self.grpc_status.is_some() { meaningless("grpcStatus") } else { Ok(()) };
        }
        if self.status.is_some() {
            return meaningless("status");
        }
        if !self.headers.is_empty() {
            return meaningless("headers");
        }
        match self.fault {
            None | Some(Fault::Hang | Fault::Reset) => Ok(()),
            Some(_) => meaningless("a fault other than hang and reset"),
        }
    }

    /// Whether a route below the service is meant. `/products` means `/products` and `/products/1`, not `/products-page`.
    pub(crate) fn matches(&self, route: &str) -> bool {
        let Some(prefix) = &self.route else { return true };
        let prefix = prefix.trim_start_matches('/');
        let Some(rest) = route.trim_start_matches('/').strip_prefix(prefix) else { return false };
        prefix.is_empty() || prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_means_whole_segments() {
        let rule = Rule::default().on("/products");
        for route in ["/products", "/products/1", "products"] {
            assert!(rule.matches(route), "{route}");
        }
        for route in ["/products-page", "/", "/categories/products"] {
            assert!(!rule.matches(route), "{route}");
        }
        assert!(!Rule::default().on("/products/").matches("/products"));
        assert!(Rule::default().on("/products/").matches("/products/1"));
        assert!(Rule::default().on("/").matches("/anything"));
    }
}
