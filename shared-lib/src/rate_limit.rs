//! Limits on how often something may happen, and how they are told to clients.
//!
//! A [`RatePolicy`] `q` per `w` is a promise: **never more than `q` units are admitted in any window of length `w`**,
//! wherever the window begins. A bucket that holds `q` and refills with `q` per `w` does not keep it (a full one admits
//! nearly `2q` in its first window), so a policy also says how much may come [at once](RatePolicy::at_once), and refills
//! so slowly that what comes at once and what is refilled within `w` are together at most `q`.
//!
//! [`LocalLimiter`] holds one process to its policies: all of a key's policies are asked together, and either all are
//! charged or none is, so a refused call costs nothing. Its memory is bounded. [`Decision`] says what was decided, and
//! [`Decision::headers`] says it in the fields of draft-ietf-httpapi-ratelimit-headers.
//!
//! Each process counts for itself: `n` replicas admit at most `n · q`.

mod decision;
mod local;
mod policy;

pub use decision::{Decision, PolicyState, RATE_LIMIT, RATE_LIMIT_POLICY};
pub use local::LocalLimiter;
pub use policy::{PolicyError, RatePolicy};
