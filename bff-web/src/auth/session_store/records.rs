//! Where sessions are kept, as [`Sessions`](super::Sessions) asks it: in memory or in Redis.

use std::{collections::HashMap, fmt, time::Duration};

use actix_web::http::StatusCode;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared_lib::problem::{Problem, ProblemKind};

use crate::auth::session_ends::EndReason;

/// What the record of a session holds, by name.
pub type Fields = HashMap<String, String>;

/// What a session is known by in the store: a hash of its key, so that a dump of the store gives nobody a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId([u8; 32]);

impl SessionId {
    /// Of the session with this key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Reads what its `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// As 64 hexadecimal digits.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Sessions that can be found together: those of a subject, or those that came of one session at the provider. It is a
/// hash, so that the store's keys hold no personal data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group(String);

impl Group {
    /// The sessions of this user.
    #[must_use]
    pub fn of_subject(subject: &str) -> Self {
        Self(format!("subject:{}", SessionId::of(subject)))
    }

    /// The sessions that came of this session at the provider.
    #[must_use]
    pub fn of_provider_session(id: &str) -> Self {
        Self(format!("provider-session:{}", SessionId::of(id)))
    }

    /// Its name in the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// When a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// When no request comes.
    pub idle: Timestamp,
    /// In any case.
    pub absolute: Timestamp,
}

impl Ends {
    /// Whichever comes first.
    #[must_use]
    pub fn first(&self) -> Timestamp {
        self.idle.min(self.absolute)
    }
}

/// A session that has not ended.
#[derive(Debug, Clone)]
pub struct Record {
    /// What is kept of it.
    pub fields: Fields,
    /// When it ends.
    pub ends: Ends,
}

/// The answer to whoever wants to be the only one that refreshes a session's tokens.
#[derive(Debug)]
pub enum Lease {
    /// It is yours until its time is up.
    Granted {
        /// Greater than that of every lease before: what is written under an older one is refused.
        fence: u64,
        /// The session as it is now.
        record: Record,
        /// Whether a holder before intended to send and never settled: nobody knows whether it sent.
        unsettled: bool,
    },
    /// Somebody else has it.
    Held,
    /// The session has ended.
    Ended,
}

/// What became of a write under a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It was written, and the lease is free.
    Kept,
    /// Somebody else has had the lease since, so nothing was written.
    Fenced,
    /// The session has ended, so nothing was written.
    Ended,
}

/// A store that cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("the session store cannot be reached")]
pub struct StoreError(#[source] pub anyhow::Error);

/// Service unavailable: sessions cannot be looked up.
pub static SESSIONS_UNAVAILABLE: ProblemKind = ProblemKind {
    code: "sessions-unavailable",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "Sessions cannot be looked up",
    remedy: "Wait for the time in `Retry-After`. Nobody has been signed out.",
};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(&SESSIONS_UNAVAILABLE).retry_after(Duration::from_secs(1)).caused_by(error)
    }
}

/// What every call to a store gives.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Where sessions are kept. Each call fails with [`StoreError`] when the store is away; none makes a session of one that
/// has ended.
pub trait SessionRecords: Send + Sync + 'static {
    /// A session, if it has not ended.
    fn load<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, Option<Record>>;

    /// Begins a session that can be found by these groups.
    fn create(&self, id: SessionId, fields: Fields, groups: Vec<Group>) -> StoreFuture<'_, ()>;

    /// Writes these fields and leaves the others. Whether the session had not ended.
    fn write<'a>(&'a self, id: &'a SessionId, fields: Fields) -> StoreFuture<'a, bool>;

    /// Begins the idle time anew.
    fn prolong<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, ()>;

    /// Ends a session, and has every replica told why. Whether it had not ended before.
    fn delete<'a>(&'a self, id: &'a SessionId, reason: EndReason) -> StoreFuture<'a, bool>;

    /// The sessions of a group; some of them may have ended.
    fn members<'a>(&'a self, group: &'a Group) -> StoreFuture<'a, Vec<SessionId>>;

    /// Asks to be the only one that refreshes a session's tokens, for `lifetime`.
    fn lease<'a>(&'a self, id: &'a SessionId, lifetime: Duration) -> StoreFuture<'a, Lease>;

    /// Has the lease last for `lifetime` from now. Whether it was still held.
    fn renew_lease<'a>(&'a self, id: &'a SessionId, fence: u64, lifetime: Duration) -> StoreFuture<'a, bool>;

    /// Notes that the refresh token is about to be sent. Whether the lease was still held.
    fn intend<'a>(&'a self, id: &'a SessionId, fence: u64) -> StoreFuture<'a, bool>;

    /// Writes what came of it, forgets the intention and gives the lease back.
    fn settle<'a>(&'a self, id: &'a SessionId, fence: u64, fields: Fields) -> StoreFuture<'a, Settled>;

    /// Remembers a name for `lifetime`. Whether it was not known.
    fn claim<'a>(&'a self, name: &'a str, lifetime: Duration) -> StoreFuture<'a, bool>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let id = SessionId::of("key");
        assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        for wrong in ["", "00", &"g".repeat(64), &"é".repeat(32), &"+f".repeat(32)] {
            assert_eq!(SessionId::parse(wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_as_an_id_is_written_the_same(text in "[0-9a-fA-F]{64}|\\PC{0,80}|[0-9a-f+-]{64}") {
            if let Some(id) = SessionId::parse(&text) {
                proptest::prop_assert_eq!(id.to_string(), text.to_ascii_lowercase());
            }
        }
    }
}
