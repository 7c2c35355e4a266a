//! Operations of one process, forgotten with it: for development and tests.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use jiff::Timestamp;

use super::{
    key::Scope,
    operation::KeptAnswer,
    store::{Begun, Claim, Fingerprint, IdempotencyStore, Lease, StoreFailure},
};

/// Remembers a bounded number of operations.
pub struct MemoryStore {
    operations: Mutex<HashMap<Scope, Operation>>,
    max_operations: usize,
}

struct Operation {
    fingerprint: Fingerprint,
    lease: Lease,
    lease_ends: Timestamp,
    forget_at: Timestamp,
    answer: Option<KeptAnswer>,
}

impl MemoryStore {
    /// A store for at most so many operations. Beyond that new ones are refused: to forget an operation early would be
    /// to allow it twice.
    #[must_use]
    pub fn new(max_operations: usize) -> Self {
        Self { operations: Mutex::default(), max_operations }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Scope, Operation>> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(&self, claim: Claim) -> Result<Begun, StoreFailure> {
        let mut operations = self.lock();
        if let Some(known) = operations.get(&claim.scope).filter(|known| known.forget_at > claim.now) {
            if known.fingerprint != claim.fingerprint {
                return Ok(Begun::OtherBody);
            }
            if let Some(answer) = &known.answer {
                return Ok(Begun::Done(answer.clone()));
            }
            if known.lease_ends > claim.now {
                return Ok(Begun::InFlight { until: known.lease_ends });
            }
        }
        if operations.len() >= self.max_operations {
            operations.retain(|_, operation| operation.forget_at > claim.now);
        }
        if operations.len() >= self.max_operations && !operations.contains_key(&claim.scope) {
            return Err(StoreFailure::new("there is no room for more operations"));
        }
        let Claim { scope, fingerprint, lease, lease_ends, forget_at, .. } = claim;
        operations.insert(scope, Operation { fingerprint, lease, lease_ends, forget_at, answer: None });
        Ok(Begun::Claimed)
    }
}

impl IdempotencyStore for MemoryStore {
    fn begin(&self, claim: Claim) -> BoxFuture<'_, Result<Begun, StoreFailure>> {
        ready(self.claim(claim)).boxed()
    }

    fn complete<'a>(
        &'a self,
        scope: Scope,
        lease: Lease,
        answer: &'a KeptAnswer,
    ) -> BoxFuture<'a, Result<(), StoreFailure>> {
        if let Some(operation) = self.lock().get_mut(&scope).filter(|operation| operation.lease == lease) {
            operation.answer = Some(answer.clone());
        }
        ready(Ok(())).boxed()
    }

    fn release(&self, scope: Scope, lease: Lease) -> BoxFuture<'_, Result<(), StoreFailure>> {
        let mut operations = self.lock();
        if operations.get(&scope).is_some_and(|operation| operation.lease == lease && operation.answer.is_none()) {
            operations.remove(&scope);
        }
        ready(Ok(())).boxed()
    }
}
