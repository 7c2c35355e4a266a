//! The words that a breaker and its users share: state, outcome, reason, refusal.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The state of a breaker, as an operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Calls are admitted and judged.
    Closed,
    /// Calls are refused until the wait is over.
    Open,
    /// A few trial calls are admitted; their results decide.
    HalfOpen,
    /// Calls are refused until an operator says otherwise.
    ForcedOpen,
    /// Calls are admitted and not counted.
    Disabled,
    /// Calls are admitted and counted, and nothing follows from it.
    MetricsOnly,
}

impl State {
    /// The name used in logs, metrics and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How a call ended, in the eyes of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The downstream did its work (also when the answer is, say, "not found").
    Success,
    /// The downstream did not: no connection, no answer in time, a server error.
    Failure,
    /// It says nothing about the downstream's health: it counts as nothing and gives its trial place back.
    Ignored,
}

/// Why a breaker changed its state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// The failure rate, in percent, reached its threshold.
    FailureRate(f64),
    /// The slow-call rate, in percent, reached its threshold.
    SlowCallRate(f64),
    /// The trial calls stayed under both thresholds.
    TrialsPassed,
    /// The wait in open is over.
    WaitElapsed,
    /// Half-open came to no verdict in time.
    HalfOpenTooLong,
    /// Somebody asked for it.
    Operator,
}

impl Reason {
    /// The name used in logs and metrics, without the number.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailureRate(_) => "failure_rate",
            Self::SlowCallRate(_) => "slow_call_rate",
            Self::TrialsPassed => "trials_passed",
            Self::WaitElapsed => "wait_elapsed",
            Self::HalfOpenTooLong => "half_open_too_long",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailureRate(rate) => write!(formatter, "{rate:.1} % of the calls failed"),
            Self::SlowCallRate(rate) => write!(formatter, "{rate:.1} % of the calls were slow"),
            Self::TrialsPassed => formatter.write_str("the trial calls passed"),
            Self::WaitElapsed => formatter.write_str("the wait is over"),
            Self::HalfOpenTooLong => formatter.write_str("no verdict in half-open in time"),
            Self::Operator => formatter.write_str("set by an operator"),
        }
    }
}

/// The breaker did not let a call through: nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker is {state} and did not let the call through")]
pub struct Rejected {
    /// When it makes sense to ask again. Exact in open; in half-open the time in which a trial should have been answered;
    /// in forced open, where nobody knows, the first wait of open.
    pub retry_after: Duration,
    /// The state that refused.
    pub state: State,
}

impl Rejected {
    /// Always `false`: a refused call is not retried by whoever made it. The breaker has the newest knowledge of the
    /// downstream there is, and asking it again at once only spends the retry budget. The end user may try again after
    /// [`Self::retry_after`].
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        false
    }
}
