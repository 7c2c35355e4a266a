//! The machine against a naive model that keeps every sample and every permit, and recomputes everything each time.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::circuit_breaker::machine::{Event, Machine};
use crate::circuit_breaker::settings::Plan;
use crate::circuit_breaker::{CancelledCalls, CircuitBreakerSettings, InitialState, Outcome, State, WindowType};
use crate::clock::Clock;

#[derive(Clone, Debug)]
enum Step {
    Acquire,
    /// One of the permits that are out comes back; `None` means that it is dropped.
    Return(usize, Option<Outcome>),
    Tick,
    Wait(u64),
    Order(InitialState),
}

#[derive(Clone, Copy, Debug)]
struct Trace {
    generation: u64,
    started_ms: u64,
}

/// All times are milliseconds since the beginning.
struct Model {
    settings: CircuitBreakerSettings,
    now: u64,
    state: State,
    entered: u64,
    generation: u64,
    openings_in_a_row: i32,
    /// (when, failed, slow) of each call that counted since the state began.
    samples: Vec<(u64, bool, bool)>,
    /// The samples that opened it.
    verdict: Vec<(u64, bool, bool)>,
    /// Permits that are out, of all generations.
    permits: Vec<Trace>,
}

impl Model {
    fn new(settings: CircuitBreakerSettings) -> Self {
        Self {
            settings,
            now: 0,
            state: State::Closed,
            entered: 0,
            generation: 0,
            openings_in_a_row: 0,
            samples: Vec::new(),
            verdict: Vec::new(),
            permits: Vec::new(),
        }
    }

    fn go(&mut self, state: State) {
        match state {
            State::Open => {
                self.verdict = self.window();
                self.openings_in_a_row += 1;
            }
            State::HalfOpen => {}
            _ => self.openings_in_a_row = 0,
        }
        self.state = state;
        self.entered = self.now;
        self.generation += 1;
        self.samples.clear();
    }

    fn wait(&self) -> u64 {
        let mut wait = self.settings.wait_in_open_ms as f64;
        for _ in 1..self.openings_in_a_row {
            wait = (wait * self.settings.wait_in_open_multiplier).min(self.settings.wait_in_open_cap_ms as f64);
        }
        wait as u64
    }

    fn time_passes(&mut self) {
        let age = self.now - self.entered;
        let limit = self.settings.max_wait_in_half_open_ms;
        if self.state == State::Open && self.settings.automatic_transition_to_half_open && age >= self.wait() {
            self.go(State::HalfOpen);
        } else if self.state == State::HalfOpen && limit > 0 && age >= limit {
            self.go(State::Open);
        }
    }

    fn trial_places_taken(&self) -> usize {
        let under_way = self.permits.iter().filter(|permit| permit.generation == self.generation);
        under_way.count() + self.samples.len()
    }

    fn acquire(&mut self) -> bool {
        self.time_passes();
        if self.state == State::Open && self.now - self.entered >= self.wait() {
            self.go(State::HalfOpen);
        }
        let admitted = match self.state {
            State::Closed | State::Disabled | State::MetricsOnly => true,
            State::Open | State::ForcedOpen => false,
            State::HalfOpen => self.trial_places_taken() < self.settings.permitted_calls_in_half_open as usize,
        };
        if admitted {
            self.permits.push(Trace { generation: self.generation, started_ms: self.now });
        }
        admitted
    }

    fn give_back(&mut self, permit: Trace, outcome: Option<Outcome>) {
        self.time_passes();
        if permit.generation != self.generation || self.state == State::Disabled {
            return;
        }
        let slow = self.now - permit.started_ms > self.settings.slow_call_duration_ms;
        let failed = match outcome {
            Some(Outcome::Success) => false,
            Some(Outcome::Failure) => true,
            Some(Outcome::Ignored) => return,
            None => match self.settings.cancelled_calls {
                CancelledCalls::Ignore => return,
                CancelledCalls::Failure => true,
                CancelledCalls::FailureIfSlow if slow => true,
                CancelledCalls::FailureIfSlow => return,
            },
        };
        self.samples.push((self.now, failed, slow));
        let minimum = self.settings.minimum_calls as usize;
        let (minimum, judges) = match self.state {
            State::HalfOpen => (minimum.min(self.settings.permitted_calls_in_half_open as usize), true),
            state => (minimum, state == State::Closed),
        };
        let window = self.window();
        if !judges || window.len() < minimum {
            return;
        }
        let rate = |of: usize| of as f64 * 100.0 / window.len() as f64;
        let failed = rate(window.iter().filter(|sample| sample.1).count());
        let slow = rate(window.iter().filter(|sample| sample.2).count());
        if failed >= self.settings.failure_rate_threshold || slow >= self.settings.slow_call_rate_threshold {
            self.go(State::Open);
        } else if self.state == State::HalfOpen {
            self.go(State::Closed);
        }
    }

    /// The samples that count now.
    fn window(&self) -> Vec<(u64, bool, bool)> {
        let second = |at: u64| (at - self.entered) / 1_000;
        match (self.state, self.settings.window_type) {
            (State::Open, _) => self.verdict.clone(),
            (State::HalfOpen, _) => self.samples.clone(),
            (_, WindowType::Count) => {
                let size = self.settings.window_size as usize;
                let skip = self.samples.len().saturating_sub(size);
                self.samples[skip..].to_vec()
            }
            (_, WindowType::Time) => {
                let seconds = self.settings.window_ms / 1_000;
                self.samples.iter().filter(|sample| second(sample.0) + seconds > second(self.now)).copied().collect()
            }
        }
    }
}

