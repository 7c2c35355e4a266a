//! All streams of one kind in this process: who reads which key, and how many may.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
    time::Duration,
};

use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard, Notify};

use super::{
    body::{EndReason, EventStream},
    counts::{Counts, Totals},
    resume::Resume,
    settings::StreamSettings,
    subscription::Subscription,
    topic::{Applied, Topic},
    upstream::{Cursor, Signal, Upstream},
};

/// Gives a number from 0 to 1, by which clients and upstream streams are spread out in time.
pub type Jitter = Arc<dyn Fn() -> f64 + Send + Sync>;

/// Why a stream cannot be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key has as many streams as it may.
    #[error("this caller has too many streams open")]
    TooManyOfKey,
    /// The process has as many streams as it may.
    #[error("too many streams are open")]
    TooMany,
    /// The process is on its way out.
    #[error("this instance is draining")]
    Draining,
}

impl Refusal {
    /// A stable word for clients and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TooManyOfKey => "too-many-streams",
            Self::TooMany => "busy",
            Self::Draining => "draining",
        }
    }
}

/// All streams of one kind in this process. Built once and shared by all workers; clones are the same hub.
#[derive(Clone)]
pub struct Hub(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) settings: StreamSettings,
    pub(super) counts: Counts,
    rooms: Mutex<HashMap<Arc<str>, Arc<Room>>>,
    streams: AtomicUsize,
    draining: AtomicBool,
    jitter: Jitter,
}

/// A topic behind its lock, and what it needs of the hub.
pub(super) struct Room {
    pub(super) hub: Arc<Shared>,
    key: Arc<str>,
    topic: Mutex<Topic>,
    /// The topic's, as it was told last.
    epoch: AtomicU64,
    epoch_begins: Notify,
    upstream_turn: AsyncMutex<()>,
}

impl Hub {
    /// A hub. `name` is the label of its metrics and says what kind of streams these are.
    #[must_use]
    pub fn new(name: &'static str, settings: StreamSettings) -> Self {
        Self::with_jitter(name, settings, Arc::new(rand::random::<f64>))
    }

    /// A hub whose spreading is not left to chance.
    #[must_use]
    pub fn with_jitter(name: &'static str, settings: StreamSettings, jitter: Jitter) -> Self {
        let shared = Arc::new(Shared {
            settings,
            counts: Counts::default(),
            rooms: Mutex::default(),
            streams: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            jitter,
        });
        super::counts::observe(name, &shared);
        Self(shared)
    }

    /// Answers a request for the stream of `key`: with the stream, or with one that says why there is none now. The
    /// stream ends when `ends` does, and never makes a session last longer by itself. It must be called, and the answer be
    /// sent, on one and the same worker.
    #[must_use]
    pub fn open(
        &self,
        key: &str,
        resume: Resume,
        upstream: Upstream,
        ends: impl Future<Output = EndReason> + 'static,
    ) -> EventStream {
        match self.subscribe(key, resume, upstream) {
            Ok(subscription) => EventStream::live(subscription, ends),
            Err(Refusal::Draining) => EventStream::only(super::event::retry(self.0.drain_retry())),
            Err(refusal) => EventStream::only(super::event::try_later(refusal.code(), self.0.settings.refusal_retry())),
        }
    }

    /// Answers a client that cannot be let in for a reason that passes and that is none of this hub's, such as that its
    /// session cannot be looked up: a stream that says so, and when to come back. Each has a time of its own, as when the
    /// process drains.
    #[must_use]
    pub fn send_away(&self, reason: &'static str) -> EventStream {
        self.0.counts.sent_away();
        EventStream::only(super::event::try_later(reason, self.0.drain_retry()))
    }

    /// Takes a place at `key`.
    ///
    /// # Errors
    /// [`Refusal`] when there is no place.
    pub fn subscribe(&self, key: &str, resume: Resume, upstream: Upstream) -> Result<Subscription, Refusal> {
        let subscribed = self.0.subscribe(key, resume);
        if let Err(refusal) = subscribed {
            self.0.counts.refused(refusal);
        }
        let (room, id, seen) = subscribed?;
        Ok(Subscription::new(room, id, seen, upstream))
    }

    /// Ends every stream, each with its own time to come back, so that not all clients arrive elsewhere at one moment. New
    /// ones are sent away likewise. It cannot be taken back.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
        let rooms: Vec<_> = self.0.rooms().values().cloned().collect();
        for room in rooms {
            let wakers = room.topic().wake_all();
            wake(wakers);
        }
    }

    /// Streams that are open.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.0.streams()
    }

    /// Keys that have streams. Each has one upstream stream.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.0.keys()
    }

    /// What has happened since the start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.0.counts.totals()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hub").field("streams", &self.streams()).field("keys", &self.keys()).finish()
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the key, which may be a person's.
        formatter.debug_struct("Room").field("readers", &self.topic().readers()).finish_non_exhaustive()
    }
}

