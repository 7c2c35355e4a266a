//! Metrics: recorded by the OpenTelemetry API, read by Prometheus at `/metrics`.

use std::sync::OnceLock;

use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider};
use prometheus::{Registry, TextEncoder};

use super::ServiceIdentity;

/// The media type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bounds for durations in seconds, as the HTTP semantic conventions advise.
pub(crate) const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

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
pub fn install(service: ServiceIdentity) -> Result<(), MetricsError> {
    let registry = Registry::new();
    let exporter =
        opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().map_err(MetricsError::Exporter)?;
    if REGISTRY.set(registry).is_ok() {
        let version = KeyValue::new("service.version", service.version);
        let resource = Resource::builder().with_service_name(service.name).with_attribute(version).build();
        global::set_meter_provider(SdkMeterProvider::builder().with_resource(resource).with_reader(exporter).build());
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
