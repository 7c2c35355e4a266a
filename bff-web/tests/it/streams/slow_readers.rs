//! A reader that stops reading, in front of the service as a process of its own: it costs nobody else anything, and its
//! connection does not stay. `make bench-streams` lets a million events pass one.

use shared_lib::testing::{receive, resident_bytes};
use tokio::time::timeout;

use crate::harness::{
    Browser, PATIENCE, event_reader::EventReader, notification_service::NotificationLog, process::Process, tab::STREAM,
    urls_of,
};

/// Bytes of each notification's text.
const TEXT: usize = 2_000;

/// Events that pass while the readers get used to each other, and in all. The rest weighs more than 16 MB.
const WARM_UP: u64 = 2_000;
const EVENTS: u64 = 10_000;

/// Events that are published at once: so few that who reads at all is far from being cut.
const BATCH: u64 = 20;

/// By how much the memory may grow meanwhile.
const FLAT: u64 = 8 * 1_024 * 1_024;

async fn process_with(log: &NotificationLog, variables: &[(&str, &str)]) -> (sandbox::Sandbox, Process) {
    let sandbox = sandbox::Sandbox::builder().start().await.expect("the sandbox starts");
    let (name, url) = (urls_of("notifications"), log.url());
    let mut all = vec![(name.as_str(), url.as_str())];
    all.extend(variables);
    let process = Process::in_front_of(&sandbox, &all).await;
    (sandbox, process)
}

async fn reader(process: &Process, browser: &Browser, stops: bool) -> EventReader {
    EventReader::connect(process.address(), &browser.cookie_header(STREAM), 0, stops).await
}

/// Streams that were cut, as the metrics say it.
async fn cut(process: &Process) -> u64 {
    let client = awc::Client::default();
    let metrics = receive(client.get(format!("{}/metrics", process.management())).send()).await.text();
    let line =
        metrics.lines().find(|line| line.starts_with("trifront_stream_cut_total{")).expect("the metric is there");
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

/// Shows: W17
#[actix_web::test]
async fn events_pass_a_reader_that_stopped_and_neither_the_process_nor_the_others_notice() {
    let log = NotificationLog::with_texts_of(TEXT);
    let (_sandbox, process) = process_with(&log, &[]).await;
    let (alice, bob) = (process.signed_in("alice").await, process.signed_in("bob").await);
    // It came first, so the stream of the service is open in its name, and another has to take it over.
    let mut stopped = reader(&process, &alice, true).await;
    log.publish("usr_alice", BATCH);
    log.publish("usr_bob", BATCH);
    stopped.read_to(BATCH).await;
    let (mut one, mut other, mut bobs) = (
        reader(&process, &alice, false).await,
        reader(&process, &alice, false).await,
        reader(&process, &bob, false).await,
    );

    let mut before = 0;
    while one.last() < EVENTS {
        let (alices, bobs_latest) = (log.publish("usr_alice", BATCH), log.publish("usr_bob", BATCH));
        tokio::join!(one.read_to(alices), other.read_to(alices), bobs.read_to(bobs_latest));
        if one.last() == WARM_UP {
            before = resident_bytes(process.id());
        }
    }
    let grown = resident_bytes(process.id()).saturating_sub(before);

    assert!(before > 0 && grown < FLAT, "memory grew by {grown} bytes from {before}");
    assert_eq!(cut(&process).await, 1);
    assert_eq!((one.last(), other.last(), bobs.last()), (EVENTS, EVENTS, EVENTS));
    assert_eq!(log.watched(), 3, "one stream of the service each, and one more for who took it over");
    // It comes back with the last id that it has seen, and misses nothing.
    let mut back = EventReader::connect(process.address(), &alice.cookie_header(STREAM), stopped.last(), false).await;
    back.read_to(EVENTS).await;
}

/// Shows: W17
#[actix_web::test]
async fn the_connection_of_a_client_that_reads_nothing_is_closed_when_its_time_is_up() {
    let log = NotificationLog::with_texts_of(TEXT);
    let (_sandbox, process) = process_with(&log, &[("BFF_WEB__SERVER__UNACKNOWLEDGED_TIMEOUT_MS", "500")]).await;
    let alice = process.signed_in("alice").await;
    let mut stopped = reader(&process, &alice, true).await;
    let mut reads = reader(&process, &alice, false).await;
    log.publish("usr_alice", BATCH);
    stopped.read_to(BATCH).await;
    let sockets = [&stopped, &reads].map(|reader| process.socket_to(reader.address()).expect("it is connected"));
    // Neither the process nor the kernel has anything of it any more.
    let closed = || !process.has_open(&sockets[0]) && process.socket_to(stopped.address()).is_none();
    let mut published = BATCH;
    let flood = async {
        while !closed() {
            published = log.publish("usr_alice", BATCH);
            reads.read_to(published).await;
        }
    };
    timeout(PATIENCE, flood).await.expect("the connection of the client that reads nothing is closed");
    // Who reads keeps its own.
    log.publish("usr_alice", 1);
    reads.read_to(published + 1).await;
    assert!(process.has_open(&sockets[1]));
}
