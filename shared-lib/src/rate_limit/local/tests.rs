//! What new names cost a limiter that is full, in names that it looks at, whatever the machine.

use super::{shard::REST, *};
use crate::rate_limit::Limiter;

const MAX_KEYS: usize = 8_000;
const NAMES: usize = 100_000;

/// Keys and owners that were looked at for those that are over.
fn looked_at(limiter: &LocalLimiter) -> (usize, usize) {
    let keys = limiter.shards.iter().map(|shard| lock(shard).looked_at).sum();
    (keys, limiter.counters.iter().map(|counters| lock(counters).looked_at).sum())
}

fn rules(clock: &Clock, quotas: Vec<QuotaPolicy>) -> Rules {
    let rate = |name, window_s| {
        let (quota, at_once) = (NonZeroU32::new(10).expect("not zero"), NonZeroU32::new(5).expect("not zero"));
        RatePolicy::new(name, quota, Duration::from_secs(window_s), at_once).expect("a policy")
    };
    Limiter::local(MAX_KEYS, clock.clone()).rules(vec![rate("burst", 60), rate("sustained", 3_600)], quotas)
}

fn charge(limiter: &LocalLimiter, rules: &Rules, name: &str) -> Found {
    let charge = Charge { key: name, cost: NonZeroU32::MIN, owner: name, quota_cost: 1, known: &[] };
    limiter.charge(rules, &charge, limiter.clock.wall())
}

/// Shows: P5
#[test]
fn a_new_name_costs_a_full_limiter_no_more_the_more_it_remembers() {
    let (clock, hand) = Clock::manual();
    let quotas = vec![QuotaPolicy::new(Period::Day, 1_000), QuotaPolicy::new(Period::Month, 10_000)];
    let rules = rules(&clock, quotas);
    let limiter = LocalLimiter::new(MAX_KEYS, clock);
    for number in 0..NAMES {
        // Names come at 20,000 a second, for five seconds.
        if number % 1_000 == 0 {
            hand.advance(Duration::from_millis(50));
        }
        charge(&limiter, &rules, &number.to_string());
        if number % 100 == 0 {
            let (keys, owners) = limiter.remembered();
            assert!(keys <= MAX_KEYS && owners <= MAX_KEYS, "{keys} keys, {owners} owners");
        }
    }
    assert_eq!(limiter.remembered(), (MAX_KEYS, MAX_KEYS), "it is full");
    let (keys, owners) = looked_at(&limiter);
    // While it fills, two for each; full, all of them once a second, and the first time.
    assert!((MAX_KEYS..=8 * MAX_KEYS).contains(&keys), "{keys} keys were looked at");
    assert_eq!(owners, MAX_KEYS, "owners are looked at once a day");
}

/// Shows: P5
#[test]
fn a_full_limiter_finds_room_a_second_after_it_looked_in_vain() {
    let (clock, hand) = Clock::manual();
    let rules = rules(&clock, Vec::new());
    let limiter = LocalLimiter::new(1, clock);
    let used = |name| charge(&limiter, &rules, name).rates[1].used;
    let rest = used("first");
    hand.advance(rest - REST / 2);
    assert_eq!([used("second"), used("third")], [rest, rest * 2], "those that do not fit have one count");
    let nearly = REST - Duration::from_nanos(1);
    hand.advance(nearly);
    assert_eq!(used("fourth"), rest * 3 - nearly, "the first has rested, and nobody has looked");
    hand.advance(Duration::from_nanos(1));
    assert_eq!(used("fourth"), rest * 4 - REST, "it has the place of the first, and goes on from what was shared");
    assert_eq!(limiter.remembered(), (1, 0));
}

/// Shows: P4, P5
#[test]
fn a_key_that_shared_while_a_limiter_was_full_gets_no_more_than_its_quota_when_it_has_a_place() {
    let (clock, hand) = Clock::manual();
    let rules = rules(&clock, Vec::new());
    let limiter = LocalLimiter::new(1, clock);
    charge(&limiter, &rules, "first");
    let (mut admitted, mut had_a_place) = (0, false);
    for _ in 0..3_600 {
        while charge(&limiter, &rules, "second").admitted {
            admitted += 1;
        }
        had_a_place |= lock(&limiter.shards[0]).has("second");
        hand.advance(Duration::from_secs(1));
    }
    assert!(had_a_place, "the first rests long before the hour is over");
    assert!((6..=10).contains(&admitted), "{admitted} in an hour of which ten are promised");
}

/// Shows: P5
#[test]
fn who_gets_a_place_after_others_have_used_up_what_is_shared_waits_no_longer_than_for_its_own() {
    let (clock, hand) = Clock::manual();
    let slow = rules(&clock, Vec::new());
    let ten = NonZeroU32::new(10).expect("not zero");
    let quick = RatePolicy::new("burst", ten, Duration::from_secs(10), ten).expect("a policy");
    let quick = Limiter::local(MAX_KEYS, clock.clone()).rules(vec![quick.clone(), quick], Vec::new());
    let limiter = LocalLimiter::new(1, clock);
    let rest = charge(&limiter, &slow, "first").rates[1].used;
    while charge(&limiter, &slow, "second").admitted {}
    hand.advance(rest + REST);
    let wait = charge(&limiter, &quick, "third").rates[1].wait.expect("what is shared is used up");
    assert!(lock(&limiter.shards[0]).has("third"));
    assert!(wait <= Duration::from_secs(11), "{wait:?}");
}

/// Shows: P5
#[test]
fn a_day_that_is_over_makes_room_for_owners_and_one_that_is_not_is_remembered() {
    let (clock, hand) = Clock::manual();
    let rules = rules(&clock, vec![QuotaPolicy::new(Period::Day, 1_000)]);
    let limiter = LocalLimiter::new(1, clock);
    let used = |name| charge(&limiter, &rules, name).quotas[0].used;
    assert_eq!([used("first"), used("second"), used("second"), used("first")], [1, 1, 1, 2]);
    hand.advance(Duration::from_secs(86_400));
    assert_eq!([used("second"), used("second"), used("first"), used("first")], [1, 2, 1, 1]);
}
