//! A million events pass a reader that stopped reading: whether the process's memory stays flat, and whether the user's
//! other tabs and another user notice.
//!
//! Events are published at a fixed pace, whatever comes of them, so an event that waits for another one is late. The other
//! user has as many tabs and gets as many events at the same moments, and nobody who stops: what the machine does to
//! everybody is the same for both, and what is left is what the stopped reader does to its user's other tabs.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::rt;
use futures_util::future::join_all;
use shared_lib::{
    clock::Clock,
    testing::{RedisServer, eventually, receive},
};

use super::{
    Finding, PATIENCE, event_reader::EventReader, notification_service::NotificationLog, process::Process, sessions,
    sessions::SignedIn,
};

/// Of each of the two users, all of which read.
const TABS: usize = 3;

/// Bytes of a notification's text.
const TEXT: usize = 100;

/// Events that are published at once, and how often.
const BATCH: u64 = 20;
const EVERY: Duration = Duration::from_millis(2);

/// Events before the memory is looked at, then until the reader comes that stops, and then while it does not read.
const WARM_UP: u64 = 100_000;
const WITHOUT: u64 = 100_000;
const WITH: u64 = 1_000_000;
const ALL: u64 = WARM_UP + WITHOUT + WITH;

const MIB: f64 = 1_048_576.0;

/// When each batch was published, in microseconds since the start. Zero before that.
struct Published {
    started: Instant,
    batches: Vec<AtomicU64>,
}

/// How many events took how long, in tenths of a millisecond, the last place for all that took longer.
#[derive(Clone)]
struct Delays(Vec<u64>);

impl Delays {
    const LONGEST: usize = 100_000;

    fn new() -> Self {
        Self(vec![0; Self::LONGEST + 1])
    }

    fn add(&mut self, micros: u64) {
        let place = usize::try_from(micros / 100).unwrap_or(Self::LONGEST).min(Self::LONGEST);
        self.0[place] += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(all, more)| *all += more);
    }

    /// The delay below which this share lies, in milliseconds.
    fn percentile(&self, share: f64) -> f64 {
        let all: u64 = self.0.iter().sum();
        let mut left = all as f64 * share;
        let place = self.0.iter().position(|count| {
            left -= *count as f64;
            left <= 0.0
        });
        place.unwrap_or(Self::LONGEST) as f64 / 10.0
    }
}

/// What a tab has seen, without the reader that stops and with it.
struct Tab {
    service: SocketAddr,
    cookie: String,
    seen: Seen,
}

struct Seen {
    without: Delays,
    with: Delays,
    /// How often its stream ended though it read. It comes back, as browsers do.
    cuts: u32,
}

impl Tab {
    fn of(process: &Process, user: &SignedIn) -> Self {
        let seen = Seen { without: Delays::new(), with: Delays::new(), cuts: 0 };
        Self { service: process.public, cookie: user.cookie.clone(), seen }
    }

    async fn read_all(mut self, published: Arc<Published>) -> Seen {
        let mut reader = EventReader::connect(self.service, &self.cookie, 0, false).await;
        while reader.last() < ALL {
            match reader.read().await {
                Some(ids) => self.seen.note(ids, &published),
                None => {
                    self.seen.cuts += 1;
                    reader = EventReader::connect(self.service, &self.cookie, reader.last(), false).await;
                }
            }
        }
        self.seen
    }
}

impl Seen {
    fn note(&mut self, ids: Range<u64>, published: &Published) {
        let now = micros(Clock::system().now() - published.started);
        for id in ids {
            let delays = match id {
                ..=WARM_UP => continue,
                id if id <= WARM_UP + WITHOUT => &mut self.without,
                _ => &mut self.with,
            };
            let batch = usize::try_from((id - 1) / BATCH).expect("a place in a list");
            delays.add(now - published.batches[batch].load(Ordering::SeqCst));
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("no measurement takes so long")
}

/// Publishes at the pace, in a thread of its own. What it misses it catches up with, so that the pace is kept.
#[expect(clippy::disallowed_methods, reason = "a thread of its own, whose pace nothing else shall change")]
fn publish(log: Arc<NotificationLog>, users: Vec<String>, published: Arc<Published>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let clock = Clock::system();
        let mut due = clock.now();
        for batch in &published.batches {
            std::thread::sleep(due.saturating_duration_since(clock.now()));
            due += EVERY;
            batch.store(micros(clock.now() - published.started), Ordering::SeqCst);
            for user in &users {
                log.publish(user, BATCH);
            }
        }
    })
}

