//! What a refused key costs, and whether the time tells why it was refused: the real service as a process, asked over one
//! connection; three passes, each with a process of its own. `make bench-keys` runs it.
//!
//! - CPU is the process's own, by the kernel's account, for batches of each kind in turn; what a kind costs is compared
//!   with a request of the same round that shows no key at all and is refused too. The bound holds for a release build.
//! - Time is the caller's, for the kinds that only the store tells apart, in an order that is drawn anew for each row. The
//!   slowest tenth of all samples is left out, by one threshold for all kinds, since it says more of the machine than of
//!   the service. Two kinds are told apart where Welch's |t| is above 4.5, the bound of dudect (Reparaz, Balasch,
//!   Verbauwhede: Dude, is my code constant time?). Other unknown keys are compared as well: they differ in nothing, so
//!   they show what this machine makes of nothing.
//! - Questions to the store are the service's own count.

#![expect(clippy::print_stdout, reason = "a measurement is for reading")]

mod check_alone;
mod kinds;
mod service;
mod statistics;

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use shared_lib::clock::Clock;

use self::{
    kinds::{FIRST_TIMED, KINDS, Keys, UNKNOWN},
    service::{Connection, Service},
    statistics::{Comparison, compare, median},
};

const PASSES: u64 = 3;
const ROUNDS: usize = 40;
const BATCH: usize = 250;
const TOLD_APART: f64 = 4.5;
/// What a wrong key may cost beyond a request without one, in microseconds of CPU.
const BOUND_US: f64 = 20.0;

#[actix_web::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/keys.db", folder.path().display());
    let keys = Keys::make(&url).await;
    check_alone::print(&keys, &url).await;

    let mut faults = Vec::new();
    for pass in 1..=PASSES {
        println!("\npass {pass} of {PASSES}");
        run(&keys, &url, pass, &mut faults);
    }
    assert!(faults.is_empty(), "{}", faults.join("; "));
}

fn run(keys: &Keys, url: &str, pass: u64, faults: &mut Vec<String>) {
    let service = Service::start(url);
    let mut connection = service.connect();
    // The first look at a key is the store's, and the same for all.
    for kind in 0..KINDS.len() {
        (0..BATCH).for_each(|turn| connection.ask(keys.of(kind, turn)));
    }
    let first = service.lookups();

    let mut drawn = StdRng::seed_from_u64(pass);
    let (mut cpu, mut times) = (vec![Vec::new(); KINDS.len()], vec![Vec::new(); KINDS.len()]);
    let mut order: Vec<usize> = (0..KINDS.len()).collect();
    for round in 0..ROUNDS {
        order.shuffle(&mut drawn);
        for &kind in &order {
            cpu[kind].push(cpu_of_batch(&service, &mut connection, keys, kind));
        }
        for row in 0..BATCH {
            order.shuffle(&mut drawn);
            for &kind in order.iter().filter(|kind| **kind >= FIRST_TIMED) {
                times[kind].push(timed(&mut connection, keys.of(kind, round * BATCH + row)));
            }
        }
    }
    report_cpu(&cpu, faults);
    report_times(&times, faults);

    let refused = KINDS.len() * ROUNDS * BATCH + times.iter().map(Vec::len).sum::<usize>();
    let asked = service.lookups() - first;
    println!("\nquestions to the store: {first} for the first looks, {asked} for {refused} requests after them");
    // What is remembered is asked for anew when it is no longer fresh.
    if asked * 1000 > refused as u64 {
        faults.push(format!("{refused} requests asked the store {asked} times"));
    }
}

/// Microseconds of CPU that the service takes for a request of this kind.
fn cpu_of_batch(service: &Service, connection: &mut Connection, keys: &Keys, kind: usize) -> f64 {
    let before = service.cpu_nanos();
    (0..BATCH).for_each(|turn| connection.ask(keys.of(kind, turn)));
    (service.cpu_nanos() - before) as f64 / BATCH as f64 / 1000.0
}

/// Microseconds that a caller waits.
fn timed(connection: &mut Connection, key: Option<&str>) -> f64 {
    let clock = Clock::system();
    let asked = clock.now();
    connection.ask(key);
    clock.now().saturating_duration_since(asked).as_nanos() as f64 / 1000.0
}

fn report_cpu(cpu: &[Vec<f64>], faults: &mut Vec<String>) {
    println!("{:<14} {:>16} {:>20}", "refused for", "CPU us/request", "beyond no key, us");
    for (kind, batches) in KINDS.iter().zip(cpu) {
        // Of the same round, so that what else the machine does weighs on both.
        let beyond = median(batches.iter().zip(&cpu[0]).map(|(batch, bare)| batch - bare));
        println!("{kind:<14} {:>16.1} {beyond:>20.1}", median(batches.iter().copied()));
        if beyond >= BOUND_US {
            if cfg!(debug_assertions) {
                println!("{:<14} (the bound of {BOUND_US} us is one of a release build)", "");
            } else {
                faults.push(format!("{kind}: {beyond:.1} us of CPU"));
            }
        }
    }
}

fn report_times(times: &[Vec<f64>], faults: &mut Vec<String>) {
    println!("\n{:<14} {:>16} {:>20} {:>10}", "refused for", "median time, us", "beyond unknown, us", "|t|");
    for Comparison { kind, median, beyond, t } in compare(times, UNKNOWN) {
        println!("{:<14} {median:>16.1} {beyond:>20.2} {:>10.2}", KINDS[kind], t.abs());
        if t.abs() > TOLD_APART {
            faults.push(format!("the time tells unknown and {} apart, |t| = {:.1}", KINDS[kind], t.abs()));
        }
    }
}
