//! What checking keys counts, without a word about which key.

use std::sync::OnceLock;

use opentelemetry::{KeyValue, global, metrics::Counter};

/// What came of a look-up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lookup {
    Found,
    Unknown,
    Failed,
    OverBudget,
}

/// How far a key came that was refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    /// It is none of ours: the checksum is wrong. Nothing was asked for it.
    MadeUp,
    /// It is well-formed, and unknown, wrong, revoked or expired.
    NotInForce,
}

/// Counts a question to the store.
pub(super) fn count_lookup(outcome: Lookup) {
    static COUNTER: OnceLock<Counter<u64>> = OnceLock::new();
    let counter = COUNTER.get_or_init(|| {
        let meter = global::meter("trifront.partner");
        let counter = meter.u64_counter("trifront.partner.key_lookups");
        counter.with_description("Questions to the store of keys, by what came of them").build()
    });
    let outcome = match outcome {
        Lookup::Found => "found",
        Lookup::Unknown => "unknown",
        Lookup::Failed => "failed",
        Lookup::OverBudget => "over_budget",
    };
    counter.add(1, &[KeyValue::new("outcome", outcome)]);
}

/// Counts a key that was refused.
pub(super) fn count_refusal(refusal: Refusal) {
    static COUNTER: OnceLock<Counter<u64>> = OnceLock::new();
    let counter = COUNTER.get_or_init(|| {
        let meter = global::meter("trifront.partner");
        let counter = meter.u64_counter("trifront.partner.keys_refused");
        counter.with_description("Keys that were refused, by how far they came").build()
    });
    let reason = match refusal {
        Refusal::MadeUp => "made_up",
        Refusal::NotInForce => "not_in_force",
    };
    counter.add(1, &[KeyValue::new("reason", reason)]);
}
