//! Limits on how often something may happen, and how they are told to clients.
//!
//! A [`RatePolicy`] `q` per `w` is a promise: **never more than `q` units are admitted in any window of length `w`**,
//! wherever the window begins. A bucket that holds `q` and refills with `q` per `w` does not keep it (a full one admits
//! nearly `2q` in its first window), so a policy also says how much may come [at once](RatePolicy::at_once), and refills
//! so slowly that what comes at once and what is refilled within `w` are together at most `q`. A [`QuotaPolicy`] is so
//! much in a day or a month of the calendar.
//!
//! A [`Limiter`] holds callers to their [`Rules`]: all policies of a call are asked together, and either all are charged
//! or none is, so a refused call costs nothing. Its memory is bounded. Where it is given a Redis, replicas count together
//! ([`Tier::Shared`]); while that is away each holds callers to its own part ([`Tier::Local`]), with a bound that
//! `limiter` states. [`Decision`] says what was decided, and [`Decision::headers`] says it in the fields of
//! draft-ietf-httpapi-ratelimit-headers.

mod decision;
mod limiter;
mod local;
mod policy;
mod quota;
mod rules;
mod shared;

pub use decision::{Decision, Measure, PolicyState, RATE_LIMIT, RATE_LIMIT_POLICY, Tier};
pub use limiter::{Limiter, QuotaReceipt, Share};
pub use policy::{PolicyError, RatePolicy};
pub use quota::{MAX_QUOTA, Period, QuotaPolicy};
pub use rules::{Charge, Rules};
pub use shared::{SharedAddressError, SharedSettings};
