//! Logs and traces: what is written, where it goes, and how one request is followed through all services.
//!
//! Logs go to standard output, as JSON lines or as text. Spans go by OTLP over gRPC to a collector when one is named.
//! Each log line carries the ids of its trace, span and request. Inbound requests get their span and their line from
//! [`request_span::RequestSpan`], and their id from [`request_id::RequestId`].

mod access_log;
mod exporter;
mod few_labels;
#[cfg(feature = "test-util")]
mod for_test;
mod guard;
mod json_lines;
pub mod metrics;
mod otel_variables;
pub mod propagation;
pub mod request_id;
pub mod request_span;
mod root_span;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::sync::{Arc, RwLock};

use opentelemetry::global;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::fmt::{self, writer::BoxMakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use crate::clock::Clock;
use crate::settings::{LogFormat, TelemetrySettings};
use json_lines::{JsonLines, RequestIdOnly};
use otel_variables::OtelVariables;

pub use few_labels::FewLabels;
#[cfg(feature = "test-util")]
pub use for_test::{TestTelemetry, for_test};
pub use guard::{LogLevelError, TelemetryGuard};

/// The instrumentation scope of all spans that come from `tracing`.
const SCOPE: &str = "shared-lib";

/// Which service this is.
#[derive(Debug, Clone, Copy)]
pub struct ServiceIdentity {
    /// The service's name, such as `bff-web`.
    pub name: &'static str,
    /// The service's own version.
    pub version: &'static str,
}

/// Why telemetry was not set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `telemetry.log_level` is wrong.
    #[error("telemetry.log_level cannot be used")]
    LogLevel(#[source] LogLevelError),
    /// The exporter's address or one of its variables is wrong.
    #[error("the exporter of traces cannot be built")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// The collector's certificate authority cannot be read.
    #[error("the file {path} of OTEL_EXPORTER_OTLP_CERTIFICATE cannot be read")]
    Certificate {
        /// The file's path as given.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Telemetry is set up once a process.
    #[error("logging is already set up in this process")]
    AlreadyInitialized(#[source] tracing_subscriber::util::TryInitError),
}

/// Sets up the process's logs, traces and propagation. Once a process, and inside the runtime that lives as long as
/// the service: it carries the exports. Tests share one set-up, `for_test` (feature `test-util`).
///
/// # Errors
/// [`TelemetryError`]. A collector that is away is none.
pub fn init(settings: &TelemetrySettings, identity: ServiceIdentity) -> Result<TelemetryGuard, TelemetryError> {
    let is_terminal = std::io::stdout().is_terminal();
    install(settings, identity, &OtelVariables::from_process(), BoxMakeWriter::new(std::io::stdout), is_terminal)
}

fn install(
    settings: &TelemetrySettings,
    identity: ServiceIdentity,
    variables: &OtelVariables,
    writer: BoxMakeWriter,
    colours: bool,
) -> Result<TelemetryGuard, TelemetryError> {
    let filter = guard::log_filter(&settings.log_level)
        .map_err(|error| TelemetryError::LogLevel(LogLevelError::Syntax(error)))?;
    let (filter, handle) = reload::Layer::new(filter);
    let provider = exporter::provider(settings, identity, variables)?;
    tracing_subscriber::registry()
        .with(log_lines(settings.log_format, Clock::system(), writer, colours).with_filter(filter))
        .with(spans(provider.as_ref()))
        .try_init()
        .map_err(TelemetryError::AlreadyInitialized)?;
    global::set_text_map_propagator(exporter::propagator(variables.propagators));
    if let Some(provider) = &provider {
        global::set_tracer_provider(provider.clone());
    }
    for warning in &variables.warnings {
        tracing::warn!("{warning}");
    }
    Ok(TelemetryGuard {
        provider,
        filter: handle,
        level: Arc::new(RwLock::new(settings.log_level.clone())),
        export_timeout: settings.export_timeout(),
    })
}

fn log_lines(
    format: LogFormat,
    clock: Clock,
    writer: BoxMakeWriter,
    colours: bool,
) -> Box<dyn Layer<Registry> + Send + Sync> {
    match format {
        LogFormat::Json => {
            fmt::layer().fmt_fields(RequestIdOnly).event_format(JsonLines(clock)).with_writer(writer).boxed()
        }
        LogFormat::Pretty => fmt::layer().with_ansi(colours).with_writer(writer).boxed(),
    }
}

/// Turns `tracing`'s spans into OpenTelemetry's. Without a provider the contexts of callers pass through unchanged.
fn spans<S>(provider: Option<&SdkTracerProvider>) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let layer = tracing_opentelemetry::layer()
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    match provider {
        Some(provider) => layer.with_tracer(provider.tracer(SCOPE)).with_filter(exported()).boxed(),
        None => layer.with_filter(exported()).boxed(),
    }
}

/// Spans of level info and above, whatever the log level is; no events. Not those of the libraries under the exporter:
/// it would trace itself.
fn exported() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    const UNDER_THE_EXPORTER: [&str; 5] = ["h2", "hyper", "hyper_util", "tonic", "tower"];
    fn is_exported(metadata: &Metadata<'_>) -> bool {
        let library = metadata.target().split("::").next().unwrap_or_default();
        let afterwards = metadata.name() == root_span::AFTERWARDS;
        metadata.is_span()
            && !afterwards
            && *metadata.level() <= LevelFilter::INFO
            && !UNDER_THE_EXPORTER.contains(&library)
    }
    filter_fn(is_exported as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::INFO)
}
