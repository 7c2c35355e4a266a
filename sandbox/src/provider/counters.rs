//! Counters of what clients did, for tests that promise how often something is called.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// What happened since the provider started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests to `/token`, whatever came of them.
    pub token_calls: u64,
    /// Refresh tokens that were exchanged for new ones.
    pub refreshes: u64,
    /// Refresh tokens that were used a second time; each cost a family its life.
    pub refresh_reuses: u64,
    /// Authorization codes that were used a second time.
    pub code_reuses: u64,
    /// Requests to `/jwks`.
    pub jwks_fetches: u64,
    /// Requests for the metadata.
    pub discovery_fetches: u64,
    /// Requests to `/userinfo`.
    pub userinfo_calls: u64,
    /// Requests to `/revoke`.
    pub revocations: u64,
    /// Tokens got by client credentials.
    pub client_credentials: u64,
    /// Tokens got by token exchange.
    pub token_exchanges: u64,
    /// Requests to `/par` that were accepted.
    pub pushed_requests: u64,
    /// Successful logins with the form.
    pub logins: u64,
}

/// The counters while they count.
#[derive(Default)]
pub(crate) struct LiveCounters {
    pub(crate) token_calls: Counter,
    pub(crate) refreshes: Counter,
    pub(crate) refresh_reuses: Counter,
    pub(crate) code_reuses: Counter,
    pub(crate) jwks_fetches: Counter,
    pub(crate) discovery_fetches: Counter,
    pub(crate) userinfo_calls: Counter,
    pub(crate) revocations: Counter,
    pub(crate) client_credentials: Counter,
    pub(crate) token_exchanges: Counter,
    pub(crate) pushed_requests: Counter,
    pub(crate) logins: Counter,
}

impl LiveCounters {
    /// The numbers as they stand.
    pub(crate) fn read(&self) -> Counters {
        Counters {
            token_calls: self.token_calls.read(),
            refreshes: self.refreshes.read(),
            refresh_reuses: self.refresh_reuses.read(),
            code_reuses: self.code_reuses.read(),
            jwks_fetches: self.jwks_fetches.read(),
            discovery_fetches: self.discovery_fetches.read(),
            userinfo_calls: self.userinfo_calls.read(),
            revocations: self.revocations.read(),
            client_credentials: self.client_credentials.read(),
            token_exchanges: self.token_exchanges.read(),
            pushed_requests: self.pushed_requests.read(),
            logins: self.logins.read(),
        }
    }
}

/// One number that only grows.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Counts one more.
    pub(crate) fn count(&self) {
        // Nothing is ordered by these numbers.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