fn settings() -> impl Strategy<Value = CircuitBreakerSettings> {
    let window = (prop_oneof![Just(WindowType::Count), Just(WindowType::Time)], 1_u32..12, 1_u64..5, 1_u32..8);
    let judgement = (1_u8..=100, 1_u8..=100, 1_u64..400);
    let half_open = (1_u32..5, prop_oneof![Just(0_u64), 1_u64..3_000]);
    let open = (1_u64..3_000, 1_u8..=4, 0_u64..9_000, any::<bool>());
    let cancelled =
        prop_oneof![Just(CancelledCalls::Ignore), Just(CancelledCalls::Failure), Just(CancelledCalls::FailureIfSlow)];
    (window, judgement, half_open, open, cancelled).prop_map(|(window, judgement, half_open, open, cancelled_calls)| {
        CircuitBreakerSettings {
            window_type: window.0,
            window_size: window.1,
            window_ms: window.2 * 1_000,
            minimum_calls: match window.0 {
                WindowType::Count => window.3.min(window.1),
                WindowType::Time => window.3,
            },
            failure_rate_threshold: f64::from(judgement.0),
            slow_call_rate_threshold: f64::from(judgement.1),
            slow_call_duration_ms: judgement.2,
            permitted_calls_in_half_open: half_open.0,
            max_wait_in_half_open_ms: half_open.1,
            wait_in_open_ms: open.0,
            wait_in_open_multiplier: f64::from(open.1) * 0.5 + 0.5,
            wait_in_open_cap_ms: open.0 + open.2,
            automatic_transition_to_half_open: open.3,
            cancelled_calls,
            initial_state: InitialState::Closed,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        4 => Just(Some(Outcome::Success)),
        4 => Just(Some(Outcome::Failure)),
        1 => Just(Some(Outcome::Ignored)),
        1 => Just(None),
    ];
    let order = prop_oneof![
        3 => Just(InitialState::Closed),
        1 => Just(InitialState::Disabled),
        1 => Just(InitialState::MetricsOnly),
        1 => Just(InitialState::ForcedOpen),
    ];
    prop_oneof![
        12 => Just(Step::Acquire),
        12 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Step::Return(which, outcome)),
        1 => Just(Step::Tick),
        4 => (0_u64..300).prop_map(Step::Wait),
        3 => (300_u64..6_000).prop_map(Step::Wait),
        1 => order.prop_map(Step::Order),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Shows: S2
    #[test]
    fn the_machine_does_what_the_naive_model_does(settings in settings(), steps in vec(step(), 1..80)) {
        prop_assert_eq!(settings.validate(), vec![]);
        let origin = Clock::manual().0.now();
        let at = |ms: u64| origin + Duration::from_millis(ms);
        let mut machine = Machine::new(Plan::new(&settings), settings.initial_state, origin);
        let mut model = Model::new(settings);
        for step in steps {
            let (state_before, generation_before) = (machine.state(), machine.generation());
            let now = at(model.now);
            let mut transition = None;
            match step {
                Step::Acquire => {
                    let reaction = machine.apply(Event::Acquire, now);
                    prop_assert_eq!(reaction.rejected.is_none(), model.acquire());
                    if let Some(rejected) = reaction.rejected {
                        prop_assert_eq!(rejected.state, model.state);
                        if model.state == State::Open {
                            let left = model.entered + model.wait() - model.now;
                            prop_assert_eq!(rejected.retry_after, Duration::from_millis(left));
                        }
                    }
                    transition = reaction.transition;
                }
                Step::Return(which, outcome) if !model.permits.is_empty() => {
                    let which = which % model.permits.len();
                    let permit = model.permits.swap_remove(which);
                    let generation = permit.generation;
                    let elapsed = Duration::from_millis(model.now - permit.started_ms);
                    let event = match outcome {
                        Some(outcome) => Event::Complete { generation, outcome, elapsed },
                        None => Event::Cancel { generation, elapsed },
                    };
                    transition = machine.apply(event, now).transition;
                    model.give_back(permit, outcome);
                }
                Step::Return(..) => {}
                Step::Tick => {
                    transition = machine.apply(Event::Tick, now).transition;
                    model.time_passes();
                }
                Step::Wait(ms) => model.now += ms,
                Step::Order(order) => {
                    transition = machine.apply(Event::Order(order), now).transition;
                    model.go(match order {
                        InitialState::Closed => State::Closed,
                        InitialState::Disabled => State::Disabled,
                        InitialState::MetricsOnly => State::MetricsOnly,
                        InitialState::ForcedOpen => State::ForcedOpen,
                    });
                }
            }
            prop_assert_eq!(machine.state(), model.state);
            prop_assert_eq!(machine.generation(), model.generation);
            match transition {
                Some(transition) => {
                    prop_assert_eq!(machine.generation(), generation_before + 1, "one event, one transition");
                    prop_assert_eq!((transition.from, transition.to), (state_before, model.state));
                }
                None => prop_assert_eq!(machine.generation(), generation_before),
            }
            let (totals, window) = (machine.totals(at(model.now)), model.window());
            prop_assert_eq!(totals.calls, window.len() as u64);
            prop_assert_eq!(totals.failed, window.iter().filter(|sample| sample.1).count() as u64);
            prop_assert_eq!(totals.slow, window.iter().filter(|sample| sample.2).count() as u64);
            prop_assert_eq!(totals.slow_failed, window.iter().filter(|sample| sample.1 && sample.2).count() as u64);
        }
    }
}
