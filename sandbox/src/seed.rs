//! Demo data that follows from a number: the same seed gives the same data on every machine.
//!
//! It is made once per process for each seed, when it is first asked for, and shared by every sandbox in the process.

mod catalog;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

pub(crate) use self::catalog::{Catalog, Product, ProductKey, categories};

/// The seed of a sandbox that is given none.
pub const DEFAULT_SEED: u64 = 42;

static SEEDS: Mutex<BTreeMap<u64, Arc<Seed>>> = Mutex::new(BTreeMap::new());

/// What follows from one number.
#[derive(Debug)]
pub(crate) struct Seed {
    number: u64,
    catalog: OnceLock<Catalog>,
}

impl Seed {
    /// The data of this number.
    pub(crate) fn of(number: u64) -> Arc<Self> {
        let mut seeds = SEEDS.lock().unwrap_or_else(PoisonError::into_inner);
        let seed = seeds.entry(number).or_insert_with(|| Arc::new(Self { number, catalog: OnceLock::new() }));
        Arc::clone(seed)
    }

    /// The products.
    pub(crate) fn catalog(&self) -> &Catalog {
        self.catalog.get_or_init(|| Catalog::generate(&mut self.random("catalog")))
    }

    /// A stream of random numbers for one purpose, always the same.
    pub(crate) fn random(&self, purpose: &str) -> ChaCha8Rng {
        let mut hash = Sha256::new();
        hash.update(self.number.to_be_bytes());
        hash.update(purpose.as_bytes());
        ChaCha8Rng::from_seed(hash.finalize().into())
    }
}
