//! Tests of the waits and of the budget's bound.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::clock::Clock;

const LONG: Duration = Duration::from_secs(3_600);

fn policy(jitter: Jitter) -> RetryPolicy {
    RetryPolicy::new(&RetrySettings { max_attempts: 8, jitter, ..RetrySettings::default() })
}

#[test]
fn the_defaults_are_valid_and_each_wrong_value_is_named() {
    assert_eq!(RetrySettings::default().validate(), vec![]);
    let wrong = RetrySettings {
        max_attempts: 0,
        base_ms: 0,
        cap_ms: MINUTE_MS + 1,
        jitter: Jitter::Full,
        budget_ratio: f64::NAN,
        budget_floor_per_second: -1.0,
        budget_ttl_ms: 999,
    };
    let keys: Vec<String> = wrong.validate().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["max_attempts", "base_ms", "cap_ms", "budget_ratio", "budget_floor_per_second", "budget_ttl_ms"]);
    assert!(toml::from_str::<RetrySettings>("max_atempts = 2").is_err());
}

/// Shows: S3
#[test]
fn full_jitter_spreads_over_the_whole_of_an_exponential_bound_with_a_cap() {
    let mut rng = StdRng::seed_from_u64(7);
    for (attempts_made, bound_ms) in [(1, 50), (2, 100), (3, 200), (5, 800), (6, 1_000), (7, 1_000)] {
        let draws: Vec<u128> = (0..2_000)
            .filter_map(|_| policy(Jitter::Full).next_delay_with(attempts_made, None, LONG, &mut rng))
            .map(|delay| delay.as_micros())
            .collect();
        assert_eq!(draws.len(), 2_000);
        let (least, most) = (draws.iter().min(), draws.iter().max());
        assert!(most <= Some(&(bound_ms * 1_000)), "{most:?} of {bound_ms} ms");
        assert!(most >= Some(&(bound_ms * 990)), "{most:?} of {bound_ms} ms");
        assert!(least <= Some(&(bound_ms * 10)), "{least:?} of {bound_ms} ms");
    }
}

/// Shows: S3
#[test]
fn decorrelated_jitter_stays_between_base_and_three_times_the_longest_wait_before() {
    let mut rng = StdRng::seed_from_u64(7);
    for (attempts_made, bound_ms) in [(1, 150), (2, 450), (3, 1_000), (7, 1_000)] {
        let draws: Vec<Duration> = (0..2_000)
            .filter_map(|_| policy(Jitter::Decorrelated).next_delay_with(attempts_made, None, LONG, &mut rng))
            .collect();
        let base = Duration::from_millis(50);
        let bound = Duration::from_millis(bound_ms);
        assert!(draws.iter().all(|delay| (base..=bound).contains(delay)));
        assert!(draws.iter().any(|delay| *delay > bound.mul_f64(0.8)));
    }
}

/// Shows: S3
#[test]
fn the_same_seed_gives_the_same_waits() {
    let draw = |jitter| {
        let mut rng = StdRng::seed_from_u64(42);
        (1..8).map(|made| policy(jitter).next_delay_with(made, None, LONG, &mut rng)).collect::<Vec<_>>()
    };
    assert_eq!(draw(Jitter::Full), draw(Jitter::Full));
    assert_eq!(draw(Jitter::Decorrelated), draw(Jitter::Decorrelated));
    assert_ne!(draw(Jitter::Full), draw(Jitter::Decorrelated));
}

/// Shows: S3
#[test]
fn attempts_end_at_the_maximum_which_includes_the_first() {
    let policy = RetryPolicy::new(&RetrySettings::default());
    assert!(policy.next_delay(1, None, LONG).is_some());
    assert!(policy.next_delay(2, None, LONG).is_some());
    assert_eq!(policy.next_delay(3, None, LONG), None);
    let never = RetryPolicy::new(&RetrySettings { max_attempts: 1, ..RetrySettings::default() });
    assert_eq!(never.next_delay(1, None, LONG), None);
}

/// Shows: S3
#[test]
fn retry_after_is_a_lower_bound_and_beyond_the_deadline_the_end() {
    let policy = RetryPolicy::new(&RetrySettings::default());
    let asked = Duration::from_secs(5);
    let delay = policy.next_delay(1, Some(asked), LONG).expect("there is time");
    assert!((asked..=asked + Duration::from_millis(50)).contains(&delay), "{delay:?}");
    assert_eq!(policy.next_delay(1, Some(asked), asked), None);
    assert_eq!(policy.next_delay(1, Some(Duration::MAX), LONG), None);
}

