//! How everything that hangs on a session learns of its end: at once, on every replica, with a reason.
//!
//! [`SessionEnds`] is the one place in a process where ends become known. Whoever ends a session here tells it directly;
//! with sessions in Redis, `session_store::redis` hears of the ends on other replicas and tells it as well. Nobody tells
//! of a session whose time is up, so [`SessionEnds::due`] names those to look up again.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Notify;

use super::session_store::SessionId;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// The user signed out.
    SignedOut,
    /// The user signed in again in the same browser.
    SignedInAgain,
    /// The provider said so (OpenID Connect Back-Channel Logout).
    SignedOutAtProvider,
    /// The user ended it from another session.
    EndedByUser,
    /// An operator ended it.
    EndedByOperator,
    /// The provider takes its refresh token no more.
    RefreshRefused,
    /// Its access token has ended and there is nothing to renew it with.
    TokensEnded,
    /// Its idle or its absolute time is over.
    Expired,
    /// It is gone, and the news of why was missed.
    Unknown,
}

impl EndReason {
    const ALL: [Self; 9] = [
        Self::SignedOut,
        Self::SignedInAgain,
        Self::SignedOutAtProvider,
        Self::EndedByUser,
        Self::EndedByOperator,
        Self::RefreshRefused,
        Self::TokensEnded,
        Self::Expired,
        Self::Unknown,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::SignedInAgain => "signed-in-again",
            Self::SignedOutAtProvider => "signed-out-at-provider",
            Self::EndedByUser => "ended-by-user",
            Self::EndedByOperator => "ended-by-operator",
            Self::RefreshRefused => "refresh-refused",
            Self::TokensEnded => "tokens-ended",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// The reason with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name).unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the ends of sessions become known in this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct SessionEnds {
    watched: Arc<Mutex<HashMap<SessionId, Watched>>>,
    listener: Arc<OnceLock<Listener>>,
}

/// Is told of every end.
type Listener = Box<dyn Fn(&SessionId) + Send + Sync>;

struct Watched {
    end: Arc<End>,
    /// When it ends unless it is prolonged.
    ends_at: Timestamp,
}

/// The end of one session, which all who wait for it share.
#[derive(Default)]
struct End {
    /// Why it has ended, once it has.
    reason: OnceLock<EndReason>,
    told: Notify,
}

impl SessionEnds {
    /// Learns of the end of a session that ends at this moment unless it is prolonged.
    ///
    /// One that ended before is not told of: look it up afterwards.
    #[must_use]
    pub fn subscribe(&self, id: SessionId, ends_at: Timestamp) -> SessionEnd {
        let mut watched = self.lock();
        let entry = watched.entry(id).or_insert_with(|| Watched { end: Arc::default(), ends_at });
        entry.ends_at = entry.ends_at.min(ends_at);
        SessionEnd { id, end: Some(Arc::clone(&entry.end)), ends: self.clone() }
    }

    /// Has this told of every end that becomes known, whether anybody waits for it or not. There is one such listener.
    pub(super) fn on_every_end(&self, listener: impl Fn(&SessionId) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    /// Says that a session has ended.
    pub fn tell(&self, id: &SessionId, reason: EndReason) {
        if let Some(listener) = self.listener.get() {
            listener(id);
        }
        if let Some(watched) = self.lock().remove(id) {
            let _ = watched.end.reason.set(reason);
            watched.end.told.notify_waiters();
        }
    }

    /// Says when a session ends now.
    pub(super) fn moved(&self, id: &SessionId, ends_at: Timestamp) {
        if let Some(watched) = self.lock().get_mut(id) {
            watched.ends_at = ends_at;
        }
    }

    /// The sessions that somebody here waits for the end of.
    #[must_use]
    pub fn subscribed(&self) -> Vec<SessionId> {
        self.lock().keys().copied().collect()
    }

    /// Those of them whose time may be up.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<SessionId> {
        self.lock().iter().filter(|(_, watched)| watched.ends_at <= now).map(|(id, _)| *id).collect()
    }

    /// No panic happens while it is held, so a poisoned lock holds nothing broken.
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of one session, still to come. Dropping it is all that it takes to wait no more.
pub struct SessionEnd {
    id: SessionId,
    /// There until it is dropped.
    end: Option<Arc<End>>,
    ends: SessionEnds,
}

impl SessionEnd {
    /// Waits for the end. Can be cancelled and asked again, and tells the same after it.
    pub async fn ended(&mut self) -> EndReason {
        let Some(end) = &self.end else { return EndReason::Unknown };
        loop {
            // Made before the look: from then on it hears of being told, whether it has been polled or not.
            let told = end.told.notified();
            if let Some(reason) = end.reason.get() {
                return *reason;
            }
            told.await;
        }
    }
}

impl Drop for SessionEnd {
    fn drop(&mut self) {
        let mut watched = self.ends.lock();
        // Before it counts the others, this one must be gone.
        drop(self.end.take());
        if watched.get(&self.id).is_some_and(|watched| Arc::strong_count(&watched.end) == 1) {
            watched.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const NOON: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn id(text: &str) -> SessionId {
        SessionId::of(text)
    }

    /// Shows: W12
    #[actix_web::test]
    async fn all_who_hang_on_a_session_learn_of_its_end_and_nobody_else() {
        let ends = SessionEnds::default();
        let (mut first, mut second) = (ends.subscribe(id("a"), NOON), ends.subscribe(id("a"), NOON));
        let mut other = ends.subscribe(id("b"), NOON);
        assert!(first.ended().now_or_never().is_none());
        ends.tell(&id("a"), EndReason::SignedOut);
        assert_eq!(first.ended().now_or_never(), Some(EndReason::SignedOut));
        assert_eq!(first.ended().now_or_never(), Some(EndReason::SignedOut), "again");
        assert_eq!(second.ended().now_or_never(), Some(EndReason::SignedOut));
        assert!(other.ended().now_or_never().is_none());
    }

    #[test]
    fn what_nobody_waits_for_takes_no_room() {
        let ends = SessionEnds::default();
        let (first, second) = (ends.subscribe(id("a"), NOON), ends.subscribe(id("a"), NOON));
        drop(first);
        assert_eq!(ends.subscribed(), [id("a")]);
        drop(second);
        assert_eq!(ends.subscribed(), []);
    }

    #[test]
    fn a_session_is_due_when_its_time_may_be_up() {
        let ends = SessionEnds::default();
        let _end = ends.subscribe(id("a"), NOON);
        assert_eq!(ends.due(NOON), [id("a")]);
        ends.moved(&id("a"), Timestamp::MAX);
        assert_eq!(ends.due(NOON), []);
    }

    #[test]
    fn each_reason_is_found_by_its_name() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::from_name(reason.as_str()), reason);
            assert_eq!(serde_json::to_value(reason).expect("text"), reason.as_str());
        }
        assert_eq!(EndReason::from_name("x"), EndReason::Unknown);
    }
}
