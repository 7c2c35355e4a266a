//! The limit in front of a service of fixed capacity, in virtual time: nothing sleeps, and every run is the same.
//!
//! The model is a queue with `SERVERS` places of service and exponentially distributed service times; requests arrive at
//! random (a Poisson process). A client waits for `PATIENCE`; an answer after that is work done for nobody. Queued
//! requests are served in their order, also those whose clients have left, as services do.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::super::gradient::{Gradient, Plan, Sample};
use super::start;

const SERVERS: u32 = 20;
const SERVICE_S: f64 = 0.05;
const PATIENCE: Duration = Duration::from_secs(1);
/// What the service can answer in a second.
const CAPACITY: f64 = SERVERS as f64 / SERVICE_S;

#[derive(Debug)]
struct Measured {
    /// Answers in time, in a second.
    goodput: f64,
    /// Of the admitted.
    p99: Duration,
}

#[derive(Clone, Copy)]
struct Request {
    arrived: Instant,
    in_flight: u32,
    epoch: u64,
}

/// Offers `load` times the capacity for `seconds`, and measures the last two thirds.
fn offer(load: f64, seconds: u64, mut limit: Option<Gradient>) -> Measured {
    let mut random = StdRng::seed_from_u64(7);
    let mut exponential = move |mean: f64| Duration::from_secs_f64(-mean * (1.0 - random.random::<f64>()).ln());
    let begin = start();
    let end = begin + Duration::from_secs(seconds);
    let measured_from = begin + Duration::from_secs(seconds / 3);
    let mut next_arrival = begin;
    let mut busy: BinaryHeap<Reverse<(Instant, u64)>> = BinaryHeap::new();
    let mut serving: Vec<Option<Request>> = Vec::new();
    let mut queue: VecDeque<Request> = VecDeque::new();
    let (mut latencies, mut good) = (Vec::new(), 0_u32);
    loop {
        let departs = busy.peek().is_some_and(|Reverse((at, _))| *at <= next_arrival);
        let now = match busy.peek() {
            Some(Reverse((at, _))) if departs => *at,
            _ => next_arrival,
        };
        if now > end {
            break;
        }
        if departs {
            let Some(Reverse((_, index))) = busy.pop() else { break };
            let Some(done) = serving[index as usize].take() else { break };
            let latency = now - done.arrived;
            if let Some(gradient) = &mut limit {
                let Request { in_flight, epoch, .. } = done;
                let at_least = latency > PATIENCE;
                gradient.observe(Sample { route: 0, latency: latency.min(PATIENCE), at_least, in_flight, epoch }, now);
            }
            if done.arrived >= measured_from {
                latencies.push(latency);
            }
            good += u32::from(now >= measured_from && latency <= PATIENCE);
        } else {
            next_arrival = now + exponential(1.0 / (CAPACITY * load));
            let in_flight = (busy.len() + queue.len()) as u32;
            if limit.as_ref().is_some_and(|gradient| in_flight >= gradient.limit()) {
                continue;
            }
            let epoch = limit.as_ref().map_or(0, Gradient::epoch);
            queue.push_back(Request { arrived: now, in_flight: in_flight + 1, epoch });
        }
        while (busy.len() as u32) < SERVERS {
            let Some(request) = queue.pop_front() else { break };
            busy.push(Reverse((now + exponential(SERVICE_S), serving.len() as u64)));
            serving.push(Some(request));
        }
    }
    latencies.sort_unstable();
    let p99 = latencies.get(latencies.len() * 99 / 100).copied().unwrap_or(Duration::MAX);
    Measured { goodput: f64::from(good) / (end - measured_from).as_secs_f64(), p99 }
}

fn limit() -> Gradient {
    Gradient::new(Plan { initial: 256, min: 16, max: 4_096, tolerance: 1.5 }, 1, start())
}

/// Shows: S5
#[test]
fn at_three_times_the_capacity_goodput_holds_and_the_admitted_are_answered_in_time() {
    let with = offer(3.0, 120, Some(limit()));
    assert!(with.goodput >= 0.95 * CAPACITY, "{with:?} of {CAPACITY}");
    assert!(with.p99 <= Duration::from_millis(400), "{with:?}");
}

/// Shows: S5
#[test]
fn without_the_limit_three_times_the_capacity_leaves_no_answer_in_time() {
    let without = offer(3.0, 120, None);
    assert!(without.goodput <= 0.05 * CAPACITY, "{without:?} of {CAPACITY}");
    assert!(without.p99 >= 10 * PATIENCE, "{without:?}");
}

#[test]
fn an_overload_of_ten_minutes_does_not_become_usual() {
    let with = offer(3.0, 600, Some(limit()));
    assert!(with.goodput >= 0.95 * CAPACITY, "{with:?}");
    assert!(with.p99 <= Duration::from_millis(400), "{with:?}");
}

#[test]
fn below_the_capacity_the_limit_costs_nothing() {
    let (with, without) = (offer(0.7, 60, Some(limit())), offer(0.7, 60, None));
    assert!(with.goodput >= 0.99 * without.goodput, "{with:?} {without:?}");
}
