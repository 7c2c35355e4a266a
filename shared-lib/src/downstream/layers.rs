//! The layers around every attempt, the same for HTTP and gRPC.
//!
//! From the outside in: retry (policy, then budget), bulkhead, circuit breaker, instance, request budget, time-out.
//! The bulkhead stands before the breaker, because a call that waits in line must not hold a trial place. One attempt on the wire
//! is one sample of the breaker and one debit of the request's attempts.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;

use super::{balance::Lease, error::Failure, registry::Shared};
use crate::{
    circuit_breaker::{Outcome, Permit},
    context::RequestContext,
};

/// A call as the layers see it.
pub(super) struct Layers<'a> {
    pub(super) shared: &'a Shared,
    pub(super) context: &'a RequestContext,
    /// The HTTP method, or the gRPC method's full name.
    pub(super) operation: &'a str,
    pub(super) idempotent: bool,
}

/// What one attempt is given.
pub(super) struct Attempt {
    /// The longest it may take.
    pub(super) timeout: Duration,
    /// The base address of the instance that it goes to.
    pub(super) instance: String,
    /// The trace context that it sends on.
    pub(super) trace: opentelemetry::Context,
}

impl Layers<'_> {
    /// Attempts until one succeeds or no further one is allowed. `exchange` gives the value and the status.
    pub(super) async fn run<T, F>(&self, exchange: impl Fn(Attempt) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<(T, u16), Failure>>,
    {
        let shared = self.shared;
        let (mut attempt, mut tried) = (0, None);
        loop {
            let failure = match self.attempt(attempt, &mut tried, &exchange).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let Some(delay) = self.retry_delay(attempt, &failure) else {
                return Err(failure);
            };
            tracing::debug!(service = &*shared.name, reason = failure.reason(), attempt, "retrying");
            tokio::time::sleep(delay).await;
            attempt += 1;
        }
    }

    pub(super) fn retry_delay(&self, attempt: u32, failure: &Failure) -> Option<Duration> {
        // What was never sent can be sent, whatever it does (RFC 9110 section 9.2.2).
        if !failure.is_transient() || !(self.idempotent || failure.was_never_sent()) {
            return None;
        }
        let remaining = self.context.budget().remaining()?;
        let delay = self.shared.retry_policy.next_delay(attempt + 1, failure.retry_after(), remaining)?;
        self.shared.retry_budget.try_withdraw().then_some(delay)
    }

    /// A place in the bulkhead, given back when dropped.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let places = &self.shared.bulkhead;
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Ok(place);
        }
        let wait = Duration::from_millis(self.shared.settings.max_wait_ms);
        if wait.is_zero() {
            return Err(Failure::BulkheadFull);
        }
        let wait = self.context.budget().sub_deadline(wait).ok_or(Failure::BudgetExhausted)?;
        match tokio::time::timeout(wait, Arc::clone(places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Failure::BulkheadFull),
        }
    }

    /// What an attempt needs beside its place: the breaker's permit, an instance, and the time that it may take.
    pub(super) fn admit(
        &self,
        avoid: Option<&str>,
        timeout: Duration,
        number: u32,
    ) -> Result<(Permit, Lease, Duration), Failure> {
        let (shared, budget) = (self.shared, self.context.budget());
        let permit = shared
            .breaker
            .try_acquire()
            .map_err(|rejected| Failure::BreakerOpen { retry_after: rejected.retry_after })?;
        let lease = shared.instances.pick(avoid).ok_or(Failure::NoInstance)?;
        budget.try_spend_attempt().map_err(|_| Failure::BudgetExhausted)?;
        let timeout = budget.sub_deadline(timeout).ok_or(Failure::BudgetExhausted)?;
        // Only what goes on the wire pays for retries: calls that the breaker refuses would save up for a storm.
        if number == 0 {
            shared.retry_budget.deposit();
        }
        shared.wire_attempts.add();
        Ok((permit, lease, timeout))
    }

    /// One attempt. `tried` is the instance of the attempt before, and becomes this one's.
    async fn attempt<T, F>(
        &self,
        number: u32,
        tried: &mut Option<String>,
        exchange: impl Fn(Attempt) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<(T, u16), Failure>>,
    {
        let shared = self.shared;
        let _place = self.place().await?;
        let (permit, lease, timeout) = self.admit(tried.as_deref(), shared.settings.timeout(), number)?;

        let instance = lease.address().to_owned();
        *tried = Some(instance.clone());
        let parent = self.context.trace();
        let trace = shared.observer.begin(parent, self.operation, number);
        let started = shared.clock.now();
        let exchange = exchange(Attempt { timeout, instance, trace: trace.clone() });
        let result = match tokio::time::timeout(timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(Failure::TimedOut(timeout)),
        };
        let outcome = match &result {
            Ok(_) => Outcome::Success,
            Err(failure) => shared.settings.failures.outcome(failure),
        };
        permit.record(outcome);
        lease.record(outcome);
        let took = shared.clock.now().saturating_duration_since(started);
        shared.observer.end(&trace, parent, self.operation, took, result.as_ref().map(|(_, status)| *status));
        result.map(|(value, _)| value)
    }
}

/// Errors of clients that cannot cross threads, or that have a text and nothing else.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Described(String);

impl Described {
    pub(super) fn new(error: &dyn std::fmt::Display) -> Arc<Self> {
        Arc::new(Self(error.to_string()))
    }
}
