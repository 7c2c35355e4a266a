//! `[dpop]`: how proofs of possession are checked (RFC 9449).

use std::time::Duration;

use serde::Deserialize;
use shared_lib::{
    jwt::dpop::DpopSettings as DpopRules,
    settings::{Findings, Secret, key},
};

/// The shortest key for nonces, in characters.
const MIN_KEY_CHARS: usize = 32;

/// How proofs of possession are checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpopSettings {
    /// Whether a proof without a nonce of this service is refused.
    pub require_nonce: bool,
    /// How long a nonce is given out; it is good for as long again.
    pub nonce_period_ms: u64,
    /// How far the time of a proof without a nonce may be from ours.
    pub max_proof_age_ms: u64,
    /// How many proofs are remembered.
    pub max_replays: usize,
    /// What nonces are made with, the same for all replicas; absent: each has its own.
    pub nonce_key: Option<Secret>,
}

impl DpopSettings {
    /// What the verifier is told.
    #[must_use]
    pub fn rules(&self) -> DpopRules {
        DpopRules {
            require_nonce: self.require_nonce,
            nonce_period: Duration::from_millis(self.nonce_period_ms),
            max_age: Duration::from_millis(self.max_proof_age_ms),
            max_replays: self.max_replays,
            nonce_key: self.nonce_key.clone(),
            ..DpopRules::default()
        }
    }

    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let period = (10_000..=3_600_000).contains(&self.nonce_period_ms);
        findings.require(period, key(prefix, "nonce_period_ms"), "must be from 10000 to 3600000");
        let age = (1_000..=300_000).contains(&self.max_proof_age_ms);
        findings.require(age, key(prefix, "max_proof_age_ms"), "must be from 1000 to 300000");
        let replays = (1_000..=10_000_000).contains(&self.max_replays);
        findings.require(replays, key(prefix, "max_replays"), "must be from 1000 to 10000000");
        let long = self.nonce_key.as_ref().is_none_or(|key| key.expose().chars().count() >= MIN_KEY_CHARS);
        findings.require(long, key(prefix, "nonce_key"), format!("must have at least {MIN_KEY_CHARS} characters"));
    }
}
