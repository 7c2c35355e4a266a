//! `[idempotency]`: how long operations are remembered. They are kept in the database of
//! `[keys] database_url`.

use std::time::Duration;

use serde::Deserialize;
use shared_lib::{
    idempotency,
    settings::{Findings, key},
};

const MAX_LEASE_MS: u64 = 600_000;
const MAX_KEEP_S: u64 = 31 * 24 * 3600;

/// How long operations are remembered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdempotencySettings {
    /// How long an operation that was begun belongs to who began it.
    pub lease_ms: u64,
    /// How long an operation is remembered.
    pub keep_s: u64,
}

impl IdempotencySettings {
    /// The same as durations.
    #[must_use]
    pub fn times(&self) -> idempotency::IdempotencySettings {
        idempotency::IdempotencySettings {
            lease: Duration::from_millis(self.lease_ms),
            keep: Duration::from_secs(self.keep_s),
        }
    }

    /// Checks what types cannot. `prefix` is the section's path; a request takes at most `longest_ms`.
    pub fn audit(&self, prefix: &str, longest_ms: u64, findings: &mut Findings) {
        let range = format!("must be more than server.request_timeout_ms, and at most {MAX_LEASE_MS}");
        let fits = self.lease_ms > longest_ms && self.lease_ms <= MAX_LEASE_MS;
        findings.require(fits, key(prefix, "lease_ms"), range);
        let range = format!("must be from 3600 to {MAX_KEEP_S}");
        findings.require((3600..=MAX_KEEP_S).contains(&self.keep_s), key(prefix, "keep_s"), range);
    }
}
