//! What one inbound request may spend downstream: time until one deadline, and attempts on the wire.
//!
//! # Time is spent, not copied
//! A page that promises an answer in 2 seconds and gives each of its calls 2 seconds, one after the other and with retries,
//! answers in 10. So the deadline is set once, where the request comes in, as a point in time. Every later time-out is
//! [`RequestBudget::sub_deadline`], the lesser of what the call would like and what is left, and what is left is told to
//! the downstream, so that it too stops working for an answer that nobody waits for: over HTTP in
//! [`TIMEOUT_HEADER`], over gRPC as `grpc-timeout`. A duration is sent and not a point in time, because clocks of two
//! machines differ.
//!
//! # Attempts are counted over the whole fan-out
//! A page of four parts with three attempts each may send twelve requests; nested calls multiply. The maximum bounds the
//! sum over all parts, so that one page's trouble cannot become everybody's load.
//!
//! A budget that is used up fails at once: nothing is sent, nothing is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use actix_web::http::header::{HeaderName, HeaderValue};

use crate::clock::Clock;

/// Tells a downstream over HTTP how long the answer is waited for, in whole milliseconds.
pub const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// Tells the same over gRPC ("gRPC over HTTP/2", `Timeout`); see [`grpc_timeout`].
pub const GRPC_TIMEOUT_HEADER: &str = "grpc-timeout";

/// Attempts on the wire that a request may spend when nothing else is said: ten parts with three attempts each, and two.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 32;

/// Why nothing more is sent for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetExhausted {
    /// The deadline has passed.
    #[error("the request's deadline has passed")]
    Time,
    /// All attempts on the wire are spent.
    #[error("the request has spent all of its {maximum} attempts on the wire")]
    Attempts {
        /// How many it had.
        maximum: u32,
    },
}

/// The budget of one inbound request. Clones share it: give one to every part of the fan-out.
#[derive(Clone, Debug)]
pub struct RequestBudget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    deadline: Instant,
    max_attempts: u32,
    spent: AtomicU32,
}

impl RequestBudget {
    /// A budget that ends `timeout` from now by `clock`, with `max_attempts` attempts on the wire.
    #[must_use]
    pub fn new(clock: Clock, timeout: Duration, max_attempts: u32) -> Self {
        let now = clock.now();
        // A time-out beyond what the clock can count is as good as a day.
        let deadline = now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(86_400));
        Self { shared: Arc::new(Shared { clock, deadline, max_attempts, spent: AtomicU32::new(0) }) }
    }

    /// A budget that ends `timeout` from now by the system's clock, with [`DEFAULT_MAX_ATTEMPTS`].
    #[must_use]
    pub fn starting_now(timeout: Duration) -> Self {
        Self::new(Clock::system(), timeout, DEFAULT_MAX_ATTEMPTS)
    }

    /// The time that is left; nothing when the deadline has come.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let now = self.shared.clock.now();
        self.shared.deadline.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// The point in time at which the request ends.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.shared.deadline
    }

    /// How long a call may take that would like `timeout`: no longer than what is left, and nothing when nothing is.
    #[must_use]
    pub fn sub_deadline(&self, timeout: Duration) -> Option<Duration> {
        self.remaining().map(|left| left.min(timeout))
    }

    /// Spends one attempt on the wire. Call it for each one, retries included, before sending.
    ///
    /// # Errors
    /// [`BudgetExhausted`] when the deadline has come or all attempts are spent; then nothing must be sent.
    pub fn try_spend_attempt(&self) -> Result<(), BudgetExhausted> {
        if self.remaining().is_none() {
            return Err(BudgetExhausted::Time);
        }
        let maximum = self.shared.max_attempts;
        self.shared
            .spent
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |spent| (spent < maximum).then_some(spent + 1))
            .map(|_| ())
            .map_err(|_| BudgetExhausted::Attempts { maximum })
    }

    /// Attempts on the wire so far, over the whole fan-out.
    #[must_use]
    pub fn attempts_spent(&self) -> u32 {
        self.shared.spent.load(Ordering::Acquire)
    }
}

/// The value of [`TIMEOUT_HEADER`] for what is left: whole milliseconds, rounded down so that the downstream does not
/// outlast us, and at least 1, because 0 would say that there is no time at all.
#[must_use]
pub fn timeout_header_value(left: Duration) -> HeaderValue {
    let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    HeaderValue::from(millis.max(1))
}

/// Reads [`TIMEOUT_HEADER`]. Nothing when it is not a number of milliseconds of at most ten digits (115 days).
#[must_use]
pub fn parse_timeout_header(value: &HeaderValue) -> Option<Duration> {
    digits(value.as_bytes(), 10).map(Duration::from_millis)
}

/// The units of `grpc-timeout`, finest first, in nanoseconds.
const GRPC_UNITS: [(char, u64); 6] =
    [('n', 1), ('u', 1_000), ('m', 1_000_000), ('S', 1_000_000_000), ('M', 60_000_000_000), ('H', 3_600_000_000_000)];
const GRPC_MAX_DIGITS: usize = 8;
const GRPC_MAX_VALUE: u128 = 99_999_999;

/// The value of [`GRPC_TIMEOUT_HEADER`]: a positive integer of at most 8 digits and a unit, the finest in which it fits,
/// rounded down. Zero becomes the shortest time there is, `1n`, because the grammar has no zero.
#[must_use]
pub fn grpc_timeout(left: Duration) -> String {
    let nanos = left.as_nanos().max(1);
    for (unit, length) in GRPC_UNITS {
        let value = nanos / u128::from(length);
        if value <= GRPC_MAX_VALUE {
            return format!("{value}{unit}");
        }
    }
    format!("{GRPC_MAX_VALUE}H")
}

/// Reads a `grpc-timeout`. Nothing when it breaks the grammar.
#[must_use]
pub fn parse_grpc_timeout(value: &str) -> Option<Duration> {
    let unit = value.chars().next_back()?;
    let (_, length) = GRPC_UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let number = digits(&value.as_bytes()[..value.len() - 1], GRPC_MAX_DIGITS)?;
    // At most 99,999,999 hours, which is 3.6e20 ns: over 64 bits, so seconds and the rest are kept apart.
    let nanos = u128::from(number) * u128::from(length);
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
}

fn digits(bytes: &[u8], most: usize) -> Option<u64> {
    let fits = (1..=most).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit);
    fits.then(|| std::str::from_utf8(bytes).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests;