async fn cut(process: &Process) -> u64 {
    let client = awc::Client::default();
    let metrics = receive(client.get(format!("http://{}/metrics", process.management)).send()).await.text();
    let line =
        metrics.lines().find(|line| line.starts_with("trifront_stream_cut_total{")).expect("the metric is there");
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
pub async fn measure() -> Vec<Finding> {
    let redis = RedisServer::start().await;
    let log = Arc::new(NotificationLog::with_texts_of(TEXT));
    let variables = sessions::variables(&redis.url(), &log.url(), "http://localhost:9000");
    let users = sessions::sign_in(&variables, 2).await;
    let process = Process::start(&variables);
    let batches = (0..ALL / BATCH).map(|_| AtomicU64::new(0)).collect();
    let published = Arc::new(Published { started: Clock::system().now(), batches });
    let tabs = users.iter().flat_map(|user| (0..TABS).map(|_| Tab::of(&process, user)));
    let reading: Vec<_> = tabs.map(|tab| rt::spawn(tab.read_all(Arc::clone(&published)))).collect();
    assert!(eventually(PATIENCE, || async { log.watching() == users.len() }).await, "each user has one stream");
    let cpu = process.usage().cpu;
    let names = users.iter().map(|user| user.user.clone()).collect();
    let publishing = publish(Arc::clone(&log), names, Arc::clone(&published));

    let passed = |events: u64| {
        let batch = &published.batches[usize::try_from(events / BATCH - 1).expect("a place in a list")];
        eventually(10 * PATIENCE, || async { batch.load(Ordering::SeqCst) > 0 })
    };
    assert!(passed(WARM_UP).await);
    let flat = process.usage().resident;
    println!("\n| events | resident MiB | streams cut |\n|---|---|---|");
    let print = |events: u64, resident: u64, cut: u64| println!("| {events} | {:.1} | {cut} |", resident as f64 / MIB);
    print(WARM_UP, flat, cut(&process).await);
    assert!(passed(WARM_UP + WITHOUT).await);
    // It takes up where the others are, reads a little, and no more.
    let mut stopped = EventReader::connect(process.public, &users[0].cookie, WARM_UP + WITHOUT, true).await;
    let few = stopped.read().await.expect("it reads a little");
    let mut highest = flat;
    let mut events = WARM_UP + WITHOUT;
    while events < ALL {
        events += 100_000;
        assert!(passed(events).await);
        let resident = process.usage().resident;
        highest = highest.max(resident);
        print(events, resident, cut(&process).await);
    }
    let seen: Vec<Seen> = join_all(reading).await.into_iter().map(|seen| seen.expect("no tab fails")).collect();
    publishing.join().expect("it publishes");
    let cpu = process.usage().cpu - cpu;
    let highest = highest.max(process.usage().resident);
    let cuts: u32 = seen.iter().map(|seen| seen.cuts).sum();

    let of = |tabs: Range<usize>| {
        let (mut without, mut with) = (Delays::new(), Delays::new());
        for tab in &seen[tabs] {
            without.merge(&tab.without);
            with.merge(&tab.with);
        }
        (without, with)
    };
    let (own, others) = (of(0..TABS), of(TABS..2 * TABS));
    println!(
        "\n{} events a second to each of {} tabs of {} users; CPU of the service {:.1} s; the reader stopped after event {}",
        BATCH * 1_000 / u64::try_from(EVERY.as_millis()).unwrap_or(1),
        TABS,
        users.len(),
        cpu,
        few.end - 1
    );
    println!("\n| delay, ms | p50 | p99 | p99.9 |\n|---|---|---|---|");
    for (what, delays) in [
        ("the user's other tabs, before", &own.0),
        ("the user's other tabs, with one that stopped", &own.1),
        ("another user's tabs, before", &others.0),
        ("another user's tabs, at the same time", &others.1),
    ] {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| delays.percentile(share));
        println!("| {what} | {p50:.1} | {p99:.1} | {p999:.1} |");
    }
    assert_eq!(cut(&process).await, u64::from(cuts) + 1, "the reader that stopped was cut");
    vec![
        Finding::new(
            "growth of resident memory while 1,000,000 events pass a reader that stopped",
            (highest - flat) as f64 / MIB,
            8.0,
            "MiB",
        ),
        Finding::new(
            "what it adds to the p99 of its user's other tabs, against another user's",
            own.1.percentile(0.99) - others.1.percentile(0.99),
            5.0,
            "ms",
        ),
        Finding::new("times that a tab which reads was cut all the same", f64::from(cuts), 0.0, "times"),
    ]
}
