//! Where operations are remembered.

use std::{error::Error, fmt};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{key::Scope, operation::KeptAnswer};

/// What tells one body from another: its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of this body, as it came.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The name of one claim on an operation. Whoever's claim has lapsed and been taken over cannot write any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease(pub Uuid);

/// A claim on an operation.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// Which operation.
    pub scope: Scope,
    /// With which body.
    pub fingerprint: Fingerprint,
    /// Whose claim.
    pub lease: Lease,
    /// The present time.
    pub now: Timestamp,
    /// When the claim lapses.
    pub lease_ends: Timestamp,
    /// When the operation is forgotten.
    pub forget_at: Timestamp,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It holds: the operation is the claimer's to run.
    Claimed,
    /// Another claim holds until then.
    InFlight {
        /// When it lapses.
        until: Timestamp,
    },
    /// The operation was begun with another body.
    OtherBody,
    /// It was done.
    Done(KeptAnswer),
}

/// A store that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("operations cannot be remembered")]
pub struct StoreFailure(#[source] Box<dyn Error + Send + Sync>);

impl StoreFailure {
    /// With what the store said.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Remembers operations. Each call is atomic.
pub trait IdempotencyStore: Send + Sync {
    /// Claims an operation that is new, forgotten, or left behind with the same body by a claim that has lapsed.
    ///
    /// # Errors
    /// When the store is away.
    fn begin(&self, claim: Claim) -> BoxFuture<'_, Result<Begun, StoreFailure>>;

    /// Keeps the answer, if the claim still holds.
    ///
    /// # Errors
    /// When the store is away.
    fn complete<'a>(
        &'a self,
        scope: Scope,
        lease: Lease,
        answer: &'a KeptAnswer,
    ) -> BoxFuture<'a, Result<(), StoreFailure>>;

    /// Gives the operation up, if the claim still holds, so that it can be tried again at once.
    ///
    /// # Errors
    /// When the store is away.
    fn release(&self, scope: Scope, lease: Lease) -> BoxFuture<'_, Result<(), StoreFailure>>;
}
