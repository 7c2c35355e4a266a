//! The settings of `[downstreams.<name>]`. Every key but `urls` has a default that is safe for someone who sets
//! nothing.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use url::Url;

use super::{
    balance::BalanceSettings, cache::CacheSettings, failures::FailureSettings, grpc::StreamConnectionSettings,
    instances::Discover, retry::RetrySettings, tls::TlsSettings,
};
use crate::{
    circuit_breaker::CircuitBreakerSettings,
    settings::{Findings, StringList},
};

/// All downstreams by name.
pub type DownstreamsSettings = BTreeMap<String, DownstreamSettings>;

/// How one downstream is called.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DownstreamSettings {
    /// The base addresses of its instances. All have the same scheme; a path is a prefix of every call.
    pub urls: StringList,
    /// Where its instances come from: `urls`, or `dns`.
    #[serde(default)]
    pub discover: Discover,
    /// How often names are resolved again with `discover = "dns"`, in milliseconds.
    #[serde(default = "defaults::dns_refresh_ms")]
    pub dns_refresh_ms: u64,
    /// How attempts are spread over the instances.
    #[serde(default)]
    pub balance: BalanceSettings,
    /// Whether cleartext connections speak HTTP/2 with prior knowledge (RFC 9113 section 3.3). TLS connections
    /// negotiate it.
    #[serde(default)]
    pub h2c: bool,
    /// Whom we believe over TLS, and how we show who we are.
    #[serde(default)]
    pub tls: TlsSettings,
    /// The longest an attempt may take, from the connection to the last byte of the body, in milliseconds.
    #[serde(default = "defaults::timeout_ms")]
    pub timeout_ms: u64,
    /// The longest that opening a connection may take, name resolution and TLS included, in milliseconds.
    #[serde(default = "defaults::connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// Connections each worker may hold open; further calls wait for one within their time-out.
    #[serde(default = "defaults::max_connections")]
    pub max_connections: usize,
    /// Calls that may be under way at once, over all workers: the bulkhead. A slow downstream cannot take more of this
    /// process than that.
    #[serde(default = "defaults::max_concurrent")]
    pub max_concurrent: usize,
    /// How long a call waits for a place in the bulkhead, in milliseconds; 0: not at all.
    #[serde(default = "defaults::max_wait_ms")]
    pub max_wait_ms: u64,
    /// How long an idle connection is kept, in milliseconds. Below what the downstream keeps it, or calls meet
    /// connections that are being closed.
    #[serde(default = "defaults::keep_alive_ms")]
    pub keep_alive_ms: u64,
    /// How long a connection is used at most, in milliseconds, so that load follows when instances come and go.
    #[serde(default = "defaults::max_lifetime_ms")]
    pub max_lifetime_ms: u64,
    /// The largest body that is read, in bytes, after decompression.
    #[serde(default = "defaults::max_body_bytes")]
    pub max_body_bytes: usize,
    /// Whether equal calls at the same time share one answer.
    #[serde(default = "defaults::coalesce")]
    pub coalesce: bool,
    /// The connections that carry gRPC streams.
    #[serde(default)]
    pub streams: StreamConnectionSettings,
    /// The cache, for calls that ask for it.
    #[serde(default)]
    pub cache: CacheSettings,
    /// Repetition of idempotent calls.
    #[serde(default)]
    pub retry: RetrySettings,
    /// What counts as a failure of it.
    #[serde(default)]
    pub failures: FailureSettings,
    /// The circuit breaker in front of it.
    #[serde(default)]
    pub circuit_breaker: CircuitBreakerSettings,
}

mod defaults {
    pub(super) fn timeout_ms() -> u64 {
        2_000
    }
    pub(super) fn connect_timeout_ms() -> u64 {
        500
    }
    pub(super) fn max_connections() -> usize {
        64
    }
    pub(super) fn dns_refresh_ms() -> u64 {
        5_000
    }
    pub(super) fn max_concurrent() -> usize {
        256
    }
    pub(super) fn max_wait_ms() -> u64 {
        100
    }
    pub(super) fn coalesce() -> bool {
        true
    }
    pub(super) fn keep_alive_ms() -> u64 {
        4_000
    }
    pub(super) fn max_lifetime_ms() -> u64 {
        75_000
    }
    pub(super) fn max_body_bytes() -> usize {
        2 * 1024 * 1024
    }
}

