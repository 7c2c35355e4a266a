//! The calls that a breaker judges by: the last so many, or those of the last so many seconds.
//!
//! Both keep running totals, so that recording and judging cost the same however large the window is. The time window is
//! a ring of one-second buckets (as Resilience4j's): it forgets whole seconds, so what it covers is between one second
//! less than its length and its length.

use std::time::Instant;

/// One finished call, as far as a breaker is interested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

/// Sums over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    pub(crate) slow: u64,
    pub(crate) slow_failed: u64,
}

impl Totals {
    fn add(&mut self, sample: Sample) {
        self.calls += 1;
        self.failed += u64::from(sample.failed);
        self.slow += u64::from(sample.slow);
        self.slow_failed += u64::from(sample.failed && sample.slow);
    }

    fn take_away(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
        self.slow_failed -= other.slow_failed;
    }

    /// Share of failed calls in percent; 0 when there are none.
    pub(crate) fn failure_rate(&self) -> f64 {
        percent(self.failed, self.calls)
    }

    /// Share of slow calls in percent; 0 when there are none.
    pub(crate) fn slow_call_rate(&self) -> f64 {
        percent(self.slow, self.calls)
    }
}

impl From<Sample> for Totals {
    fn from(sample: Sample) -> Self {
        let mut totals = Self::default();
        totals.add(sample);
        totals
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// A window of either kind.
#[derive(Clone, Debug)]
pub(crate) enum Window {
    Count(CountWindow),
    Time(TimeWindow),
}

impl Window {
    pub(crate) fn of_calls(size: usize) -> Self {
        Self::Count(CountWindow { ring: vec![Sample::default(); size.max(1)], next: 0, totals: Totals::default() })
    }

    pub(crate) fn of_seconds(seconds: usize, now: Instant) -> Self {
        Self::Time(TimeWindow {
            origin: now,
            ring: vec![Totals::default(); seconds.max(1)],
            second: 0,
            totals: Totals::default(),
        })
    }

    pub(crate) fn record(&mut self, sample: Sample, now: Instant) -> Totals {
        match self {
            Self::Count(window) => window.record(sample),
            Self::Time(window) => window.record(sample, now),
        }
    }

    /// The sums as of `now`, without what has grown too old by then.
    pub(crate) fn totals(&mut self, now: Instant) -> Totals {
        if let Self::Time(window) = self {
            window.move_on(now);
        }
        match self {
            Self::Count(window) => window.totals,
            Self::Time(window) => window.totals,
        }
    }
}

/// The last `ring.len()` calls.
#[derive(Clone, Debug)]
pub(crate) struct CountWindow {
    ring: Vec<Sample>,
    next: usize,
    totals: Totals,
}

impl CountWindow {
    fn record(&mut self, sample: Sample) -> Totals {
        let oldest = std::mem::replace(&mut self.ring[self.next], sample);
        if self.totals.calls == self.ring.len() as u64 {
            self.totals.take_away(oldest.into());
        }
        self.totals.add(sample);
        self.next += 1;
        if self.next == self.ring.len() {
            self.next = 0;
        }
        self.totals
    }
}

/// The calls of the last `ring.len()` seconds, the running one included.
#[derive(Clone, Debug)]
pub(crate) struct TimeWindow {
    origin: Instant,
    ring: Vec<Totals>,
    /// The running second, counted from `origin`; its bucket is `second % ring.len()`.
    second: u64,
    totals: Totals,
}

impl TimeWindow {
    fn record(&mut self, sample: Sample, now: Instant) -> Totals {
        self.move_on(now);
        let bucket = self.bucket();
        self.ring[bucket].add(sample);
        self.totals.add(sample);
        self.totals
    }

    /// Empties the buckets of seconds that have passed. A `now` from before the running second (a thread that waited for
    /// the lock) changes nothing: its sample goes to the running second.
    fn move_on(&mut self, now: Instant) {
        let second = now.saturating_duration_since(self.origin).as_secs();
        let gone = second.saturating_sub(self.second);
        if gone == 0 {
            return;
        }
        if gone >= self.ring.len() as u64 {
            self.ring.fill(Totals::default());
            self.totals = Totals::default();
            self.second = second;
            return;
        }
        while self.second < second {
            self.second += 1;
            let bucket = self.bucket();
            let expired = std::mem::take(&mut self.ring[bucket]);
            self.totals.take_away(expired);
        }
    }

    fn bucket(&self) -> usize {
        (self.second % self.ring.len() as u64) as usize
    }
}
