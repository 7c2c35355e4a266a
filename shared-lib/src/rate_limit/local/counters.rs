//! The counters of quotas. What there is no room for is not remembered: the record that outlives the tiers is then all
//! that is known of it.

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date};

use super::super::quota::Period;

/// Counters by owner, at most as many as there is room for.
pub(super) struct Counters {
    owners: HashMap<Box<str>, Owner>,
    max_owners: usize,
    /// The day on which those that are over were last looked for. None ends before the next one begins, so that looking
    /// again at each new owner would find nothing and cost the more the more there are.
    swept: Option<Date>,
    #[cfg(test)]
    pub(super) looked_at: usize,
}

#[derive(Default, Clone, Copy)]
struct Owner {
    day: Counter,
    month: Counter,
}

#[derive(Default, Clone, Copy)]
struct Counter {
    /// The period that is counted.
    begins: Option<Date>,
    used: u64,
}

impl Owner {
    fn counter(&mut self, period: Period) -> &mut Counter {
        match period {
            Period::Day => &mut self.day,
            Period::Month => &mut self.month,
        }
    }
}

impl Counters {
    pub(super) fn new(max_owners: usize) -> Self {
        Self {
            owners: HashMap::new(),
            max_owners,
            swept: None,
            #[cfg(test)]
            looked_at: 0,
        }
    }

    pub(super) fn used(&mut self, owner: &str, period: Period, now: Timestamp) -> u64 {
        let begins = Some(period.begins(now));
        let counter = self.owners.get_mut(owner).map(|owner| *owner.counter(period));
        counter.filter(|counter| counter.begins == begins).map_or(0, |counter| counter.used)
    }

    pub(super) fn set(&mut self, owner: &str, period: Period, now: Timestamp, used: u64) {
        if !self.owners.contains_key(owner) {
            if self.owners.len() >= self.max_owners {
                self.sweep(now);
            }
            if self.owners.len() >= self.max_owners {
                return;
            }
        }
        let counter = self.owners.entry(owner.into()).or_default().counter(period);
        *counter = Counter { begins: Some(period.begins(now)), used };
    }

    /// Forgets the owners of whom nothing is counted any more, once a day.
    fn sweep(&mut self, now: Timestamp) {
        let (day, month) = (Some(Period::Day.begins(now)), Some(Period::Month.begins(now)));
        if self.swept >= day {
            return;
        }
        self.swept = day;
        #[cfg(test)]
        {
            self.looked_at += self.owners.len();
        }
        self.owners.retain(|_, owner| owner.day.begins >= day || owner.month.begins >= month);
    }

    pub(super) fn give_back(&mut self, owner: &str, period: Period, at: Timestamp, units: u32) {
        let begins = Some(period.begins(at));
        let counter = self.owners.get_mut(owner).map(|owner| owner.counter(period));
        if let Some(counter) = counter.filter(|counter| counter.begins == begins) {
            counter.used = counter.used.saturating_sub(u64::from(units));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.owners.len()
    }
}
