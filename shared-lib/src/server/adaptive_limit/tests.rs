//! The algorithm by properties and by simulation, the handle by threads.

mod simulation;

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::gradient::{Gradient, Plan, Sample};
use super::{AdaptiveLimit, Ending};
use crate::clock::Clock;
use crate::settings::AdaptiveLimitSettings;

const PLAN: Plan = Plan { initial: 100, min: 10, max: 400, tolerance: 1.5 };

/// Lets windows of ten samples pass: `latency` for each, with this many in flight.
fn windows(gradient: &mut Gradient, now: &mut Instant, count: usize, latency: Duration, in_flight: u32) {
    for _ in 0..count * 10 {
        *now += Duration::from_millis(10);
        let epoch = gradient.epoch();
        gradient.observe(Sample { route: 0, latency, at_least: false, in_flight, epoch }, *now);
    }
}

fn start() -> Instant {
    Clock::manual().0.now()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_limit_stays_within_its_bounds_whatever_is_measured(
        samples in prop::collection::vec((0..4usize, 0..10_000_000u64, any::<bool>(), 0..2_000u32, 0..40u64, 0..3u64), 0..400),
    ) {
        let mut now = start();
        let mut gradient = Gradient::new(PLAN, 3, now);
        for (route, micros, at_least, in_flight, step, late) in samples {
            now += Duration::from_millis(step);
            let latency = Duration::from_micros(micros);
            let epoch = gradient.epoch().saturating_sub(late);
            gradient.observe(Sample { route, latency, at_least, in_flight, epoch }, now);
            prop_assert!((PLAN.min..=PLAN.max).contains(&gradient.limit()), "{}", gradient.limit());
        }
    }

    #[test]
    fn an_unused_limit_is_left_alone_whatever_the_latency(latencies in prop::collection::vec(1..5_000u64, 10..300)) {
        let mut now = start();
        let mut gradient = Gradient::new(PLAN, 1, now);
        for millis in latencies {
            windows(&mut gradient, &mut now, 1, Duration::from_millis(millis), 49);
            prop_assert_eq!(gradient.limit(), 100);
        }
    }
}

#[test]
fn usual_latency_lets_a_used_limit_grow_and_queueing_shrinks_it() {
    let mut now = start();
    let mut gradient = Gradient::new(PLAN, 1, now);
    windows(&mut gradient, &mut now, 5, Duration::from_millis(20), 10);
    windows(&mut gradient, &mut now, 20, Duration::from_millis(20), 100);
    let grown = gradient.limit();
    assert!(grown > 120, "{grown}");
    windows(&mut gradient, &mut now, 20, Duration::from_millis(80), grown);
    assert!(gradient.limit() < grown / 2, "{}", gradient.limit());
}

#[test]
fn latency_within_the_tolerance_is_no_overload() {
    let mut now = start();
    let mut gradient = Gradient::new(PLAN, 1, now);
    windows(&mut gradient, &mut now, 5, Duration::from_millis(20), 10);
    windows(&mut gradient, &mut now, 20, Duration::from_millis(29), 100);
    assert!(gradient.limit() > 100, "{}", gradient.limit());
}

#[test]
fn a_slow_route_beside_a_fast_one_is_no_overload() {
    let mut now = start();
    let mut gradient = Gradient::new(PLAN, 2, now);
    let mut mix = |gradient: &mut Gradient, slow_of_ten: usize, in_flight: u32| {
        for at in 0..500 {
            now += Duration::from_millis(10);
            let route = usize::from(at % 10 < slow_of_ten);
            let latency = Duration::from_millis(if route == 1 { 500 } else { 5 });
            let epoch = gradient.epoch();
            gradient.observe(Sample { route, latency, at_least: false, in_flight, epoch }, now);
        }
    };
    mix(&mut gradient, 1, 10);
    mix(&mut gradient, 9, 100);
    assert!(gradient.limit() > 100, "{}", gradient.limit());
}

#[test]
fn a_service_that_has_become_slower_for_good_gets_its_limit_back() {
    let mut now = start();
    let mut gradient = Gradient::new(PLAN, 1, now);
    windows(&mut gradient, &mut now, 5, Duration::from_millis(20), 10);
    // Four times as slow, whatever the limit: not queueing, but a new release of a service behind.
    let mut least = u32::MAX;
    for _ in 0..900 {
        let in_flight = gradient.limit();
        windows(&mut gradient, &mut now, 1, Duration::from_millis(80), in_flight);
        least = least.min(gradient.limit());
    }
    assert!(least < 20, "at first it looks like an overload: {least}");
    assert!(gradient.limit() > 100, "a probe finds out that it is none: {}", gradient.limit());
}

#[test]
fn requests_that_were_given_up_count_only_when_they_took_long() {
    let mut now = start();
    let mut gradient = Gradient::new(PLAN, 1, now);
    windows(&mut gradient, &mut now, 5, Duration::from_millis(20), 10);
    let mut give_up = |gradient: &mut Gradient, millis: u64| {
        for _ in 0..200 {
            now += Duration::from_millis(10);
            let (latency, epoch) = (Duration::from_millis(millis), gradient.epoch());
            gradient.observe(Sample { route: 0, latency, at_least: true, in_flight: 100, epoch }, now);
        }
    };
    give_up(&mut gradient, 5);
    assert_eq!(gradient.limit(), 100, "clients that leave at once say nothing");
    give_up(&mut gradient, 400);
    assert!(gradient.limit() < 50, "clients that wait in vain do: {}", gradient.limit());
}

/// Shows: S5
#[test]
fn no_more_than_the_limit_are_in_flight_from_any_number_of_threads() {
    let settings = AdaptiveLimitSettings { initial: 7, min: 7, max: 7, ..AdaptiveLimitSettings::default() };
    let limit = AdaptiveLimit::new(&settings, &[], Clock::system());
    let admitted = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    if let Some(permit) = limit.try_acquire(0) {
                        assert!(limit.in_flight() <= 7, "{}", limit.in_flight());
                        admitted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        std::thread::yield_now();
                        permit.end(Ending::Answered);
                    }
                }
            });
        }
    });
    assert_eq!(limit.in_flight(), 0, "every place came back");
    assert_eq!(admitted.into_inner() + limit.shed_total(), 16_000);
}

/// Shows: S5
#[test]
fn a_place_comes_back_when_its_request_is_dropped() {
    let settings = AdaptiveLimitSettings { initial: 1, min: 1, max: 1, ..AdaptiveLimitSettings::default() };
    let limit = AdaptiveLimit::new(&settings, &[], Clock::system());
    let permit = limit.try_acquire(0).expect("the first is admitted");
    assert!(limit.try_acquire(0).is_none());
    drop(permit);
    assert!(limit.try_acquire(0).is_some());
}

#[test]
fn a_limit_that_is_not_enabled_measures_and_refuses_nothing() {
    let settings =
        AdaptiveLimitSettings { enabled: false, initial: 1, min: 1, max: 1, ..AdaptiveLimitSettings::default() };
    let limit = AdaptiveLimit::new(&settings, &[], Clock::system());
    let permits: Vec<_> = (0..50).map(|_| limit.try_acquire(0).expect("none is refused")).collect();
    assert_eq!((limit.in_flight(), limit.limit(), limit.shed_total()), (50, 1, 0));
    drop(permits);
}
