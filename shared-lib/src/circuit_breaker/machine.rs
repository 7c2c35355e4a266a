//! The breaker as a pure state machine: `(state, event, now) -> state`, with the answer and the transition returned.
//!
//! It reads no clock, takes no lock and tells nobody; the shell around it (`handle`) does. One event causes at most one
//! transition, so whoever applies events sees every change.
//!
//! Generation: every transition begins a new one, and a result counts only in the generation that admitted its call. That
//! single rule is what keeps late results of an earlier state out.

use std::time::{Duration, Instant};

use super::settings::{CancelledCalls, InitialState, Plan, WindowType};
use super::vocabulary::{Outcome, Reason, Rejected, State};
use super::window::{Sample, Totals, Window};

/// What can happen to a breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// Somebody wants to call.
    Acquire,
    /// A call that this generation admitted has ended after `elapsed`.
    Complete { generation: u64, outcome: Outcome, elapsed: Duration },
    /// A call that this generation admitted was given up after `elapsed`.
    Cancel { generation: u64, elapsed: Duration },
    /// Nothing but time.
    Tick,
    /// An operator's order. `Closed` is the reset; open and half-open cannot be ordered.
    Order(InitialState),
}

/// A change of state. The new generation is the machine's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Transition {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) reason: Reason,
}

/// What an event led to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reaction {
    /// For [`Event::Acquire`]: the refusal, or nothing when the call is admitted. For other events nothing.
    pub(crate) rejected: Option<Rejected>,
    pub(crate) transition: Option<Transition>,
}

/// A breaker's state and the plan it follows.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    plan: Plan,
    phase: Phase,
    generation: u64,
    since: Instant,
    not_permitted: u64,
}

#[derive(Clone, Debug)]
enum Phase {
    Closed(Window),
    Open {
        until: Instant,
        /// How often open was entered in a row; it sets the wait.
        attempt: u32,
        /// What the window held when it opened, for the report.
        verdict: Totals,
    },
    HalfOpen {
        /// Trial calls that may still be admitted.
        places: u32,
        attempt: u32,
        window: Window,
    },
    ForcedOpen,
    Disabled,
    MetricsOnly(Window),
}

impl Machine {
    pub(crate) fn new(plan: Plan, initial: InitialState, now: Instant) -> Self {
        let mut machine = Self { plan, phase: Phase::Disabled, generation: 0, since: now, not_permitted: 0 };
        machine.phase = machine.ordered(initial, now);
        machine
    }

    /// Applies one event. `now` should not be before that of an earlier event; if it is a little (threads race for the
    /// lock), nothing worse happens than that a moment is counted twice.
    pub(crate) fn apply(&mut self, event: Event, now: Instant) -> Reaction {
        match event {
            Event::Acquire => self.acquire(now),
            Event::Complete { generation, outcome, elapsed } => self.settle(generation, Some(outcome), elapsed, now),
            Event::Cancel { generation, elapsed } => self.settle(generation, None, elapsed, now),
            Event::Tick => Reaction::of(self.let_time_pass(now)),
            Event::Order(state) => {
                let phase = self.ordered(state, now);
                Reaction::of(Some(self.enter(phase, Reason::Operator, now)))
            }
        }
    }

