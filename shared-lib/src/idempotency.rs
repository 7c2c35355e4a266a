//! `Idempotency-Key`: an unsafe call that is repeated has its effect once and gets the same answer
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! [`IdempotencyKey`] reads the field, and [`Scope`] says within what a key is one's own.

mod key;
mod problems;

pub use key::{IDEMPOTENCY_KEY, IdempotencyKey, Scope};
pub use problems::{IDEMPOTENCY_KEY_INVALID, IDEMPOTENCY_KEY_MISSING, KINDS};