/// Shows: S3
#[test]
fn a_wait_that_would_end_at_the_deadline_is_not_begun() {
    // With the cap at the base, decorrelated jitter has nothing left to draw: each wait is the base.
    let policy = RetryPolicy::new(&RetrySettings {
        base_ms: 50,
        cap_ms: 50,
        jitter: Jitter::Decorrelated,
        ..RetrySettings::default()
    });
    let base = Duration::from_millis(50);
    assert_eq!(policy.next_delay(1, None, base), None);
    assert_eq!(policy.next_delay(1, None, base + Duration::from_millis(1)), Some(base));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Shows: S3
    #[test]
    fn no_wait_ever_reaches_the_deadline(
        seed: u64, made in 0_u32..12, asked in proptest::option::of(0_u64..5_000), remaining in 0_u64..3_000,
        base_ms in 1_u64..500, more in 0_u64..5_000, decorrelated: bool,
    ) {
        let settings = RetrySettings {
            max_attempts: 10,
            base_ms,
            cap_ms: base_ms + more,
            jitter: if decorrelated { Jitter::Decorrelated } else { Jitter::Full },
            ..RetrySettings::default()
        };
        let (remaining, asked) = (Duration::from_millis(remaining), asked.map(Duration::from_millis));
        let mut rng = StdRng::seed_from_u64(seed);
        if let Some(delay) = RetryPolicy::new(&settings).next_delay_with(made, asked, remaining, &mut rng) {
            prop_assert!(delay < remaining);
            prop_assert!(delay >= asked.unwrap_or_default());
            prop_assert!((1..10).contains(&made));
        }
    }

    /// Shows: S3
    #[test]
    fn with_everything_failing_retries_stay_within_ratio_and_floor(
        arrivals in vec((0_u64..2_000, 1_u32..40), 1..60), ratio in 0_u32..=100, floor in 0_u32..=50, ttl_s in 1_u64..20,
        max_attempts in 1_u32..=10,
    ) {
        let settings = RetrySettings {
            max_attempts,
            budget_ratio: f64::from(ratio) / 100.0,
            budget_floor_per_second: f64::from(floor) / 10.0,
            budget_ttl_ms: ttl_s * 1_000,
            ..RetrySettings::default()
        };
        let (clock, hand) = Clock::manual();
        let budget = RetryBudget::new(&settings, clock.clone());
        let policy = RetryPolicy::new(&settings);
        let start = clock.now();
        let (mut first, mut retries) = (0_u32, 0_u32);
        for (gap_ms, calls) in arrivals {
            hand.advance(Duration::from_millis(gap_ms));
            for _ in 0..calls {
                budget.deposit();
                first += 1;
                let mut made = 1;
                while policy.next_delay(made, None, LONG).is_some() && budget.try_withdraw() {
                    made += 1;
                    retries += 1;
                }
            }
            let seconds = (clock.now() - start).as_secs_f64();
            let floor = settings.budget_floor_per_second;
            let saved = if floor > 0.0 { floor.max(1.0) } else { 0.0 };
            let bound = settings.budget_ratio * f64::from(first) + floor * seconds + saved;
            prop_assert!(f64::from(retries) <= bound + 1e-6, "{retries} retries, bound {bound}");
        }
    }
}

/// Shows: S3
#[test]
fn with_everything_failing_the_budget_is_used_to_the_full_and_no_further() {
    let settings = RetrySettings { budget_floor_per_second: 2.0, ..RetrySettings::default() };
    let (clock, hand) = Clock::manual();
    let budget = RetryBudget::new(&settings, clock);
    let mut retries = 0;
    for _ in 0..6_000 {
        hand.advance(Duration::from_millis(10));
        budget.deposit();
        retries += u32::from(budget.try_withdraw());
        retries += u32::from(budget.try_withdraw());
    }
    // 60 seconds, 6,000 first attempts: 1,200 by ratio, 120 by floor, 2 saved at the start.
    assert!((1_318..=1_322).contains(&retries), "{retries}");
}

/// Shows: S3
#[test]
fn deposits_expire_so_that_calm_times_do_not_fund_a_storm() {
    let settings = RetrySettings { budget_floor_per_second: 0.0, ..RetrySettings::default() };
    let (clock, hand) = Clock::manual();
    let budget = RetryBudget::new(&settings, clock);
    for _ in 0..1_000 {
        budget.deposit();
    }
    assert_eq!(budget.balance(), 200.0);
    hand.advance(Duration::from_millis(8_999));
    assert!(budget.try_withdraw(), "within the time to live");
    hand.advance(Duration::from_millis(1_001));
    assert_eq!(budget.balance(), 0.0);
    assert!(!budget.try_withdraw());
}

/// Shows: S3
#[test]
fn the_floor_saves_no_more_than_a_second_however_long_it_was_quiet() {
    for (floor, saved) in [(0.1, 1), (3.0, 3)] {
        let settings = RetrySettings { budget_floor_per_second: floor, ..RetrySettings::default() };
        let (clock, hand) = Clock::manual();
        let budget = RetryBudget::new(&settings, clock);
        hand.advance(LONG);
        assert_eq!((0..100).filter(|_| budget.try_withdraw()).count(), saved);
    }
}

/// Shows: S3
#[test]
fn threads_that_share_a_budget_cannot_spend_a_token_twice() {
    let settings = RetrySettings { budget_floor_per_second: 0.0, ..RetrySettings::default() };
    let (clock, _hand) = Clock::manual();
    let budget = RetryBudget::new(&settings, clock);
    let retries: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..1_000)
                        .filter(|_| {
                            budget.deposit();
                            budget.try_withdraw()
                        })
                        .count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    });
    assert_eq!(retries, 1_600, "20 % of 8,000");
}
