//! Signs that no change was missed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// The eras of hearing, and the last sign of the present one. An era begins when changes begin to be heard of, and with
/// the next one it is over: between the two, something may have been missed.
#[derive(Clone, Default)]
pub(super) struct Signs(Arc<Mutex<Era>>);

#[derive(Clone, Copy, Default)]
struct Era {
    number: u64,
    /// Every change before this moment has been heard of.
    confirmed: Option<Instant>,
}

impl Signs {
    pub(super) fn begin_era(&self) {
        let mut era = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *era = Era { number: era.number + 1, confirmed: None };
    }

    pub(super) fn confirm(&self, moment: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).confirmed = Some(moment);
    }

    pub(super) fn era(&self) -> u64 {
        self.read().number
    }

    /// The last sign, if it is of this era.
    pub(super) fn confirmed(&self, era: u64) -> Option<Instant> {
        let present = self.read();
        present.confirmed.filter(|_| present.number == era)
    }

    fn read(&self) -> Era {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
