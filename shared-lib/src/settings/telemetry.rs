//! `[telemetry]`: logs and traces.

use std::time::Duration;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::findings::{Findings, key};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// Text for a person at a terminal.
    Pretty,
}

/// Whose traces are continued: by them, whoever calls decides what is recorded, and sends baggage to every service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContinuedTraces {
    /// Of the proxies in `[server] trusted_proxies`. A request of anyone else begins a trace of its own that links to
    /// the caller's.
    #[default]
    TrustedProxies,
    /// Of whoever calls: for networks in which everybody is known.
    Everyone,
}

/// Logs and traces. The `OTEL_*` variables of the OpenTelemetry specification win over these keys where both speak.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// How log lines are written.
    pub log_format: LogFormat,
    /// What is logged: a level or directives such as `info,shared_lib::downstream=debug`.
    pub log_level: String,
    /// The service's name in traces; absent: the binary's own.
    pub service_name: Option<String>,
    /// Where traces go by OTLP over gRPC, such as `http://collector:4317`; absent: nowhere.
    pub otlp_endpoint: Option<Url>,
    /// Whose traces are continued.
    pub continue_traces_of: ContinuedTraces,
    /// The share of traces that are recorded when the caller has not decided, from 0 to 1.
    pub trace_sample_ratio: f64,
    /// How long finished spans wait at most before they are sent.
    pub export_interval_ms: u64,
    /// How long one export, and the last one at shutdown, may take.
    pub export_timeout_ms: u64,
}

impl TelemetrySettings {
    /// See [`TelemetrySettings::export_interval_ms`].
    pub fn export_interval(&self) -> Duration {
        Duration::from_millis(self.export_interval_ms)
    }

    /// See [`TelemetrySettings::export_timeout_ms`].
    pub fn export_timeout(&self) -> Duration {
        Duration::from_millis(self.export_timeout_ms)
    }

    /// Checks ranges. `prefix` is the section's path, such as `telemetry`.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        findings.require(
            EnvFilter::builder().parse(&self.log_level).is_ok(),
            key(prefix, "log_level"),
            "must be a level (error, warn, info, debug, trace, off) or directives such as \
             `info,shared_lib::downstream=debug`",
        );
        findings.require(
            (0.0..=1.0).contains(&self.trace_sample_ratio),
            key(prefix, "trace_sample_ratio"),
            "must be from 0 to 1",
        );
        for (name, value) in
            [("export_interval_ms", self.export_interval_ms), ("export_timeout_ms", self.export_timeout_ms)]
        {
            findings.require((1..=60_000).contains(&value), key(prefix, name), "must be from 1 to 60000");
        }
        let is_http = self.otlp_endpoint.as_ref().is_none_or(|url| matches!(url.scheme(), "http" | "https"));
        findings.require(is_http, key(prefix, "otlp_endpoint"), "must be an http or https address");
    }
}
