//! `[server]`: the public listener and its limits.

use std::num::NonZeroUsize;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use url::{Host, Url};

use super::adaptive_limit::AdaptiveLimitSettings;
use super::findings::{Findings, key};

/// The public listener and its limits. Every key but `workers`, `unacknowledged_timeout_ms`
/// and the section `adaptive_limit` is required; the defaults are in `default.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// Address or name to listen on, such as `0.0.0.0`, `::` or `localhost`.
    pub host: String,
    /// Port to listen on; 0 lets the system choose one.
    pub port: u16,
    /// The origin by which clients reach this service (scheme, host and port), without a path.
    pub public_origin: Url,
    /// Worker threads; absent or 0: one per core.
    pub workers: Option<usize>,
    /// Networks (CIDR) of the proxies whose `Forwarded` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Time that one request may take in all.
    pub request_timeout_ms: u64,
    /// Time in which a request's headers must have arrived.
    pub header_timeout_ms: u64,
    /// How long an idle connection is kept; 0: closed after each answer.
    pub keep_alive_ms: u64,
    /// Time for which a client may acknowledge nothing of what was sent to it, or read nothing, until its connection is
    /// closed.
    #[serde(default = "default_unacknowledged_timeout_ms")]
    pub unacknowledged_timeout_ms: u64,
    /// Largest request body.
    pub max_body_bytes: usize,
    /// Largest sum of a request's target, header names and header values. Whatever is set here, the parser takes no
    /// head over 128 KiB and no more than 96 headers.
    pub max_header_bytes: usize,
    /// Open connections over all workers.
    pub max_connections: usize,
    /// Time from "not ready" to listening no more, so that load balancers notice.
    pub drain_delay_ms: u64,
    /// Time that requests in flight get to finish after that.
    pub drain_timeout_ms: u64,
    /// How many requests are worked on at once.
    #[serde(default)]
    pub adaptive_limit: AdaptiveLimitSettings,
}

impl ServerSettings {
    /// Worker threads, at least one.
    pub fn worker_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.workers.filter(|&workers| workers > 0).unwrap_or_else(cores)
    }

    /// See [`ServerSettings::request_timeout_ms`].
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    /// See [`ServerSettings::header_timeout_ms`].
    pub fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }

    /// See [`ServerSettings::keep_alive_ms`].
    pub fn keep_alive(&self) -> Duration {
        Duration::from_millis(self.keep_alive_ms)
    }

    /// See [`ServerSettings::unacknowledged_timeout_ms`].
    pub fn unacknowledged_timeout(&self) -> Duration {
        Duration::from_millis(self.unacknowledged_timeout_ms)
    }

    /// See [`ServerSettings::drain_delay_ms`].
    pub fn drain_delay(&self) -> Duration {
        Duration::from_millis(self.drain_delay_ms)
    }

    /// See [`ServerSettings::drain_timeout_ms`].
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }

    /// Checks ranges. `prefix` is the section's path, such as `server`.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        findings.require(!self.host.is_empty(), key(prefix, "host"), "must not be empty");
        findings.require(
            is_origin(&self.public_origin),
            key(prefix, "public_origin"),
            "must be an origin: http or https, a host, perhaps a port, and no path, query, fragment or user",
        );
        for (name, value, max) in [
            ("request_timeout_ms", self.request_timeout_ms, 600_000),
            ("header_timeout_ms", self.header_timeout_ms, 60_000),
            ("drain_timeout_ms", self.drain_timeout_ms, 600_000),
            ("unacknowledged_timeout_ms", self.unacknowledged_timeout_ms, 600_000),
        ] {
            let message = format!("must be from 1 to {max}");
            findings.require((1..=max).contains(&value), key(prefix, name), message);
        }
        for (name, value) in [("keep_alive_ms", self.keep_alive_ms), ("drain_delay_ms", self.drain_delay_ms)] {
            findings.require(value <= 600_000, key(prefix, name), "must be from 0 to 600000");
        }
        for (name, value, min) in [
            ("max_body_bytes", self.max_body_bytes, 1),
            ("max_header_bytes", self.max_header_bytes, 1024),
            ("max_connections", self.max_connections, 1),
        ] {
            findings.require(value >= min, key(prefix, name), format!("must be at least {min}"));
        }
        self.adaptive_limit.audit(&key(prefix, "adaptive_limit"), findings);
    }

    /// Checks what production asks for on top of [`ServerSettings::audit`].
    pub fn audit_production(&self, prefix: &str, findings: &mut Findings) {
        let is_loopback = match self.public_origin.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let path = key(prefix, "public_origin");
        findings.require(self.public_origin.scheme() == "https", path.as_str(), "must be https in production");
        findings.require(!is_loopback, path, "must not be the local machine in production");
        findings.require(
            self.trusted_proxies.iter().all(|network| network.prefix_len() > 0),
            key(prefix, "trusted_proxies"),
            "must not trust every address (a network of length 0) in production",
        );
    }
}

fn default_unacknowledged_timeout_ms() -> u64 {
    30_000
}

fn is_origin(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}
