//! The promise, held against a list of everything that was admitted.

use std::time::Duration;

use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::*;
use crate::rate_limit::Period;

fn units(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("not zero")
}

fn policy(name: &str, quota: u32, window_s: u64, at_once: u32) -> RatePolicy {
    RatePolicy::new(name, units(quota), Duration::from_secs(window_s), units(at_once)).expect("a policy")
}

/// A limiter of one process, and the rules that it is asked about.
struct Held {
    limiter: Limiter,
    rules: Rules,
}

impl Held {
    fn new(rates: Vec<RatePolicy>, max_keys: usize, clock: Clock) -> Self {
        Self::with_quotas(rates, Vec::new(), max_keys, clock)
    }

    fn with_quotas(rates: Vec<RatePolicy>, quotas: Vec<QuotaPolicy>, max_keys: usize, clock: Clock) -> Self {
        let limiter = Limiter::local(max_keys, clock);
        Self { rules: limiter.rules(rates, quotas), limiter }
    }

    fn check(&self, key: &str, cost: NonZeroU32) -> Decision {
        self.charge(key, cost, &[]).0
    }

    fn charge(&self, key: &str, cost: NonZeroU32, known: &[u64]) -> (Decision, QuotaReceipt) {
        let charge = Charge { key, cost, owner: "owner", quota_cost: cost.get(), known };
        self.limiter.charge(&self.rules, &charge).now_or_never().expect("one process waits for nobody")
    }
}

/// What was admitted, as moments in nanoseconds, each as often as it cost.
fn most_in_any_window(admitted: &[u128], window: Duration) -> usize {
    let within = |from: u128| admitted.iter().filter(|at| (from..=from + window.as_nanos()).contains(*at)).count();
    admitted.iter().map(|from| within(*from)).max().unwrap_or(0)
}

proptest! {
    /// Shows: P4
    #[test]
    fn never_more_than_the_quota_is_admitted_in_any_window(
        quota in 1..40_u32,
        at_once in 1..40_u32,
        window_s in 1..5_u64,
        calls in prop::collection::vec((0..400_000_000_u64, 1..4_u32), 1..400),
    ) {
        let at_once = at_once.min(quota);
        let (clock, hand) = Clock::manual();
        let limiter = Held::new(vec![policy("burst", quota, window_s, at_once)], 100, clock);
        let (mut now, mut admitted) = (0_u128, Vec::new());
        for (pause, cost) in calls {
            hand.advance(Duration::from_nanos(pause));
            now += u128::from(pause);
            if limiter.check("key", units(cost)).is_admitted() {
                admitted.extend(std::iter::repeat_n(now, cost as usize));
            }
        }
        prop_assert!(most_in_any_window(&admitted, Duration::from_secs(window_s)) <= quota as usize);
    }

    /// Shows: P3
    #[test]
    fn what_remains_can_be_had_and_one_more_cannot(pauses in prop::collection::vec(0..2_000_000_000_u64, 1..50)) {
        let (clock, hand) = Clock::manual();
        let limiter = Held::new(vec![policy("burst", 20, 10, 5)], 100, clock);
        for pause in pauses {
            hand.advance(Duration::from_nanos(pause));
            let decision = limiter.check("key", units(1));
            let left = u32::try_from(decision.states[0].remaining).expect("a rate is small");
            prop_assert_eq!(limiter.check("key", units(left + 1)).is_admitted(), false);
            prop_assert!(left == 0 || limiter.check("key", units(left)).is_admitted());
        }
    }
}

/// Shows: P4
#[test]
fn a_caller_that_hammers_never_gets_twice_the_quota_in_its_first_window() {
    let (clock, hand) = Clock::manual();
    let limiter = Held::new(vec![policy("burst", 100, 1, 50)], 100, clock);
    let mut admitted = 0;
    for _ in 0..1_000 {
        admitted += u32::from(limiter.check("key", NonZeroU32::MIN).is_admitted());
        hand.advance(Duration::from_millis(1));
    }
    assert!((99..=100).contains(&admitted), "{admitted}");
}

