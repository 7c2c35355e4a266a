//! How much a stream may hold, and when clients come back.

use std::time::Duration;

use serde::Deserialize;

use crate::settings::{Findings, key};

/// The bounds of a [`Hub`](super::Hub). Every key has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamSettings {
    /// Milliseconds without an event after which a client gets a comment, 10 to 300,000 (default 15,000).
    pub heartbeat_ms: u64,
    /// Milliseconds after which a client that lost its stream comes back (default 3,000).
    pub retry_ms: u64,
    /// Events that a key's history keeps, 1 to 100,000 (default 256).
    pub history_events: usize,
    /// Bytes that a key's history keeps, at least `max_event_bytes` (default 262,144).
    pub history_bytes: usize,
    /// Bytes of the largest event, encoded (default 65,536). Readers are told of a gap in place of a larger one.
    pub max_event_bytes: usize,
    /// A client that takes nothing while this many events pass is cut, 1 to `history_events` (default 64).
    pub client_buffer_events: usize,
    /// Streams of one key on this process, at least 1 (default 8).
    pub max_streams_per_key: usize,
    /// Streams on this process, at least 1 (default 20,000).
    pub max_streams: usize,
    /// Milliseconds after which a refused client comes back, at least `retry_ms` (default 30,000).
    pub refusal_retry_ms: u64,
    /// Least milliseconds after which a client comes back when this process drains, or sends it away (default 500).
    pub drain_retry_min_ms: u64,
    /// Most milliseconds after which a client comes back when this process drains, or sends it away (default 10,000).
    pub drain_retry_max_ms: u64,
    /// Milliseconds until a broken upstream stream is opened again for the first time (default 100).
    pub rejoin_min_ms: u64,
    /// Most milliseconds until a broken upstream stream is opened again (default 10,000).
    pub rejoin_max_ms: u64,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            heartbeat_ms: 15_000,
            retry_ms: 3_000,
            history_events: 256,
            history_bytes: 256 * 1024,
            max_event_bytes: 64 * 1024,
            client_buffer_events: 64,
            max_streams_per_key: 8,
            max_streams: 20_000,
            refusal_retry_ms: 30_000,
            drain_retry_min_ms: 500,
            drain_retry_max_ms: 10_000,
            rejoin_min_ms: 100,
            rejoin_max_ms: 10_000,
        }
    }
}

impl StreamSettings {
    /// Checks ranges. `prefix` is the section's path, such as `streams`.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let mut require = |holds: bool, name: &str, message: &str| findings.require(holds, key(prefix, name), message);
        require((10..=300_000).contains(&self.heartbeat_ms), "heartbeat_ms", "must be from 10 to 300000");
        require((1..=100_000).contains(&self.history_events), "history_events", "must be from 1 to 100000");
        require(self.history_bytes >= self.max_event_bytes, "history_bytes", "must be at least max_event_bytes");
        require(self.max_event_bytes >= 1_024, "max_event_bytes", "must be at least 1024");
        let holds = (1..=self.history_events).contains(&self.client_buffer_events);
        require(holds, "client_buffer_events", "must be from 1 to history_events");
        require(self.max_streams_per_key >= 1, "max_streams_per_key", "must be at least 1");
        require(self.max_streams >= 1, "max_streams", "must be at least 1");
        require(self.refusal_retry_ms >= self.retry_ms, "refusal_retry_ms", "must be at least retry_ms");
        let holds = self.drain_retry_min_ms <= self.drain_retry_max_ms;
        require(holds, "drain_retry_max_ms", "must be at least drain_retry_min_ms");
        require(self.rejoin_min_ms <= self.rejoin_max_ms, "rejoin_max_ms", "must be at least rejoin_min_ms");
    }

    pub(super) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms.max(10))
    }

    pub(super) fn retry(&self) -> Duration {
        Duration::from_millis(self.retry_ms)
    }

    pub(super) fn refusal_retry(&self) -> Duration {
        Duration::from_millis(self.refusal_retry_ms)
    }

    /// When a client comes back after a drain; `share` is from 0 to 1.
    pub(super) fn drain_retry(&self, share: f64) -> Duration {
        let least = Duration::from_millis(self.drain_retry_min_ms);
        let range = Duration::from_millis(self.drain_retry_max_ms.saturating_sub(self.drain_retry_min_ms));
        least + range.mul_f64(share.clamp(0.0, 1.0))
    }

    /// How long to wait before the `failures`-th new attempt, 1 being the first: doubling, and between half and the whole
    /// of that by `share`, so that the upstream streams of many keys do not come back at one moment.
    pub(super) fn rejoin_delay(&self, failures: u32, share: f64) -> Duration {
        let doubled = self.rejoin_min_ms.saturating_mul(1 << failures.saturating_sub(1).min(20));
        let whole = Duration::from_millis(doubled.min(self.rejoin_max_ms));
        whole.mul_f64(0.5 + share.clamp(0.0, 1.0) / 2.0)
    }
}
