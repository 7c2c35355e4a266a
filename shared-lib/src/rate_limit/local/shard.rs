//! The stamps of a part of the keys, at most as many as there is room for.
//!
//! Keys that have rested are forgotten when others need their room. To look for them costs as much as there are keys, so
//! it is done when their number has doubled since, which is a small constant for each new key, and in a full shard at most
//! once in [`REST`], however many new keys come.

use std::{collections::HashMap, time::Duration};

/// At how many keys a shard first looks for those that it need not remember any more.
const FIRST_SWEEP: usize = 64;

/// For how long a full shard does not look again; so long a new key may have to share though another has rested.
pub(super) const REST: Duration = Duration::from_secs(1);

pub(super) struct Shard {
    stamps: HashMap<Box<str>, Box<[u64]>>,
    /// What keys share that there is no room for, however many rates they have.
    shared: Vec<u64>,
    max_keys: usize,
    next_sweep: usize,
    /// Until when a full shard does not look again, on the scale of the stamps.
    rests_until: u64,
    #[cfg(test)]
    pub(super) looked_at: usize,
}

impl Shard {
    pub(super) fn new(max_keys: usize) -> Self {
        Self {
            stamps: HashMap::new(),
            shared: Vec::new(),
            max_keys,
            next_sweep: FIRST_SWEEP,
            rests_until: 0,
            #[cfg(test)]
            looked_at: 0,
        }
    }

    /// The stamps of a key. `leads` says of each rate how far a stamp can be ahead of the time by its own calls.
    pub(super) fn stamps_of(&mut self, key: &str, leads: impl ExactSizeIterator<Item = u64>, now: u64) -> &mut [u64] {
        let rates = leads.len();
        if !self.stamps.contains_key(key) {
            self.make_room(now);
            if self.stamps.len() >= self.max_keys {
                self.shared.resize(self.shared.len().max(rates), 0);
                return &mut self.shared[..rates];
            }
            // It may have been charged on what is shared. So it goes on from there, as far as those can have been its own
            // calls: who has had nothing waits at most as if it had used up its rates.
            let shared = self.shared.iter().copied().chain(std::iter::repeat(0));
            let stamps = leads.zip(shared).map(|(lead, shared)| shared.min(now.saturating_add(lead))).collect();
            return self.stamps.entry(key.into()).insert_entry(stamps).into_mut();
        }
        let stamps = self.stamps.entry(key.into()).or_default();
        if stamps.len() != rates {
            // A key whose rules have become others begins anew.
            *stamps = vec![0; rates].into();
        }
        stamps
    }

    fn make_room(&mut self, now: u64) {
        let is_full = self.stamps.len() >= self.max_keys;
        let is_due = if is_full { now >= self.rests_until } else { self.stamps.len() >= self.next_sweep };
        if !is_due {
            return;
        }
        #[cfg(test)]
        {
            self.looked_at += self.stamps.len();
        }
        // A stamp that has passed says the same as none.
        self.stamps.retain(|_, stamps| stamps.iter().any(|stamp| *stamp > now));
        self.stamps.shrink_to(FIRST_SWEEP);
        self.next_sweep = (self.stamps.len() * 2).max(FIRST_SWEEP);
        self.rests_until = now.saturating_add(super::nanos(REST));
    }

    #[cfg(test)]
    pub(super) fn has(&self, key: &str) -> bool {
        self.stamps.contains_key(key)
    }

    pub(super) fn len(&self) -> usize {
        self.stamps.len()
    }
}