/// Shows: P3
#[test]
fn a_refused_call_costs_nothing_in_any_policy() {
    let (clock, hand) = Clock::manual();
    let policies = vec![policy("burst", 10, 1, 5), policy("sustained", 6, 60, 6)];
    let limiter = Held::new(policies, 100, clock);
    assert!(limiter.check("key", units(5)).is_admitted());
    hand.advance(Duration::from_secs(1));
    for _ in 0..100 {
        let refused = limiter.check("key", units(2));
        assert_eq!(refused.violated(), ["sustained"]);
        assert_eq!(refused.states[0].remaining, 5, "the other policy was not charged");
    }
    assert!(limiter.check("key", units(1)).is_admitted(), "nor was the one that refused");
}

/// Shows: P3
#[test]
fn who_waits_as_long_as_told_is_admitted() {
    let (clock, hand) = Clock::manual();
    let limiter = Held::new(vec![policy("burst", 10, 1, 5), policy("sustained", 20, 60, 10)], 100, clock);
    for round in 0..200 {
        let mut decision = limiter.check("key", units(3));
        if !decision.is_admitted() {
            hand.advance(decision.retry_after() - Duration::from_nanos(1));
            decision = limiter.check("key", units(3));
            assert!(!decision.is_admitted(), "round {round}: the wait was longer than needed");
            hand.advance(decision.retry_after());
            assert!(limiter.check("key", units(3)).is_admitted(), "round {round}");
        }
    }
}

#[test]
fn keys_do_not_feel_each_other() {
    let (clock, _hand) = Clock::manual();
    let limiter = Held::new(vec![policy("burst", 1, 60, 1)], 100, clock);
    for key in ["a", "b", "c"] {
        assert!(limiter.check(key, NonZeroU32::MIN).is_admitted());
        assert!(!limiter.check(key, NonZeroU32::MIN).is_admitted());
    }
}

#[test]
fn a_call_that_costs_more_than_may_come_at_once_is_refused_and_costs_nothing() {
    let (clock, _hand) = Clock::manual();
    let limiter = Held::new(vec![policy("burst", 10, 60, 5)], 100, clock);
    let refused = limiter.check("key", units(6));
    assert_eq!((refused.is_admitted(), refused.states[0].remaining), (false, 5));
    assert_eq!(refused.retry_after(), Duration::from_secs(60));
}

/// Shows: P5
#[test]
fn many_keys_take_the_memory_of_those_that_fit() {
    let (clock, hand) = Clock::manual();
    let limiter = Held::new(vec![policy("burst", 2, 60, 2)], 1_600, clock);
    for key in 0..100_000 {
        limiter.check(&key.to_string(), NonZeroU32::MIN);
    }
    assert!(limiter.limiter.remembered().0 <= 1_600, "{}", limiter.limiter.remembered().0);
    assert!(!limiter.check("a new one", NonZeroU32::MIN).is_admitted(), "what does not fit shares one key's allowance");
    hand.advance(Duration::from_secs(120));
    assert!(limiter.check("a new one", NonZeroU32::MIN).is_admitted(), "rested keys make room");
    assert!(limiter.limiter.remembered().0 <= 1_600);
}

/// Shows: P4
#[test]
fn threads_together_get_no_more_than_one_would() {
    let (clock, _hand) = Clock::manual();
    let limiter = Held::new(vec![policy("burst", 500, 60, 100)], 100, clock);
    let admitted: usize = std::thread::scope(|scope| {
        let ask = || (0..200).filter(|_| limiter.check("key", NonZeroU32::MIN).is_admitted()).count();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    });
    assert_eq!(admitted, 100);
}

