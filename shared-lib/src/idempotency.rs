//! `Idempotency-Key`: an unsafe call that is repeated has its effect once and gets the same answer
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! [`IdempotencyKey`] reads the field, and [`Scope`] says within what a key is one's own. [`Idempotency::run`] runs an
//! operation once for each scope:
//! - who comes while it runs gets a 409; the claim on it is a lease, so a process that dies does not hold it for ever;
//! - who comes later with the same body gets the kept answer, marked [`REPLAYED`]; with another body, a 422;
//! - it runs to its end when its caller leaves, so that the answer can be asked for again.
//!
//! Kept are answers of operations that had their effect. A failed one can be tried again at once. Between the effect and
//! its record there is always a moment in which a process can die, so the service that has the effect must be given the
//! scope as its own key and make the effect once; then a repetition is harmless whenever it comes.

mod key;
mod memory;
mod operation;
mod problems;
mod store;

pub use key::{IDEMPOTENCY_KEY, IdempotencyKey, Scope};
pub use memory::MemoryStore;
pub use operation::{Idempotency, IdempotencySettings, KeptAnswer, Outcome, REPLAYED};
pub use problems::{
    IDEMPOTENCY_IN_FLIGHT, IDEMPOTENCY_KEY_INVALID, IDEMPOTENCY_KEY_MISSING, IDEMPOTENCY_KEY_REUSED,
    IDEMPOTENCY_UNAVAILABLE, KINDS,
};
pub use store::{Begun, Claim, Fingerprint, IdempotencyStore, Lease, StoreFailure};
