//! What a breaker reports: its state now, and each change of it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::vocabulary::{Reason, State};

/// One look at a breaker, for the management port and for metrics.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The breaker's name.
    pub name: Arc<str>,
    /// Its state.
    pub state: State,
    /// When the state began.
    pub since: Timestamp,
    /// Number of the state, one more with each transition.
    pub generation: u64,
    /// Share of failed calls in percent; missing while there are too few calls to judge.
    pub failure_rate: Option<f64>,
    /// Share of slow calls in percent; missing while there are too few calls to judge.
    pub slow_call_rate: Option<f64>,
    /// Calls in the window. In open: those that opened it.
    pub calls: u64,
    /// Failed ones among them.
    pub failed_calls: u64,
    /// Slow ones among them, failed or not.
    pub slow_calls: u64,
    /// Calls among them that were both.
    pub slow_failed_calls: u64,
    /// Calls refused since the state began.
    pub not_permitted_calls: u64,
    /// Calls refused since the process began.
    pub not_permitted_calls_total: u64,
    /// For how many milliseconds more calls are going to be refused; missing when they are admitted.
    pub retry_after_ms: Option<u64>,
}

/// A change of state, as told to the [`Listener`](super::Listener).
#[derive(Clone, Debug, PartialEq)]
pub struct TransitionEvent {
    /// The breaker's name.
    pub breaker: Arc<str>,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// Number of the new state. Listeners are called outside the lock, so two changes that follow each other closely may
    /// be told in either order; the higher number is the newer state.
    pub generation: u64,
    /// When.
    pub at: Timestamp,
}
