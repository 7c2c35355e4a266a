//! What a downstream takes of this process at the moment, and what is ready for it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::registry::Shared;

/// One look at a downstream's use of this process, for the management port and for tests. When nothing calls the
/// downstream, the first four are 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// Calls that hold a place in the bulkhead.
    pub calls_under_way: usize,
    /// Attempts under way, over all instances.
    pub attempts_in_flight: u32,
    /// Calls that callers share at the moment.
    pub shared_calls: usize,
    /// Callers that wait for those.
    pub waiting_callers: usize,
    /// Attempts on the wire since the start.
    pub wire_attempts: u64,
    /// Retries that the retry budget would pay for now.
    pub retry_budget: f64,
    /// Answers in the cache. It counts what was taken in a moment late.
    pub cached_answers: u64,
    /// The memory that they are estimated to take, in bytes; as late as `cached_answers`.
    pub cached_bytes: u64,
}

impl Load {
    pub(super) fn of(shared: &Shared) -> Self {
        let (shared_calls, waiting_callers) = shared.flights.count();
        let (cached_answers, cached_bytes) = shared.cache.size();
        let instances = shared.instances.balancer().snapshot().instances;
        Self {
            calls_under_way: shared.settings.max_concurrent - shared.bulkhead.available_permits(),
            attempts_in_flight: instances.iter().map(|instance| instance.in_flight).sum(),
            shared_calls,
            waiting_callers,
            wire_attempts: shared.wire_attempts.count(),
            retry_budget: shared.retry_budget.balance(),
            cached_answers,
            cached_bytes,
        }
    }

    /// Whether everything that calls take has been given back.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        (self.calls_under_way, self.attempts_in_flight, self.shared_calls, self.waiting_callers) == (0, 0, 0, 0)
    }
}

/// Counts attempts on the wire.
#[derive(Debug, Default)]
pub(super) struct WireAttempts(AtomicU64);

impl WireAttempts {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