    pub(crate) fn state(&self) -> State {
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::ForcedOpen => State::ForcedOpen,
            Phase::Disabled => State::Disabled,
            Phase::MetricsOnly(_) => State::MetricsOnly,
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn not_permitted(&self) -> u64 {
        self.not_permitted
    }

    /// Whether every call is admitted whatever the time is, until the next transition.
    pub(crate) fn admits_all(&self) -> bool {
        matches!(self.phase, Phase::Closed(_) | Phase::Disabled | Phase::MetricsOnly(_))
    }

    /// The sums that the state judges by; in open, those that opened it.
    pub(crate) fn totals(&mut self, now: Instant) -> Totals {
        match &mut self.phase {
            Phase::Closed(window) | Phase::MetricsOnly(window) | Phase::HalfOpen { window, .. } => window.totals(now),
            Phase::Open { verdict, .. } => *verdict,
            Phase::ForcedOpen | Phase::Disabled => Totals::default(),
        }
    }

    /// Whether the window holds enough calls to be judged.
    pub(crate) fn is_judged(&self, totals: Totals) -> bool {
        let minimum = match self.phase {
            Phase::HalfOpen { .. } => self.half_open_minimum(),
            // What opened the breaker was judged, by whichever minimum.
            Phase::Open { .. } => 1,
            _ => self.plan.minimum_calls,
        };
        totals.calls >= minimum
    }

    /// How long calls are going to be refused; nothing when the state admits calls.
    pub(crate) fn retry_after(&self, now: Instant) -> Option<Duration> {
        match self.phase {
            Phase::Open { until, .. } => Some(until.saturating_duration_since(now)),
            Phase::HalfOpen { places: 0, .. } => {
                let rest = self.half_open_ends().map(|end| end.saturating_duration_since(now));
                let answer = self.plan.slow_call_duration;
                Some(rest.map_or(answer, |rest| rest.min(answer)))
            }
            Phase::ForcedOpen => Some(self.plan.wait_in_open(1)),
            _ => None,
        }
    }

    fn acquire(&mut self, now: Instant) -> Reaction {
        let mut transition = self.let_time_pass(now);
        if let Phase::Open { until, attempt, .. } = self.phase
            && now >= until
        {
            transition = Some(self.enter(self.half_open(attempt), Reason::WaitElapsed, now));
        }
        let rejected = self.retry_after(now).map(|retry_after| Rejected { retry_after, state: self.state() });
        if rejected.is_some() {
            self.not_permitted += 1;
        } else if let Phase::HalfOpen { places, .. } = &mut self.phase {
            *places -= 1;
        }
        Reaction { rejected, transition }
    }

    /// A permit came back. `outcome` is missing when its call was given up.
    fn settle(&mut self, generation: u64, outcome: Option<Outcome>, elapsed: Duration, now: Instant) -> Reaction {
        let overdue = self.let_time_pass(now);
        if generation != self.generation {
            return Reaction::of(overdue);
        }
        let slow = elapsed > self.plan.slow_call_duration;
        let failed = match (outcome, self.plan.cancelled_calls) {
            (Some(Outcome::Success), _) => Some(false),
            (Some(Outcome::Failure), _) | (None, CancelledCalls::Failure) => Some(true),
            (None, CancelledCalls::FailureIfSlow) if slow => Some(true),
            (Some(Outcome::Ignored), _) | (None, _) => None,
        };
        let Some(failed) = failed else {
            if let Phase::HalfOpen { places, .. } = &mut self.phase {
                *places += 1;
            }
            return Reaction::of(overdue);
        };
        // Time that has passed begins a new generation, so there is no overdue transition from here on.
        Reaction::of(self.record(Sample { failed, slow }, now))
    }

    fn record(&mut self, sample: Sample, now: Instant) -> Option<Transition> {
        let half_open_minimum = self.half_open_minimum();
        match &mut self.phase {
            Phase::Closed(window) => {
                let totals = window.record(sample, now);
                if totals.calls < self.plan.minimum_calls {
                    return None;
                }
                let reason = over_threshold(&self.plan, totals)?;
                Some(self.open(1, totals, reason, now))
            }
            Phase::HalfOpen { window, attempt, .. } => {
                let totals = window.record(sample, now);
                if totals.calls < half_open_minimum {
                    return None;
                }
                let next = attempt.saturating_add(1);
                Some(match over_threshold(&self.plan, totals) {
                    Some(reason) => self.open(next, totals, reason, now),
                    None => {
                        let closed = Phase::Closed(self.new_window(now));
                        self.enter(closed, Reason::TrialsPassed, now)
                    }
                })
            }
            Phase::MetricsOnly(window) => {
                window.record(sample, now);
                None
            }
            Phase::Open { .. } | Phase::ForcedOpen | Phase::Disabled => None,
        }
    }

    fn let_time_pass(&mut self, now: Instant) -> Option<Transition> {
        match self.phase {
            Phase::Open { until, attempt, .. } if self.plan.automatic_transition && now >= until => {
                Some(self.enter(self.half_open(attempt), Reason::WaitElapsed, now))
            }
            Phase::HalfOpen { attempt, .. } if self.half_open_ends().is_some_and(|end| now >= end) => {
                let totals = self.totals(now);
                let next = attempt.saturating_add(1);
                Some(self.open(next, totals, Reason::HalfOpenTooLong, now))
            }
            _ => None,
        }
    }

    fn half_open_ends(&self) -> Option<Instant> {
        self.plan.max_wait_in_half_open.map(|wait| self.since + wait)
    }

    /// Half-open admits only so many calls, so more results than that never come.
    fn half_open_minimum(&self) -> u64 {
        self.plan.minimum_calls.min(u64::from(self.plan.permitted_in_half_open))
    }

    fn open(&mut self, attempt: u32, verdict: Totals, reason: Reason, now: Instant) -> Transition {
        let until = now + self.plan.wait_in_open(attempt);
        let phase = Phase::Open { until, attempt, verdict };
        self.enter(phase, reason, now)
    }

    fn half_open(&self, attempt: u32) -> Phase {
        Phase::HalfOpen {
            places: self.plan.permitted_in_half_open,
            attempt,
            window: Window::of_calls(self.plan.permitted_in_half_open as usize),
        }
    }

    fn ordered(&self, state: InitialState, now: Instant) -> Phase {
        match state {
            InitialState::Closed => Phase::Closed(self.new_window(now)),
            InitialState::Disabled => Phase::Disabled,
            InitialState::MetricsOnly => Phase::MetricsOnly(self.new_window(now)),
            InitialState::ForcedOpen => Phase::ForcedOpen,
        }
    }

    fn new_window(&self, now: Instant) -> Window {
        match self.plan.window_type {
            WindowType::Count => Window::of_calls(self.plan.window_size),
            WindowType::Time => Window::of_seconds(self.plan.window_seconds, now),
        }
    }

    fn enter(&mut self, phase: Phase, reason: Reason, now: Instant) -> Transition {
        let from = self.state();
        self.phase = phase;
        self.generation += 1;
        self.since = now;
        self.not_permitted = 0;
        Transition { from, to: self.state(), reason }
    }
}

impl Reaction {
    fn of(transition: Option<Transition>) -> Self {
        Self { rejected: None, transition }
    }
}

/// The threshold that is reached, if any; failures are named before slowness.
fn over_threshold(plan: &Plan, totals: Totals) -> Option<Reason> {
    let (failure_rate, slow_call_rate) = (totals.failure_rate(), totals.slow_call_rate());
    if failure_rate >= plan.failure_rate_threshold {
        Some(Reason::FailureRate(failure_rate))
    } else if slow_call_rate >= plan.slow_call_rate_threshold {
        Some(Reason::SlowCallRate(slow_call_rate))
    } else {
        None
    }
}