/// Shows: P3
#[test]
fn a_quota_is_counted_with_the_rates_and_begins_again_with_the_day() {
    let (clock, hand) = Clock::manual();
    let quotas = vec![QuotaPolicy::new(Period::Day, 7), QuotaPolicy::new(Period::Month, 12)];
    let held = Held::with_quotas(vec![policy("burst", 100, 60, 100)], quotas, 100, clock);
    let left = |decision: &Decision| decision.states.iter().map(|state| state.remaining).collect::<Vec<_>>();
    assert_eq!(left(&held.check("a", units(5))), [95, 2, 7]);
    let refused = held.check("b", units(3));
    assert_eq!(refused.violated(), ["day"], "keys of one owner share it");
    assert_eq!(left(&refused), [100, 2, 7], "a refused call costs nothing");
    assert_eq!(refused.retry_after(), Duration::from_secs(86_400));
    hand.advance(refused.retry_after());
    assert_eq!(left(&held.check("b", units(6))), [94, 1, 1]);
    hand.advance(Duration::from_secs(86_400));
    let refused = held.check("b", units(2));
    assert_eq!((refused.violated(), refused.retry_after()), (vec!["month"], Duration::from_secs(29 * 86_400)));
    hand.advance(refused.retry_after());
    assert_eq!(left(&held.check("b", units(7))), [93, 0, 5]);
}

/// Shows: P3
#[test]
fn a_quota_goes_on_from_what_is_known_and_units_given_back_can_be_had_again() {
    let (clock, hand) = Clock::manual();
    let quotas = vec![QuotaPolicy::new(Period::Day, 10)];
    let held = Held::with_quotas(Vec::new(), quotas, 100, clock);
    let left = |decision: &Decision| decision.states[0].remaining;
    let (decision, receipt) = held.charge("a", units(2), &[5]);
    assert_eq!(left(&decision), 3, "another process has used five before");
    assert_eq!(left(&held.charge("a", units(1), &[5]).0), 2, "what is known already is not counted twice");
    held.limiter.give_back(&held.rules, &receipt).now_or_never().expect("one process waits for nobody");
    assert_eq!(left(&held.charge("a", units(1), &[5]).0), 3);
    let (_, receipt) = held.charge("a", units(3), &[5]);
    hand.advance(Duration::from_secs(86_400));
    held.charge("a", units(4), &[]);
    held.limiter.give_back(&held.rules, &receipt).now_or_never().expect("one process waits for nobody");
    assert_eq!(left(&held.charge("a", units(1), &[]).0), 5, "yesterday's units are not given back to today");
}

/// Shows: P3
#[test]
fn a_policy_in_shadow_counts_what_it_would_refuse_and_nobody_is_told() {
    let (clock, _hand) = Clock::manual();
    let rates = vec![policy("burst", 100, 60, 100), policy("sustained", 3, 60, 3).in_shadow()];
    let quotas = vec![QuotaPolicy::new(Period::Day, 4).in_shadow(), QuotaPolicy::new(Period::Month, 100)];
    let held = Held::with_quotas(rates, quotas, 100, clock);
    let asked: Vec<_> = (0..6).map(|_| held.check("a", NonZeroU32::MIN)).collect();
    assert!(asked.iter().all(Decision::is_admitted));
    let shadowed: Vec<usize> = asked.iter().map(|decision| decision.shadowed.len()).collect();
    assert_eq!(shadowed, [0, 0, 0, 1, 2, 2]);
    let names: Vec<_> = asked[5].states.iter().map(|state| state.name.as_str()).collect();
    assert_eq!(names, ["burst", "month"]);
    assert_eq!(asked[5].states[1].remaining, 94);
}

/// Shows: P5
#[test]
fn owners_beyond_those_that_fit_are_held_to_what_is_known_of_them() {
    let (clock, _hand) = Clock::manual();
    let held = Held::with_quotas(Vec::new(), vec![QuotaPolicy::new(Period::Day, 10)], 1_600, clock);
    for owner in 0..100_000 {
        let owner = owner.to_string();
        let charge = Charge { key: "a", cost: units(1), owner: &owner, quota_cost: 1, known: &[] };
        held.limiter.charge(&held.rules, &charge).now_or_never().expect("one process waits for nobody");
    }
    assert!(held.limiter.remembered().1 <= 1_600, "{:?}", held.limiter.remembered());
    let charge = Charge { key: "a", cost: units(1), owner: "a new one", quota_cost: 1, known: &[10] };
    let asked = held.limiter.charge(&held.rules, &charge).now_or_never().expect("one process waits for nobody");
    assert_eq!(asked.0.violated(), ["day"]);
}
