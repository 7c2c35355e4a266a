//! Every user's notifications and the events about them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use rand::Rng;
use tokio::sync::watch;

use super::proto::{Notification, NotificationEvent, NotificationRead, notification_event::Event};
use crate::{clock::Clock, seed::Seed};

/// A user's events are kept up to this many, the newest.
const MAX_EVENTS: usize = 1_000;
/// The newest notification of the demo data is from this moment (2026-10-01T00:00:00Z), milliseconds.
const NEWEST_MS: i64 = 1_790_812_800_000;

const TEXTS: [(&str, &str); 5] = [
    ("Your order is on its way", "It will be with you in two to three days."),
    ("A price has dropped", "Something on your list costs less than last week."),
    ("How was it?", "Tell others what you think of your last order."),
    ("Your return has arrived", "The money is on its way to your account."),
    ("New in your favourite category", "Have a look at what came in this week."),
];

/// The notifications of all users.
#[derive(Debug)]
pub(crate) struct Notifications {
    seed: Arc<Seed>,
    clock: Clock,
    inboxes: Mutex<HashMap<String, Inbox>>,
}

/// One user's notifications, oldest first.
#[derive(Debug)]
struct Inbox {
    notifications: Vec<Notification>,
    events: VecDeque<NotificationEvent>,
    /// Cursor of the latest event.
    latest: watch::Sender<u64>,
}

/// A page of notifications.
pub(super) struct Page {
    pub(super) notifications: Vec<Notification>,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<usize>,
    pub(super) latest_cursor: u64,
}

/// The events after a cursor cannot be told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the events after this cursor cannot be told; list the notifications and watch from latest_cursor")]
pub(super) struct OutOfRange;

impl Notifications {
    /// The demo data of a seed.
    pub(crate) fn new(seed: Arc<Seed>, clock: Clock) -> Self {
        Self { seed, clock, inboxes: Mutex::default() }
    }

    /// Adds a notification.
    pub(crate) fn publish(&self, subject: &str, title: String, body: String) -> Notification {
        let now = jiff::Timestamp::try_from(self.clock.now()).map_or(0, jiff::Timestamp::as_millisecond);
        self.with_inbox(subject, |inbox| inbox.add(title, body, now, false))
    }

    /// A page of notifications, newest first, that an event after the cursor was about. `below` is the place that the page
    /// before ended at.
    pub(super) fn list(&self, subject: &str, size: usize, below: Option<usize>, after_cursor: u64) -> Page {
        self.with_inbox(subject, |inbox| {
            let end = below.unwrap_or(usize::MAX).min(inbox.notifications.len());
            let mut found: Vec<(usize, &Notification)> = inbox.notifications[..end]
                .iter()
                .enumerate()
                .rev()
                .filter(|(_, notification)| notification.cursor > after_cursor)
                .take(size + 1)
                .collect();
            let more = found.len() > size;
            found.truncate(size);
            let next = found.last().filter(|_| more).map(|(place, _)| *place);
            let notifications = found.into_iter().map(|(_, notification)| notification.clone()).collect();
            Page { notifications, next, latest_cursor: inbox.latest_cursor() }
        })
    }

    /// How many have not been read, and the cursor of the latest event.
    pub(super) fn unread_count(&self, subject: &str) -> (u32, u64) {
        self.with_inbox(subject, |inbox| (inbox.unread_count(), inbox.latest_cursor()))
    }

    /// Marks one as read and tells how many are left. None when there is no such notification.
    pub(super) fn mark_read(&self, subject: &str, id: &str) -> Option<u32> {
        self.with_inbox(subject, |inbox| {
            let cursor = inbox.latest_cursor() + 1;
            let notification = inbox.notifications.iter_mut().find(|notification| notification.id == id)?;
            if !notification.read {
                notification.read = true;
                notification.cursor = cursor;
                inbox.record(cursor, Event::Read(NotificationRead { id: id.to_owned() }));
            }
            Some(inbox.unread_count())
        })
    }

    /// Tells when the latest cursor changes.
    pub(super) fn latest(&self, subject: &str) -> watch::Receiver<u64> {
        self.with_inbox(subject, |inbox| inbox.latest.subscribe())
    }

    /// The events after a cursor, oldest first.
    pub(super) fn events_after(&self, subject: &str, cursor: u64) -> Result<Vec<NotificationEvent>, OutOfRange> {
        self.with_inbox(subject, |inbox| {
            let oldest = inbox.events.front().map_or(1, |event| event.cursor);
            if cursor > inbox.latest_cursor() || cursor + 1 < oldest {
                return Err(OutOfRange);
            }
            Ok(inbox.events.iter().filter(|event| event.cursor > cursor).cloned().collect())
        })
    }

    fn with_inbox<T>(&self, subject: &str, act: impl FnOnce(&mut Inbox) -> T) -> T {
        let mut inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        let inbox = inboxes.entry(subject.to_owned()).or_insert_with(|| Inbox::demo(&self.seed, subject));
        act(inbox)
    }
}

impl Inbox {
    fn demo(seed: &Seed, subject: &str) -> Self {
        let mut inbox = Self { notifications: Vec::new(), events: VecDeque::new(), latest: watch::Sender::new(0) };
        let mut random = seed.random(&format!("notifications of {subject}"));
        let count = random.random_range(25..45_i64);
        let unread = random.random_range(3..9_i64);
        for number in 0..count {
            let (title, body) = TEXTS[random.random_range(0..TEXTS.len())];
            let age_ms = (count - number) * 7_200_000 + random.random_range(0..3_600_000);
            inbox.add(title.to_owned(), body.to_owned(), NEWEST_MS - age_ms, number < count - unread);
        }
        inbox
    }

    fn add(&mut self, title: String, body: String, created_at_ms: i64, read: bool) -> Notification {
        let cursor = self.latest_cursor() + 1;
        let id = format!("ntf_{}", self.notifications.len() + 1);
        let notification = Notification { id, cursor, title, body, created_at_ms, read };
        self.notifications.push(notification.clone());
        self.record(cursor, Event::Created(notification.clone()));
        notification
    }

    fn record(&mut self, cursor: u64, event: Event) {
        let event = NotificationEvent { cursor, event: Some(event), unread_count: self.unread_count() };
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
        self.latest.send_replace(cursor);
    }

    fn latest_cursor(&self) -> u64 {
        *self.latest.borrow()
    }

    fn unread_count(&self) -> u32 {
        let unread = self.notifications.iter().filter(|notification| !notification.read).count();
        u32::try_from(unread).unwrap_or(u32::MAX)
    }
}
