//! The retry budget: how many retries a process may send to one downstream.
//!
//! Attempts per call bound what one call does; they do not bound what all calls do together. When a service fails, three
//! attempts a call are three times the load. The budget ties retries to first attempts (as Finagle's `RetryBudget` and
//! Envoy's retry budgets do): each first attempt deposits a fraction of a token (0.2 by default), each retry withdraws a
//! whole one. Two things make that usable:
//! - Deposits expire (`budget_ttl_ms`), so savings of a calm hour do not fund a storm.
//! - A floor: some tokens a second come for free, so that a pod with one call a minute can retry too. What the floor has
//!   saved is at most one second's worth (and at least one token).
//!
//! # The bound
//! A deposit is spent once, and so is what the floor gives. So for any span of `t` seconds since the start, whatever fails:
//! `retries <= ratio * first attempts + floor * (t + 1)` (with one whole token in place of the `+ 1` when the floor is
//! below one a second). The tests hold the budget to that bound, and to using it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::RetrySettings;
use crate::clock::Clock;

/// The budget of one downstream, shared by all workers of the process. Clones are the same budget.
#[derive(Clone)]
pub struct RetryBudget {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    tokens: Mutex<Tokens>,
}

impl RetryBudget {
    /// A budget with the floor full and no deposits.
    #[must_use]
    pub fn new(settings: &RetrySettings, clock: Clock) -> Self {
        let tokens = Mutex::new(Tokens::new(settings, clock.now()));
        Self { shared: Arc::new(Shared { clock, tokens }) }
    }

    /// Notes a first attempt on the wire. Retries must not be noted, or they would pay for each other.
    pub fn deposit(&self) {
        let now = self.shared.clock.now();
        self.tokens().deposit(now);
    }

    /// Takes the price of one retry; `false` means that there must be none.
    #[must_use]
    pub fn try_withdraw(&self) -> bool {
        let now = self.shared.clock.now();
        self.tokens().try_withdraw(now)
    }

    /// Retries that could be sent now, for metrics.
    #[must_use]
    pub fn balance(&self) -> f64 {
        let now = self.shared.clock.now();
        self.tokens().balance(now) as f64 / TOKEN as f64
    }

    /// The sums are whole after every statement, so a poisoned lock is still good.
    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.shared.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RetryBudget").field("balance", &self.balance()).finish()
    }
}

/// One retry, in the unit that is counted: millionths, so that ratios add up without rounding away.
const TOKEN: u64 = 1_000_000;
const SLOTS: usize = 10;

/// The pure part.
#[derive(Debug)]
struct Tokens {
    share: u64,
    slot_length: Duration,
    origin: Instant,
    /// Deposits by time, a tenth of the time to live each; the running one is `slot % SLOTS`.
    deposits: [u64; SLOTS],
    slot: u64,
    floor_per_second: u64,
    floor_limit: u64,
    floor: u64,
    floor_filled: Instant,
}

impl Tokens {
    fn new(settings: &RetrySettings, now: Instant) -> Self {
        let millionths = |value: f64| (value.max(0.0) * TOKEN as f64).round() as u64;
        let floor_per_second = millionths(settings.budget_floor_per_second.min(1_000.0));
        let floor_limit = if floor_per_second == 0 { 0 } else { floor_per_second.max(TOKEN) };
        let ttl = Duration::from_millis(settings.budget_ttl_ms.clamp(1_000, 3_600_000));
        Self {
            share: millionths(settings.budget_ratio.min(1.0)),
            slot_length: ttl / SLOTS as u32,
            origin: now,
            deposits: [0; SLOTS],
            slot: 0,
            floor_per_second,
            floor_limit,
            floor: floor_limit,
            floor_filled: now,
        }
    }

    fn deposit(&mut self, now: Instant) {
        self.move_on(now);
        self.deposits[(self.slot % SLOTS as u64) as usize] += self.share;
    }

    fn try_withdraw(&mut self, now: Instant) -> bool {
        if self.balance(now) < TOKEN {
            return false;
        }
        // What expires first is spent first: the oldest deposits, then younger ones, then the floor.
        let mut price = TOKEN;
        for age in 1..=SLOTS as u64 {
            let deposit = &mut self.deposits[((self.slot + age) % SLOTS as u64) as usize];
            let part = price.min(*deposit);
            *deposit -= part;
            price -= part;
        }
        self.floor -= price;
        true
    }

    fn balance(&mut self, now: Instant) -> u64 {
        self.move_on(now);
        self.deposits.iter().sum::<u64>() + self.floor
    }

    fn move_on(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.origin);
        let slot = u64::try_from(passed.as_nanos() / self.slot_length.as_nanos()).unwrap_or(u64::MAX);
        let gone = slot.saturating_sub(self.slot).min(SLOTS as u64);
        for step in 1..=gone {
            self.deposits[((self.slot + step) % SLOTS as u64) as usize] = 0;
        }
        self.slot = self.slot.max(slot);

        let idle = now.saturating_duration_since(self.floor_filled).as_nanos();
        let earned = idle * u128::from(self.floor_per_second) / 1_000_000_000;
        // Less than a millionth is not written off but left to grow.
        if earned > 0 {
            let earned = u64::try_from(earned).unwrap_or(u64::MAX);
            self.floor = self.floor.saturating_add(earned).min(self.floor_limit);
            self.floor_filled = now;
        }
    }
}