impl DownstreamSettings {
    /// The defaults, for one address.
    #[must_use]
    pub fn for_address(url: &Url) -> Self {
        Self {
            urls: StringList::from(vec![url.to_string()]),
            discover: Discover::default(),
            dns_refresh_ms: defaults::dns_refresh_ms(),
            balance: BalanceSettings::default(),
            h2c: false,
            tls: TlsSettings::default(),
            timeout_ms: defaults::timeout_ms(),
            connect_timeout_ms: defaults::connect_timeout_ms(),
            max_connections: defaults::max_connections(),
            max_concurrent: defaults::max_concurrent(),
            max_wait_ms: defaults::max_wait_ms(),
            keep_alive_ms: defaults::keep_alive_ms(),
            max_lifetime_ms: defaults::max_lifetime_ms(),
            max_body_bytes: defaults::max_body_bytes(),
            coalesce: defaults::coalesce(),
            streams: StreamConnectionSettings::default(),
            cache: CacheSettings::default(),
            retry: RetrySettings::default(),
            failures: FailureSettings::default(),
            circuit_breaker: CircuitBreakerSettings::default(),
        }
    }

    /// The time an attempt may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// The parsed base addresses. Empty only where [`audit`](Self::audit) finds fault.
    #[must_use]
    pub fn parsed_urls(&self) -> Vec<Url> {
        self.urls.iter().filter_map(|url| Url::parse(url).ok()).collect()
    }

    /// Checks what types cannot.
    pub fn audit(&self, path: &str, findings: &mut Findings) {
        let key = format!("{path}.urls");
        findings.require(!self.urls.is_empty(), &key, "must list at least one address, such as http://catalog:8080");
        let mut schemes = Vec::new();
        for text in self.urls.iter() {
            match Url::parse(text) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
                    findings.require(plain, &key, "must not carry a query, a fragment or a user");
                    schemes.push(url.scheme().to_owned());
                }
                _ => findings.error(&key, "must be absolute http or https addresses, such as http://catalog:8080"),
            }
        }
        schemes.sort_unstable();
        schemes.dedup();
        findings.require(schemes.len() <= 1, &key, "must all have the same scheme");
        let cleartext = schemes.first().is_none_or(|scheme| scheme == "http");
        let by_name = self.discover == Discover::Dns;
        findings.require(
            !by_name || cleartext,
            format!("{path}.discover"),
            "dns is for http addresses: TLS checks the name",
        );
        findings.require(
            !self.h2c || cleartext,
            format!("{path}.h2c"),
            "is for http addresses; over TLS it is negotiated",
        );
        if cleartext {
            findings.require(self.tls.is_empty(), format!("{path}.tls"), "is for https addresses");
        } else {
            self.tls.audit(&format!("{path}.tls"), findings);
        }
        for (name, value) in [
            ("timeout_ms", self.timeout_ms),
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("keep_alive_ms", self.keep_alive_ms),
            ("max_lifetime_ms", self.max_lifetime_ms),
            ("max_connections", self.max_connections as u64),
            ("max_concurrent", self.max_concurrent as u64),
            ("max_body_bytes", self.max_body_bytes as u64),
            ("dns_refresh_ms", self.dns_refresh_ms),
        ] {
            findings.require(value > 0, format!("{path}.{name}"), "must be 1 or more");
        }
        self.streams.audit(&format!("{path}.streams"), findings);
        self.cache.audit(&format!("{path}.cache"), findings);
        for (name, message) in self.circuit_breaker.validate() {
            findings.error(format!("{path}.circuit_breaker.{name}"), message);
        }
        for (name, message) in self.balance.validate() {
            findings.error(format!("{path}.balance.{name}"), message);
        }
        for (name, message) in self.retry.validate() {
            findings.error(format!("{path}.retry.{name}"), message);
        }
    }
}
