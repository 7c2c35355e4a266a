//! A service that keeps a log of one key's events, and clients that read it through a hub.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::{FutureExt, Stream, StreamExt, stream};
use shared_lib::stream::{
    Cursor, Event, GAP, Hub, Resume, Signal, StreamSettings, Subscription, Upstream, UpstreamError,
};
use tokio::sync::watch;

use shared_lib::testing::EventParser as Parser;

/// The service's log. Event `n` has the data `n`.
#[derive(Debug, Clone)]
pub struct Service {
    log: Arc<Mutex<Log>>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Log {
    latest: u64,
    /// Events up to this id are forgotten.
    forgotten: u64,
    breaks: u64,
    refusing: bool,
    open: usize,
    most_open: usize,
    asked: Vec<Cursor>,
}

struct Open {
    service: Service,
    changes: watch::Receiver<u64>,
    breaks: u64,
    at: Option<u64>,
    pending: VecDeque<Signal>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.service.log().open -= 1;
    }
}

impl Service {
    pub fn new() -> Self {
        Self { log: Arc::default(), changes: watch::Sender::new(0) }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("no test panics while it holds the log")
    }

    fn change(&self, change: impl FnOnce(&mut Log)) {
        change(&mut self.log());
        self.changes.send_modify(|version| *version += 1);
    }

    pub fn publish(&self, count: u64) {
        self.change(|log| log.latest += count);
    }

    pub fn latest(&self) -> u64 {
        self.log().latest
    }

    /// Ends all open streams with an error.
    pub fn break_streams(&self) {
        self.change(|log| log.breaks += 1);
    }

    pub fn refuse_from_now_on(&self, refusing: bool) {
        self.change(|log| log.refusing = refusing);
    }

    /// Forgets all but the latest events.
    pub fn forget_all_but(&self, kept: u64) {
        self.change(|log| log.forgotten = log.forgotten.max(log.latest.saturating_sub(kept)));
    }

    /// Streams that are open now.
    pub fn open_streams(&self) -> usize {
        self.log().open
    }

    /// The most that were open at once.
    pub fn most_open_streams(&self) -> usize {
        self.log().most_open
    }

    /// From where streams were opened, in order.
    pub fn asked(&self) -> Vec<Cursor> {
        self.log().asked.clone()
    }

    pub fn upstream(&self) -> Upstream {
        let service = self.clone();
        Upstream::new(move |cursor| service.open(cursor))
    }

    pub fn open(&self, cursor: Cursor) -> impl Stream<Item = Result<Signal, UpstreamError>> + use<> {
        let mut log = self.log();
        log.open += 1;
        log.most_open = log.most_open.max(log.open);
        log.asked.push(cursor);
        let mut pending = VecDeque::new();
        let at = match cursor {
            Cursor::After(after) if (log.forgotten..=log.latest).contains(&after) => after,
            Cursor::Now | Cursor::After(_) => {
                pending.push_back(Signal::Position { after: log.latest });
                log.latest
            }
        };
        let breaks = log.breaks;
        drop(log);
        let changes = self.changes.subscribe();
        let open = Open { service: self.clone(), changes, breaks, at: Some(at), pending };
        stream::unfold(open, |mut open| async move {
            loop {
                open.changes.borrow_and_update();
                let at = open.at?;
                if let Some(next) = open.next(at) {
                    return Some((next, open));
                }
                open.changes.changed().await.ok()?;
            }
        })
    }
}

impl Open {
    fn next(&mut self, at: u64) -> Option<Result<Signal, UpstreamError>> {
        let log = self.service.log();
        if log.refusing {
            self.at = None;
            return Some(Err(UpstreamError::Refused("no".into())));
        }
        if log.breaks != self.breaks {
            self.at = None;
            return Some(Err(UpstreamError::Broken("restarted".into())));
        }
        if let Some(signal) = self.pending.pop_front() {
            return Some(Ok(signal));
        }
        if at < log.forgotten {
            self.at = Some(log.forgotten);
            return Some(Ok(Signal::Position { after: log.forgotten }));
        }
        if at == log.latest {
            return None;
        }
        self.at = Some(at + 1);
        Some(Ok(Signal::Event(event(at + 1))))
    }
}

pub fn event(id: u64) -> Event {
    Event::new(id, None, &id.to_string()).expect("it is valid")
}

/// Small bounds and no waiting, so that everything that can happen does.
pub fn tight_settings() -> StreamSettings {
    StreamSettings {
        history_events: 6,
        client_buffer_events: 4,
        rejoin_min_ms: 0,
        rejoin_max_ms: 0,
        ..StreamSettings::default()
    }
}

/// What a client has seen, and its connection when it has one.
#[derive(Debug, Default)]
pub struct Tab {
    pub parser: Parser,
    pub subscription: Option<Subscription>,
    pub ids: Vec<u64>,
    pub gaps: Vec<u64>,
    taken: usize,
}

impl Tab {
    /// Connects, with the last event's id when it has one, as a browser does.
    pub fn connect(&mut self, hub: &Hub, service: &Service) {
        let resume = Resume::parse(&self.parser.last_event_id);
        self.subscription = None;
        self.subscription = Some(hub.subscribe("key", resume, service.upstream()).expect("there is a place"));
    }

    /// Reads what is there, at most `most` blocks. The connection is gone when its stream ended.
    pub fn read(&mut self, most: usize) -> usize {
        for taken in 0..most {
            let Some(subscription) = &mut self.subscription else { return taken };
            match subscription.next().now_or_never() {
                None => return taken,
                Some(None) => self.subscription = None,
                Some(Some(block)) => self.parser.feed(&block),
            }
            for dispatched in &self.parser.dispatched[self.taken..] {
                let id = dispatched.last_event_id.parse().expect("every event has an id");
                if dispatched.name == GAP {
                    self.gaps.push(id);
                }
                self.ids.push(id);
            }
            self.taken = self.parser.dispatched.len();
        }
        most
    }
}

impl Tab {
    /// Reads, and comes back when it is cut, until it has seen `id`.
    pub async fn read_up_to(&mut self, id: u64, hub: &Hub, service: &Service) {
        while self.parser.last_event_id != id.to_string() {
            if self.subscription.is_none() {
                self.connect(hub, service);
            }
            self.read(100);
            tokio::task::yield_now().await;
        }
    }
}

/// Lets every task go as far as it can.
pub async fn settle() {
    for _ in 0..40 {
        tokio::task::yield_now().await;
    }
}
