//! The proofs that were seen, for as long as they could be shown again (RFC 9449 section 11.1).
//!
//! Two generations, each of the length of the window: a proof is looked for in both and put into the younger, and the
//! older is dropped whole. So there is nothing to sweep, and memory is bounded: 32 bytes a proof and their table. A
//! store that is full refuses; to forget a proof early would be to accept it twice.

use std::{
    collections::HashSet,
    mem,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

use super::DpopError;

type Mark = [u8; 32];

/// The store.
pub(super) struct Replays {
    window: Duration,
    /// How many each generation holds.
    most: usize,
    generations: Mutex<Generations>,
}

struct Generations {
    young: HashSet<Mark>,
    old: HashSet<Mark>,
    began: Instant,
}

impl Replays {
    /// A store that remembers each proof for `window`, and at most `most` proofs.
    pub(super) fn new(window: Duration, most: usize, now: Instant) -> Self {
        let generations = Generations { young: HashSet::new(), old: HashSet::new(), began: now };
        Self { window, most: (most / 2).max(1), generations: Mutex::new(generations) }
    }

    /// Remembers a proof by its key and its name.
    pub(super) fn remember(&self, thumbprint: &str, jti: &str, now: Instant) -> Result<(), DpopError> {
        // A thumbprint has always the same length, so no two pairs read the same.
        let mark: Mark = Sha256::new().chain_update(thumbprint).chain_update(jti).finalize().into();
        // Nothing panics while it is held, and each change leaves it whole.
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.turn(self.window, now);
        if generations.young.contains(&mark) || generations.old.contains(&mark) {
            return Err(DpopError::Replayed);
        }
        if generations.young.len() >= self.most {
            return Err(DpopError::Full);
        }
        generations.young.insert(mark);
        Ok(())
    }
}

impl Generations {
    fn turn(&mut self, window: Duration, now: Instant) {
        let age = now.saturating_duration_since(self.began);
        if age < window {
            return;
        }
        let young = mem::take(&mut self.young);
        self.old = if age < window * 2 { young } else { HashSet::new() };
        self.began = now;
    }
}
