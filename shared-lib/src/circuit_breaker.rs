//! A circuit breaker: when most calls to a downstream fail or crawl, stop calling it for a while.
//!
//! A caller that keeps knocking on a broken service waits for every time-out, ties up its own connections, and makes the
//! service's recovery harder. The breaker turns that into an immediate, cheap refusal, and finds out by a handful of
//! trial calls when the service is back. It knows no HTTP: whoever sends calls decides what a failure is.
//!
//! # States
//! ```text
//!             rate over threshold                wait is over
//!   Closed ------------------------> Open ---------------------> HalfOpen
//!     ^                               ^                            |   |
//!     |                               |   trials over threshold    |   |
//!     |                               +----------------------------+   |
//!     +----------------------------------------------------------------+
//!                              trials under threshold
//!
//!   by an operator: ForcedOpen (refuse all), Disabled (admit all, count nothing), MetricsOnly (admit all, count)
//! ```
//! The semantics are those of Resilience4j's `CircuitBreaker`, whose settings are widely known. Each of these is kept:
//! count and time windows, failure rate and slow-call rate, a minimum number of calls before anything is judged, a fixed
//! number of trial calls, exponential back-off of the wait, and the three states for operators.
//!
//! # What is different, and why
//! - **A permit is a drop guard.** A caller that goes away (a cancelled future, an early return, a panic) gives its trial
//!   place back. Otherwise a handful of cancellations leaves the breaker half-open with no place left, for ever.
//! - **A permit knows its generation.** A slow call that began before the breaker opened says nothing about a service that
//!   is being tried again now. Results of an earlier state are dropped.
//! - **A refusal says that it must not be retried** ([`Rejected::is_retryable`]): retrying against an open breaker only
//!   spends the retry budget.
//! - **No timer thread.** Time passes when somebody asks: [`CircuitBreaker::try_acquire`], [`CircuitBreaker::state`],
//!   [`CircuitBreaker::snapshot`] and [`CircuitBreaker::tick`] all let overdue transitions happen. Who wants them to be
//!   seen on time in metrics calls `tick` once a second.
//! - **Defaults for quiet pods.** See [`CircuitBreakerSettings`].
//!
//! # How to use it
//! One permit is one attempt on the wire: not one caller, not one logical call with its retries.
//! ```
//! use shared_lib::circuit_breaker::{CircuitBreaker, CircuitBreakerSettings, Outcome};
//! use shared_lib::clock::Clock;
//!
//! let breaker = CircuitBreaker::new("catalog", CircuitBreakerSettings::default(), Clock::system());
//! match breaker.try_acquire() {
//!     Ok(permit) => {
//!         // … send, wait for the answer …
//!         permit.record(Outcome::Success);
//!     }
//!     Err(rejected) => println!("try again in {:?}", rejected.retry_after),
//! }
//! ```
//!
//! # How it is built
//! `machine` is the pure part, `(state, event, now) -> state`, and is tested against a naive model. `window` keeps the
//! running totals. `handle` is the shared, locked shell with the clock and the listener. `settings` is configuration.

mod handle;
mod machine;
mod settings;
mod snapshot;
mod vocabulary;
mod window;

#[cfg(test)]
mod tests;

pub use handle::{CircuitBreaker, Listener, Permit, log_transition};
pub use settings::{CancelledCalls, CircuitBreakerSettings, InitialState, WindowType};
pub use snapshot::{Snapshot, TransitionEvent};
pub use vocabulary::{Outcome, Reason, Rejected, State};
