//! Metrics: recorded by the OpenTelemetry API, read by Prometheus at `/metrics`.

use opentelemetry::global;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};
use std::sync::OnceLock;

/// The media type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// Why metrics could not be set up or read.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The exporter could not be built.
    #[error("the metrics exporter could not be built")]
    Exporter(#[source] opentelemetry_sdk::error::OTelSdkError),
    /// The text could not be written.
    #[error("the metrics could not be written")]
    Encode(#[from] prometheus::Error),
}

/// Makes the process's meters count. Only the first call does anything: instruments are handed out for good.
///
/// # Errors
/// [`MetricsError::Exporter`].
pub fn install() -> Result<(), MetricsError> {
    let registry = Registry::new();
    let exporter =
        opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().map_err(MetricsError::Exporter)?;
    if REGISTRY.set(registry).is_ok() {
        global::set_meter_provider(SdkMeterProvider::builder().with_reader(exporter).build());
    }
    Ok(())
}

/// All metrics in Prometheus's text format. Empty before [`install`].
///
/// # Errors
/// [`MetricsError::Encode`].
pub fn render() -> Result<String, MetricsError> {
    let families = REGISTRY.get().map(Registry::gather).unwrap_or_default();
    Ok(TextEncoder::new().encode_to_string(&families)?)
}
