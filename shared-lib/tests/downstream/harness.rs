//! One downstream as a process has it, and requests to call it for.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use shared_lib::{
    circuit_breaker::Snapshot,
    clock::Clock,
    context::{Caller, RequestContext},
    downstream::{Downstream, DownstreamError, DownstreamSettings, Fetched, Load, Registry, budget::RequestBudget},
    settings::{Secret, StringList},
    telemetry::request_id::RequestId,
    testing::eventually,
};
use url::Url;

/// How long a test waits for what happens on other threads. It only ends tests that hang.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A process with one downstream.
pub struct Process {
    pub registry: Registry,
    pub downstream: Downstream,
}

impl Process {
    /// With the system's clock.
    pub fn new(urls: &[String], change: impl FnOnce(&mut DownstreamSettings)) -> Self {
        Self::with_clock(urls, &Clock::system(), change)
    }

    /// Retries wait a millisecond at most, so that tests are quick; everything else is as by default.
    pub fn with_clock(urls: &[String], clock: &Clock, change: impl FnOnce(&mut DownstreamSettings)) -> Self {
        let first = Url::parse(&urls[0]).expect("an address");
        let mut settings = DownstreamSettings::for_address(&first);
        settings.urls = StringList::from(urls.to_vec());
        settings.retry.base_ms = 1;
        settings.retry.cap_ms = 1;
        change(&mut settings);
        let registry = Registry::new(&BTreeMap::from([("shop".to_owned(), settings)]), clock).expect("a registry");
        let downstream = registry.for_worker().get("shop").expect("the downstream");
        Self { registry, downstream }
    }

    /// What the downstream takes of the process.
    pub fn load(&self) -> Load {
        self.registry.loads().remove("shop").expect("the downstream")
    }

    /// Its circuit breaker.
    pub fn breaker(&self) -> Snapshot {
        self.registry.breakers().remove("shop").expect("the downstream")
    }

    /// Asks for JSON of any shape.
    pub async fn get(&self, path: &[&str]) -> Result<Fetched<Value>, DownstreamError> {
        self.downstream.get(&request(), path).json().await
    }

    /// Fails unless places, leases and flights come back.
    pub async fn assert_idle(&self, what: &str) {
        let idle = eventually(PATIENCE, || async { self.load().is_idle() }).await;
        assert!(idle, "{what}: {:?}", self.load());
    }
}

/// A request with five seconds to live.
pub fn request() -> RequestContext {
    RequestContext::background(RequestBudget::starting_now(Duration::from_secs(5)))
}

/// A request of this subject, who is known downstream by a token of their own.
pub fn request_of(subject: &str, token: &str) -> RequestContext {
    let caller =
        Caller { subject: subject.to_owned(), scopes: Vec::new(), token: Some(Secret::from(token.to_owned())) };
    let budget = RequestBudget::starting_now(Duration::from_secs(5));
    RequestContext::new(budget, RequestId::fresh(), Some(caller), None, opentelemetry::Context::new())
}

/// The word for what happened.
pub fn reason<T>(outcome: &Result<T, DownstreamError>) -> &'static str {
    outcome.as_ref().map_or_else(|error| error.failure.reason(), |_| "success")
}
