//! What the check costs by itself, without a request around it, its refusal and its count.

use std::{hint::black_box, time::Duration};

use bff_partner::{
    database::Database,
    keys::{KeyFormat, KeyRing, KeyStore, RingSettings},
};
use shared_lib::{clock::Clock, settings::Secret};

use crate::{
    kinds::{CHECKSUM_KEY, KINDS, Keys},
    statistics::median,
};

const BATCHES: usize = 200;
const BATCH: usize = 500;

/// Prints a line for each kind of key.
pub(crate) async fn print(keys: &Keys, url: &str) {
    let store = KeyStore::new(Database::open(&Secret::from(url)).await.expect("the store opens"));
    let format = KeyFormat::new(&Secret::from(CHECKSUM_KEY));
    let hour = Duration::from_secs(3600);
    let settings = RingSettings { fresh: hour, keep: hour, max_keys: 1000, max_first_lookups: 1000 };
    let clock = Clock::system();
    let ring = KeyRing::new(format, store, settings, clock.clone());
    println!("{:<14} {:>24}", "refused for", "the check alone, us");
    for (kind, name) in KINDS.iter().enumerate().skip(1) {
        let mut times = Vec::new();
        // The first batch reads from the store.
        for _ in 0..=BATCHES {
            let began = clock.now();
            for turn in 0..BATCH {
                let key = keys.of(kind, turn).unwrap_or_default();
                assert!(black_box(ring.check(black_box(key)).await).is_err(), "{name}");
            }
            times.push(clock.now().saturating_duration_since(began).as_nanos() as f64 / BATCH as f64 / 1000.0);
        }
        println!("{name:<14} {:>24.2}", median(times.into_iter().skip(1)));
    }
}
