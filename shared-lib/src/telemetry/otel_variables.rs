//! What the `OTEL_*` variables of the OpenTelemetry specification say. The SDK reads some of them, ignores others
//! (`OTEL_SDK_DISABLED`, `OTEL_PROPAGATORS`, `OTEL_TRACES_EXPORTER`, `OTEL_EXPORTER_OTLP_CERTIFICATE`) and lets code win
//! over all; here they are read in one place, and they win over the settings.
//!
//! As the specification asks, empty is unset, and a value that is not understood is warned of and ignored.

use opentelemetry_sdk::trace::Sampler;

/// What the variables ask for. `None`: nothing, so the settings hold.
#[derive(Debug, Default)]
pub(super) struct OtelVariables {
    /// No spans at all; contexts of callers still pass through.
    pub sdk_disabled: bool,
    /// Spans are made, for the ids in the logs, but not sent.
    pub export_disabled: bool,
    /// The exporter finds its address itself.
    pub names_endpoint: bool,
    /// The exporter finds its time-out itself.
    pub names_timeout: bool,
    /// The batch processor finds its interval itself.
    pub names_interval: bool,
    /// A PEM file with the authority that signed the collector's certificate.
    pub certificate: Option<String>,
    pub propagators: Propagators,
    pub sampler: Option<Sampler>,
    pub service_name: Option<String>,
    /// What was not understood, to be logged once logging works.
    pub warnings: Vec<String>,
}

/// Which headers carry the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Propagators {
    pub trace_context: bool,
    pub baggage: bool,
}

impl Default for Propagators {
    fn default() -> Self {
        Self { trace_context: true, baggage: true }
    }
}

impl OtelVariables {
    #[expect(clippy::disallowed_methods, reason = "these names are OpenTelemetry's, not settings of ours")]
    pub(super) fn from_process() -> Self {
        Self::read(|name| std::env::var(name).ok())
    }

    pub(super) fn read(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let either = |first: &str, second: &str| get(first).or_else(|| get(second));
        let mut found = Self {
            sdk_disabled: get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            names_endpoint: either("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT").is_some(),
            names_timeout: either("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT").is_some(),
            names_interval: get("OTEL_BSP_SCHEDULE_DELAY").is_some(),
            certificate: either("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
            service_name: get("OTEL_SERVICE_NAME")
                .or_else(|| get("OTEL_RESOURCE_ATTRIBUTES").as_deref().and_then(service_name)),
            ..Self::default()
        };
        if let Some(exporter) = get("OTEL_TRACES_EXPORTER") {
            found.read_exporter(&exporter);
        }
        let protocol = either("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");
        if let Some(protocol) = protocol.filter(|protocol| protocol != "grpc") {
            found.warn("OTEL_EXPORTER_OTLP_PROTOCOL", &protocol, "only grpc is built in");
        }
        if let Some(names) = get("OTEL_PROPAGATORS") {
            found.read_propagators(&names);
        }
        if let Some(name) = get("OTEL_TRACES_SAMPLER") {
            found.read_sampler(&name, get("OTEL_TRACES_SAMPLER_ARG").as_deref());
        }
        found
    }

    fn warn(&mut self, variable: &str, value: &str, why: &str) {
        self.warnings.push(format!("{variable}={value} is ignored: {why}"));
    }

    fn read_exporter(&mut self, value: &str) {
        match value {
            "none" => self.export_disabled = true,
            "otlp" => {}
            other => self.warn("OTEL_TRACES_EXPORTER", other, "expected otlp or none"),
        }
    }

    fn read_propagators(&mut self, names: &str) {
        let mut propagators = Propagators { trace_context: false, baggage: false };
        let mut understood = false;
        for name in names.split(',').map(str::trim) {
            match name {
                "tracecontext" => propagators.trace_context = true,
                "baggage" => propagators.baggage = true,
                "none" => {}
                other => {
                    self.warn("OTEL_PROPAGATORS", other, "expected tracecontext, baggage or none");
                    continue;
                }
            }
            understood = true;
        }
        if understood {
            self.propagators = propagators;
        }
    }

    fn read_sampler(&mut self, name: &str, argument: Option<&str>) {
        let (root, parent_based) = match name.strip_prefix("parentbased_") {
            Some(root) => (root, true),
            None => (name, false),
        };
        let root = match root {
            "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(self.ratio(argument)),
            _ => {
                let why = "expected always_on, always_off or traceidratio, each also as parentbased_…";
                self.warn("OTEL_TRACES_SAMPLER", name, why);
                return;
            }
        };
        self.sampler = Some(if parent_based { Sampler::ParentBased(Box::new(root)) } else { root });
    }

    fn ratio(&mut self, argument: Option<&str>) -> f64 {
        let Some(text) = argument else { return 1.0 };
        let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.unwrap_or_else(|| {
            self.warn("OTEL_TRACES_SAMPLER_ARG", text, "expected a number from 0 to 1");
            1.0
        })
    }
}

fn service_name(attributes: &str) -> Option<String> {
    let mut pairs = attributes.split(',').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.trim() == "service.name").map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> OtelVariables {
        OtelVariables::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// Shows: S8
    #[test]
    fn without_variables_the_settings_hold_and_both_propagators_are_on() {
        let found = read(&[("OTEL_SDK_DISABLED", ""), ("OTEL_TRACES_SAMPLER", " ")]);
        assert!(!found.sdk_disabled && !found.export_disabled && !found.names_endpoint && found.sampler.is_none());
        assert_eq!(found.propagators, Propagators { trace_context: true, baggage: true });
        assert_eq!(found.warnings, Vec::<String>::new());
    }

    /// Shows: S8
    #[test]
    fn the_variables_that_the_sdk_ignores_are_honoured() {
        let found = read(&[
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_PROPAGATORS", "baggage, none"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ]);
        assert!(found.sdk_disabled && found.export_disabled);
        assert_eq!(found.propagators, Propagators { trace_context: false, baggage: true });
        assert_eq!(found.certificate.as_deref(), Some("/ca.pem"));
    }

    /// Shows: S8
    #[test]
    fn samplers_are_read_with_their_argument() {
        let sampler = |name: &str, argument: &str| {
            let found = read(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]);
            (format!("{:?}", found.sampler), found.warnings.len())
        };
        assert_eq!(sampler("always_off", ""), ("Some(AlwaysOff)".to_owned(), 0));
        assert_eq!(sampler("traceidratio", "0.5"), ("Some(TraceIdRatioBased(0.5))".to_owned(), 0));
        let (parent_based, warnings) = sampler("parentbased_traceidratio", "7");
        assert_eq!(parent_based, "Some(ParentBased(TraceIdRatioBased(1.0)))");
        assert_eq!(warnings, 1);
        assert_eq!(sampler("xray", ""), ("None".to_owned(), 1));
    }

    #[test]
    fn what_is_not_understood_is_warned_of_and_ignored() {
        let found = read(&[
            ("OTEL_PROPAGATORS", "b3"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ]);
        assert_eq!(found.propagators, Propagators::default());
        assert!(!found.export_disabled);
        assert_eq!(found.warnings.len(), 3, "{:?}", found.warnings);
    }

    /// Shows: S8
    #[test]
    fn the_service_name_wins_over_the_one_among_the_resource_attributes() {
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "team=shop, service.name = from-attributes");
        assert_eq!(read(&[attributes]).service_name.as_deref(), Some("from-attributes"));
        let both = read(&[attributes, ("OTEL_SERVICE_NAME", "from-name")]);
        assert_eq!(both.service_name.as_deref(), Some("from-name"));
    }
}