impl Shared {
    fn rooms(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Room>>> {
        // The table is consistent between any two statements under the lock.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    pub(super) fn keys(&self) -> usize {
        self.rooms().len()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub(super) fn drain_retry(&self) -> Duration {
        self.settings.drain_retry((self.jitter)())
    }

    fn subscribe(self: &Arc<Self>, key: &str, resume: Resume) -> Result<(Arc<Room>, u64, Option<u64>), Refusal> {
        let mut rooms = self.rooms();
        // Looked at under the lock that `drain` takes after it says so: a stream is refused, or woken, never missed.
        if self.is_draining() {
            return Err(Refusal::Draining);
        }
        // Places are only taken under the lock of the table, so two callers cannot both take the last one.
        if self.streams() >= self.settings.max_streams {
            return Err(Refusal::TooMany);
        }
        let room = match rooms.get(key) {
            Some(room) => Arc::clone(room),
            None => {
                let room = Arc::new(Room {
                    hub: Arc::clone(self),
                    key: Arc::from(key),
                    topic: Mutex::default(),
                    epoch: AtomicU64::new(0),
                    epoch_begins: Notify::new(),
                    upstream_turn: AsyncMutex::new(()),
                });
                rooms.insert(Arc::clone(&room.key), Arc::clone(&room));
                room
            }
        };
        let mut topic = room.topic();
        if topic.readers() >= self.settings.max_streams_per_key {
            return Err(Refusal::TooManyOfKey);
        }
        self.streams.fetch_add(1, Ordering::Relaxed);
        self.counts.opened();
        let id = topic.join(resume);
        let seen = topic.seen(id);
        room.tell_epoch(&topic);
        drop(topic);
        Ok((room, id, seen))
    }
}

impl Room {
    pub(super) fn topic(&self) -> MutexGuard<'_, Topic> {
        // A topic is consistent between any two calls of its methods, none of which panics half-way.
        self.topic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called while the topic is locked, so that epochs are told in their order.
    fn tell_epoch(&self, topic: &Topic) {
        let epoch = topic.epoch();
        if self.epoch.swap(epoch, Ordering::SeqCst) != epoch {
            self.epoch_begins.notify_waiters();
        }
    }

    /// Waits until another epoch than this one has begun.
    pub(super) async fn another_epoch(&self, epoch: u64) {
        loop {
            // Made before the look: from then on it hears of a beginning, whether it has been polled or not.
            let begins = self.epoch_begins.notified();
            if self.epoch.load(Ordering::SeqCst) != epoch {
                return;
            }
            begins.await;
        }
    }

    /// Waits for the right to have the upstream stream open.
    pub(super) async fn upstream_turn(&self) -> AsyncMutexGuard<'_, ()> {
        self.upstream_turn.lock().await
    }

    pub(super) fn claim(&self, id: u64) -> bool {
        let mut topic = self.topic();
        let claimed = topic.claim(id);
        self.tell_epoch(&topic);
        claimed
    }

    pub(super) fn opening(&self, owner: u64) -> Option<(u64, Cursor)> {
        let opening = self.topic().opening(owner)?;
        self.hub.counts.upstream_opened();
        Some(opening)
    }

    /// Takes in a signal: whether it came too late, and whether a reader needs a pause.
    pub(super) fn apply(&self, epoch: u64, signal: Signal) -> (bool, bool) {
        let mut topic = self.topic();
        let Applied { stale, crowded, cut, gaps, wakers } = topic.apply(epoch, signal, &self.hub.settings);
        self.tell_epoch(&topic);
        drop(topic);
        if !stale {
            self.hub.counts.took_in(cut, gaps);
        }
        self.hub.streams.fetch_sub(cut, Ordering::Relaxed);
        wake(wakers);
        (stale, crowded)
    }

    /// Gives a reader's place back. Once is enough, and more does no harm.
    pub(super) fn leave(&self, id: u64) {
        self.depart(|topic| topic.leave(id));
    }

    /// An upstream task has ended, for whatever reason.
    pub(super) fn task_ended(&self, owner: u64) {
        self.depart(|topic| topic.task_ended(owner));
    }

    /// `departure` takes a reader out and says whom to wake, or takes nobody out.
    fn depart(&self, departure: impl FnOnce(&mut Topic) -> Option<Vec<Waker>>) {
        let mut rooms = self.hub.rooms();
        let mut topic = self.topic();
        let left = departure(&mut topic);
        self.tell_epoch(&topic);
        let mine = rooms.get(&self.key).is_some_and(|room| std::ptr::eq(Arc::as_ptr(room), self));
        let idle = (mine && topic.is_idle()).then(|| rooms.remove(&self.key));
        drop(topic);
        drop(rooms);
        drop(idle);
        if let Some(wakers) = left {
            self.hub.streams.fetch_sub(1, Ordering::Relaxed);
            wake(wakers);
        }
    }

    pub(super) fn rejoin_delay(&self, failures: u32) -> Duration {
        self.hub.settings.rejoin_delay(failures, (self.hub.jitter)())
    }

    /// Events after which an upstream stream lets others have their turn.
    pub(super) fn turn(&self) -> usize {
        (self.hub.settings.client_buffer_events / 4).max(1)
    }
}

/// Outside the lock: a waker is foreign code.
fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        waker.wake();
    }
}
