//! Ten thousand streams of 2,500 users on one process: what they take while nothing happens, and how soon an event is
//! with all of them.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use shared_lib::{
    clock::Clock,
    testing::{RedisServer, eventually},
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver},
    time::sleep,
};

use super::{
    Finding,
    client::{self, Seen},
    notification_service::NotificationLog,
    percentile,
    process::Process,
    sessions,
};

const USERS: usize = 2_500;
const TABS: usize = 4;
const STREAMS: usize = USERS * TABS;

/// Connections that are made at the same time.
const AT_ONCE: usize = 100;

/// How long heartbeats are looked at: two intervals.
const IDLE: Duration = Duration::from_secs(30);

/// Events a user, one after the other.
const EVENTS: u64 = 5;

const PATIENCE: Duration = Duration::from_secs(60);

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
pub async fn measure() -> Vec<Finding> {
    let redis = RedisServer::start().await;
    let log = NotificationLog::start();
    let variables = sessions::variables(&redis.url(), &log.url(), "http://localhost:9000");
    let users = sessions::sign_in(&variables, USERS).await;
    let process = Process::start(&variables);

    // One stream has come and gone, so that what is made once is made.
    let (seen, mut arriving) = mpsc::unbounded_channel();
    client::connect(process.public, &users[0], 0, seen.clone()).await;
    sleep(Duration::from_secs(2)).await;
    let before = process.usage();

    let connections =
        (1..STREAMS).map(|number| client::connect(process.public, &users[number % USERS], number, seen.clone()));
    let started = Clock::system().now();
    stream::iter(connections).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let connecting = Clock::system().now() - started;
    assert!(eventually(PATIENCE, || async { log.watching() == USERS }).await, "each user has one stream");
    let opened = process.usage();

    sleep(IDLE).await;
    let after = process.usage();
    #[expect(clippy::cast_precision_loss, reason = "bytes of one process")]
    let each = after.resident.saturating_sub(before.resident) as f64 / STREAMS as f64 / 1_024.0;
    let heartbeats = (after.cpu - opened.cpu) / IDLE.as_secs_f64() * 100.0;
    let mib = |bytes: u64| bytes / 1_024 / 1_024;
    println!(
        "{STREAMS} streams of {USERS} users ({TABS} each), {} streams of the service ({} were opened)",
        log.watching(),
        log.watched()
    );
    println!("resident: {} MiB without, {} MiB with them idle", mib(before.resident), mib(after.resident));
    println!("connecting: {:.1} s, {:.1} s of CPU", connecting.as_secs_f64(), opened.cpu - before.cpu);

    let mut all = Vec::new();
    println!("\n| event | p50 ms | p99 ms | last ms | CPU of the service ms |\n|---|---|---|---|---|");
    for number in 1..=EVENTS {
        let cpu = process.usage().cpu;
        let started = Clock::system().now();
        for user in &users {
            log.publish(&user.user, 1);
        }
        let mut took: Vec<Duration> =
            arrivals(&mut arriving, number).await.into_iter().map(|seen| seen.at - started).collect();
        took.sort_unstable();
        let cpu = (process.usage().cpu - cpu) * 1_000.0;
        let (median, p99, last) = (percentile(&took, 0.5), percentile(&took, 0.99), percentile(&took, 1.0));
        println!("| {number} | {median:.0} | {p99:.0} | {last:.0} | {cpu:.0} |");
        all.extend(took);
    }
    all.sort_unstable();
    println!("\nresident after the events: {} MiB", mib(process.usage().resident));
    vec![
        Finding::new(
            "resident memory of an idle stream, its share of the upstream streams included",
            each,
            12.0,
            "KiB",
        ),
        Finding::new("CPU for heartbeats of 10,000 streams, of one core", heartbeats, 5.0, "%"),
        Finding::new("one event to all 10,000, p99", percentile(&all, 0.99), 1_000.0, "ms"),
        Finding::new("one event to all 10,000, the last one", percentile(&all, 1.0), 1_000.0, "ms"),
    ]
}

/// Waits until each client has seen the event of this id, once.
async fn arrivals(arriving: &mut UnboundedReceiver<Seen>, id: u64) -> Vec<Seen> {
    let mut got = vec![false; STREAMS];
    let mut seen = Vec::with_capacity(STREAMS);
    while seen.len() < STREAMS {
        let one = tokio::time::timeout(PATIENCE, arriving.recv()).await.expect("it comes").expect("clients live");
        assert_eq!(one.event.last_event_id, id.to_string(), "{}", one.event.name);
        assert!(!std::mem::replace(&mut got[one.client], true), "nobody gets it twice");
        seen.push(one);
    }
    seen
}
