//! `[keys]`: where API keys are kept, and how long what is known of them is believed.

use std::{num::NonZeroU32, time::Duration};

use serde::Deserialize;
use shared_lib::settings::{Findings, Secret, key};

use crate::{
    database::{self, Reach},
    keys::RingSettings,
};

const MIN_CHECKSUM_KEY_BYTES: usize = 32;
/// Longer than this a revoked key must not be believed while the store answers.
const MAX_FRESH_MS: u64 = 60_000;
const MAX_KEEP_MS: u64 = 24 * 3_600_000;

/// Where API keys are kept, and how long what is known of them is believed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysSettings {
    /// The store: `sqlite://` and the path of a file, or the address of a PostgreSQL, which may have a password in it.
    pub database_url: Secret,
    /// Whether production may reach PostgreSQL over a network without looking at who it is.
    pub allow_unverified_database: bool,
    /// The key of the checksum that every API key carries.
    pub checksum_key: Secret,
    /// How long an answer of the store is believed without asking again, or a sign that no change was missed.
    pub fresh_ms: u64,
    /// How long it is believed while the store is away.
    pub keep_ms: u64,
    /// How many keys are remembered.
    pub max_cached: u64,
    /// How many keys that are not remembered are looked up in a second.
    pub max_first_lookups_per_s: u32,
    /// How many keys that are not valid an address may show in a minute.
    pub max_refused_per_minute: NonZeroU32,
    /// How many such addresses are remembered.
    pub max_refusing_addresses: usize,
}

impl KeysSettings {
    /// What the ring is told.
    #[must_use]
    pub fn ring(&self) -> RingSettings {
        RingSettings {
            fresh: Duration::from_millis(self.fresh_ms),
            keep: Duration::from_millis(self.keep_ms),
            max_keys: self.max_cached,
            max_first_lookups: self.max_first_lookups_per_s,
        }
    }

    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        findings.require(
            is_address(self.database_url.expose()),
            key(prefix, "database_url"),
            "must be sqlite:// and the path of a file, such as sqlite:///var/lib/bff-partner/keys.db, \
             or postgres://user:password@host/database",
        );
        if let Some(Err(error)) = database::reach(self.database_url.expose()) {
            findings.error(key(prefix, "database_url"), error.to_string());
        }
        findings.require(
            self.checksum_key.expose().len() >= MIN_CHECKSUM_KEY_BYTES,
            key(prefix, "checksum_key"),
            format!("must have at least {MIN_CHECKSUM_KEY_BYTES} characters"),
        );
        let range = format!("must be from 0 to {MAX_FRESH_MS}");
        findings.require(self.fresh_ms <= MAX_FRESH_MS, key(prefix, "fresh_ms"), range);
        let range = format!("must be from fresh_ms to {MAX_KEEP_MS}");
        findings.require((self.fresh_ms..=MAX_KEEP_MS).contains(&self.keep_ms), key(prefix, "keep_ms"), range);
        findings.require(self.max_cached > 0, key(prefix, "max_cached"), "must be 1 or more");
        let at_least_one = self.max_first_lookups_per_s > 0;
        findings.require(self.max_refusing_addresses > 0, key(prefix, "max_refusing_addresses"), "must be 1 or more");
        findings.require(at_least_one, key(prefix, "max_first_lookups_per_s"), "must be 1 or more");
    }
}

impl KeysSettings {
    /// Checks what production asks for on top.
    pub fn audit_production(&self, prefix: &str, findings: &mut Findings) {
        let Some(Ok(reach)) = database::reach(self.database_url.expose()) else { return };
        let message = "does not look at who the server is: the password and which hash belongs to which key can be read, and \
                       revocations kept back. Use ?sslmode=verify-full&sslrootcert=FILE, or set allow_unverified_database \
                       where the network itself encrypts";
        let is_safe = reach != Reach::Unverified || self.allow_unverified_database;
        findings.require(is_safe, key(prefix, "database_url"), message);
    }
}

/// Whether it can be an address; what is wrong with the rest of it, the start says.
fn is_address(url: &str) -> bool {
    database::is_postgresql(url) || url.strip_prefix("sqlite://").is_some_and(|file| !file.is_empty())
}
