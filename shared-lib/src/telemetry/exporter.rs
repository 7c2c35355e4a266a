//! Where spans go: sampled, batched, and sent by OTLP over gRPC.

use opentelemetry::KeyValue;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tonic::transport::{Certificate, ClientTlsConfig};
use uuid::Uuid;

use super::otel_variables::{OtelVariables, Propagators};
use super::{ServiceIdentity, TelemetryError};
use crate::settings::TelemetrySettings;

/// Makes the provider of tracers; `None` when the variables disable the SDK. Must run inside the runtime that is to
/// carry the exports.
///
/// Without an address spans are still made, though not recorded, so that log lines carry trace ids and a caller's
/// decision to sample reaches the downstreams.
pub(super) fn provider(
    settings: &TelemetrySettings,
    identity: ServiceIdentity,
    variables: &OtelVariables,
) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if variables.sdk_disabled {
        return Ok(None);
    }
    let builder = SdkTracerProvider::builder().with_resource(resource(settings, identity, variables));
    let has_address = variables.names_endpoint || settings.otlp_endpoint.is_some();
    if variables.export_disabled || !has_address {
        return Ok(Some(builder.with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff))).build()));
    }
    let ratio = Sampler::TraceIdRatioBased(settings.trace_sample_ratio);
    let sampler = variables.sampler.clone().unwrap_or_else(|| Sampler::ParentBased(Box::new(ratio)));
    let mut batches = BatchConfigBuilder::default();
    if !variables.names_interval {
        batches = batches.with_scheduled_delay(settings.export_interval());
    }
    let processor =
        BatchSpanProcessor::builder(exporter(settings, variables)?).with_batch_config(batches.build()).build();
    Ok(Some(builder.with_sampler(sampler).with_span_processor(processor).build()))
}

fn exporter(settings: &TelemetrySettings, variables: &OtelVariables) -> Result<SpanExporter, TelemetryError> {
    let mut builder = SpanExporter::builder().with_tonic();
    if !variables.names_endpoint
        && let Some(endpoint) = &settings.otlp_endpoint
    {
        builder = builder.with_endpoint(endpoint.as_str());
    }
    if !variables.names_timeout {
        builder = builder.with_timeout(settings.export_timeout());
    }
    // For https addresses only. The exporter's own default trusts no authority at all.
    let mut tls = ClientTlsConfig::new().with_enabled_roots();
    if let Some(path) = &variables.certificate {
        let pem = std::fs::read(path).map_err(|source| TelemetryError::Certificate { path: path.clone(), source })?;
        tls = tls.ca_certificate(Certificate::from_pem(pem));
    }
    let builder = builder.with_tls_config(tls);
    builder.build().map_err(TelemetryError::Exporter)
}

fn resource(settings: &TelemetrySettings, identity: ServiceIdentity, variables: &OtelVariables) -> Resource {
    let name = variables.service_name.as_deref().or(settings.service_name.as_deref()).unwrap_or(identity.name);
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.version", identity.version),
            KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
        ])
        .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())])
        .with_service_name(name.to_owned())
        .build()
}

/// The propagators that the variables ask for.
pub(super) fn propagator(propagators: Propagators) -> TextMapCompositePropagator {
    let mut chosen: Vec<Box<dyn TextMapPropagator + Send + Sync>> = Vec::new();
    if propagators.trace_context {
        chosen.push(Box::new(TraceContextPropagator::new()));
    }
    if propagators.baggage {
        chosen.push(Box::new(BaggagePropagator::new()));
    }
    TextMapCompositePropagator::new(chosen)
}
