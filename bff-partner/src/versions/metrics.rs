//! Calls by version and partner as a metric. Partners are as many as there are, so not each has a label of its own.

use opentelemetry::{KeyValue, global, metrics::Counter};
use shared_lib::telemetry::FewLabels;

use crate::keys::KeyRecord;

/// Partners that a process counts apart; calls of further ones are counted together, as `other`. The record has them all.
const MAX_PARTNERS: usize = 50;

pub(super) struct CallsMetric {
    calls: Counter<u64>,
    partners: FewLabels,
}

impl CallsMetric {
    pub(super) fn new() -> Self {
        let calls = global::meter("trifront.partner")
            .u64_counter("trifront.partner.version_calls")
            .with_description("Calls that keys were let in with, by version of the API and partner")
            .build();
        Self { calls, partners: FewLabels::new(MAX_PARTNERS) }
    }

    pub(super) fn count(&self, version: &'static str, key: &KeyRecord) {
        let labels = [
            KeyValue::new("api.version", version),
            KeyValue::new("environment", key.environment.as_str()),
            KeyValue::new("partner", self.partners.of(&key.partner)),
        ];
        self.calls.add(1, &labels);
    }
}
