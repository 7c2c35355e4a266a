//! Tests of the request budget and of its forms on the wire.

use proptest::prelude::*;

use super::*;

fn budget(timeout_ms: u64, max_attempts: u32) -> (RequestBudget, crate::clock::ManualClock) {
    let (clock, hand) = Clock::manual();
    let timeout = Duration::from_millis(timeout_ms);
    (RequestBudget::new(clock, timeout, max_attempts), hand)
}

#[test]
fn time_is_spent_and_a_call_gets_the_lesser_of_its_wish_and_what_is_left() {
    let (budget, hand) = budget(2_000, 10);
    let wish = Duration::from_millis(800);
    assert_eq!(budget.sub_deadline(wish), Some(wish));
    hand.advance(Duration::from_millis(1_500));
    assert_eq!(budget.remaining(), Some(Duration::from_millis(500)));
    assert_eq!(budget.clone().sub_deadline(wish), Some(Duration::from_millis(500)));
}

#[test]
fn a_budget_whose_time_is_up_fails_at_once() {
    let (budget, hand) = budget(2_000, 10);
    hand.advance(Duration::from_millis(2_000));
    assert_eq!(budget.remaining(), None);
    assert_eq!(budget.sub_deadline(Duration::from_millis(1)), None);
    assert_eq!(budget.try_spend_attempt(), Err(BudgetExhausted::Time));
    assert_eq!(budget.attempts_spent(), 0, "a refused attempt costs nothing");
}

#[test]
fn attempts_are_counted_over_all_clones_and_threads() {
    let (budget, _hand) = budget(2_000, 100);
    let admitted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let part = budget.clone();
                scope.spawn(move || (0..50).filter(|_| part.try_spend_attempt().is_ok()).count())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    });
    assert_eq!((admitted, budget.attempts_spent()), (100, 100));
    assert_eq!(budget.try_spend_attempt(), Err(BudgetExhausted::Attempts { maximum: 100 }));
}

#[test]
fn an_endless_time_out_does_not_overflow() {
    let (clock, _hand) = Clock::manual();
    let budget = RequestBudget::new(clock, Duration::MAX, 1);
    assert!(budget.remaining() >= Some(Duration::from_secs(86_400)));
}

#[test]
fn the_http_header_is_whole_milliseconds_rounded_down_and_never_zero() {
    for (left, text) in
        [(Duration::from_micros(1_999), "1"), (Duration::from_micros(3), "1"), (Duration::from_millis(1_234), "1234")]
    {
        assert_eq!(timeout_header_value(left), text);
    }
    let parse = |text| parse_timeout_header(&HeaderValue::from_static(text));
    assert_eq!(parse("1234"), Some(Duration::from_millis(1_234)));
    for wrong in ["", "-1", "1.5", "1s", " 5", "12345678901"] {
        assert_eq!(parse(wrong), None, "{wrong:?}");
    }
}

#[test]
fn the_grpc_timeout_takes_the_finest_unit_that_fits_in_eight_digits() {
    for (left, text) in [
        (Duration::ZERO, "1n"),
        (Duration::from_nanos(99_999_999), "99999999n"),
        (Duration::from_nanos(100_000_000), "100000u"),
        (Duration::from_millis(1_500), "1500000u"),
        (Duration::from_secs(100), "100000m"),
        (Duration::from_secs(100_000), "100000S"),
        (Duration::from_secs(100_000_000), "1666666M"),
        (Duration::from_secs(6_000_000_000), "1666666H"),
        (Duration::MAX, "99999999H"),
    ] {
        assert_eq!(grpc_timeout(left), text);
    }
}

#[test]
fn a_grpc_timeout_that_breaks_the_grammar_is_refused() {
    for wrong in ["", "n", "5", "5s", "123456789n", "-1S", "1.5S", " 1S", "1 S", "1S ", "\u{663}S", "1\u{fc}"] {
        assert_eq!(parse_grpc_timeout(wrong), None, "{wrong:?}");
    }
    assert_eq!(parse_grpc_timeout("2H"), Some(Duration::from_secs(7_200)));
    assert_eq!(parse_grpc_timeout("3M"), Some(Duration::from_secs(180)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_grpc_timeout_is_read_back_never_longer_and_hardly_shorter(seconds in 0_u64..300_000_000_000, nanos in 0_u32..1_000_000_000) {
        let left = Duration::new(seconds, nanos).max(Duration::from_nanos(1));
        let text = grpc_timeout(left);
        prop_assert!(text.len() <= 9);
        let back = parse_grpc_timeout(&text).expect("our own form");
        prop_assert!(back <= left);
        prop_assert!(back.as_secs_f64() >= left.as_secs_f64() * 0.999);
    }
}
