//! What a limiter takes when a million names come that it has never seen. A test program of its own, because what is
//! measured is the whole process.

use std::{num::NonZeroU32, time::Duration};

use futures_util::FutureExt as _;
use shared_lib::{
    clock::Clock,
    rate_limit::{Charge, Limiter, Period, QuotaPolicy, RatePolicy},
};

/// So many are remembered, of a million that come. Tables double when they are full; with this number they have just done
/// so, and more of them is empty than with most others.
const MAX_KEYS: u64 = 14_400;

/// What a key and an owner of quotas may take together, as `[limits] max_keys` of bff-partner says.
const CAP_BYTES: u64 = 400 * MAX_KEYS;

/// What is in memory and comes from no file, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel says it");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("the kernel says it");
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
}

fn within_the_cap(limiter: &Limiter) -> (usize, usize) {
    let (keys, owners) = limiter.remembered();
    let most = usize::try_from(MAX_KEYS).expect("a number");
    assert!(keys <= most && owners <= most, "{keys} keys, {owners} owners");
    (keys, owners)
}

/// Shows: P5
#[test]
fn a_million_keys_and_owners_take_no_more_than_those_that_are_remembered_may() {
    let (clock, _hand) = Clock::manual();
    let limiter = Limiter::local(usize::try_from(MAX_KEYS).expect("a number"), clock);
    let units = |count| NonZeroU32::new(count).expect("not zero");
    let rate = RatePolicy::new("burst", units(10), Duration::from_secs(3_600), units(5)).expect("a policy");
    let rules = limiter.rules(vec![rate], vec![QuotaPolicy::new(Period::Month, 10_000)]);
    let before = resident();
    for number in 0..1_000_000 {
        // As long as the names that there are: a key's id, and a partner in an environment.
        let (key, owner) = (format!("key-{number:016}"), format!("partner-{number:010}_test"));
        let charge = Charge { key: &key, cost: NonZeroU32::MIN, owner: &owner, quota_cost: 1, known: &[] };
        limiter.charge(&rules, &charge).now_or_never().expect("one process waits for nobody");
        if number % 1_000 == 0 {
            within_the_cap(&limiter);
        }
    }
    let taken = resident().saturating_sub(before);
    let (keys, owners) = within_the_cap(&limiter);
    assert_eq!((keys as u64, owners as u64), (MAX_KEYS, MAX_KEYS), "it is full");
    assert!(taken <= CAP_BYTES, "{taken} bytes are more than {CAP_BYTES}");
}
