//! Sessions: what is kept of a signed-in user, and the store behind `actix-session`.
//!
//! `actix-session` knows a session as a map of texts under a key that is in the cookie. [`Sessions`] puts that on
//! [`SessionRecords`], which knows it under a hash of the key, ends it when its time is up, and writes to it only while it
//! exists: a write that was under way while the user signed out cannot bring the session back.
//!
//! The map is written once, at sign-in. Later changes (fresh tokens, a later idle end) go to the records directly, because
//! `actix-session` would write the whole map as the request found it, and with it undo what happened meanwhile.
//!
//! Tokens are sealed on the way into the store, under a key that only a request with the session's cookie can derive.

mod bridge;
mod memory;
mod records;
pub mod redis;
mod secret;

use std::{sync::Arc, time::Duration};

use actix_session::Session;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared_lib::clock::Clock;

pub use memory::MemoryRecords;
pub use records::{
    Ends, Fields, Group, Lease, Record, SESSIONS_UNAVAILABLE, SessionId, SessionRecords, Settled, StoreError,
    StoreFuture,
};
pub use secret::SessionSecret;
pub(super) use secret::TokenSeals;

use super::{
    session_ends::{EndReason, SessionEnd, SessionEnds},
    tokens::Tokens,
};

/// The entries of a session's map.
const IDENTITY: &str = "identity";
const TOKENS: &str = "tokens";
/// Entries that a load adds; they are never stored.
const ADDED: char = '@';
const KEY: &str = "@key";
const ENDS: &str = "@ends";
/// Stands alone, for a session that may be there but cannot be looked up.
const AWAY: &str = "@away";

/// Who signed in, as the ID token said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Names this session where its key must not appear, such as in CSRF tokens.
    pub handle: String,
    /// The user's stable name at the provider.
    pub subject: String,
    /// The name to show.
    pub name: Option<String>,
    /// The session's name at the provider, for signing out there.
    pub provider_session: Option<String>,
    /// When the user signed in.
    pub signed_in_at: Timestamp,
    /// What the browser said that it is, shortened.
    pub device: Option<String>,
}

/// The session of the request at hand.
#[derive(Debug, Clone)]
pub struct CurrentSession {
    /// Its name in the store.
    pub id: SessionId,
    /// What its tokens are sealed with.
    pub secret: SessionSecret,
    /// Who signed in.
    pub identity: Identity,
    /// The user's tokens, as the request found them.
    pub tokens: Tokens,
    /// When it ends, unless it is prolonged.
    pub ends: Ends,
}

/// A session of somebody, as the store knows it.
#[derive(Debug, Clone)]
pub struct KnownSession {
    /// Its name in the store.
    pub id: SessionId,
    /// Who signed in.
    pub identity: Identity,
    /// When it ends, unless it is prolonged.
    pub ends: Ends,
}

/// A lease, with the tokens as they are under it.
pub(super) enum TokenLease {
    Granted { fence: u64, tokens: Tokens, unsettled: bool },
    Held,
    Ended,
}

/// The sessions of this service. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    records: Arc<dyn SessionRecords>,
    ends: SessionEnds,
    seals: TokenSeals,
    idle_timeout: Duration,
    clock: Clock,
}

impl Sessions {
    /// On this store.
    #[must_use]
    pub(super) fn new(
        records: Arc<dyn SessionRecords>,
        seals: TokenSeals,
        idle_timeout: Duration,
        clock: Clock,
    ) -> Self {
        Self { records, ends: SessionEnds::default(), seals, idle_timeout, clock }
    }

    /// Where the ends of sessions become known.
    #[must_use]
    pub fn ends(&self) -> &SessionEnds {
        &self.ends
    }

    /// The session that `actix-session` loaded. `None` when nobody is signed in.
    ///
    /// # Errors
    /// [`StoreError`] when there may be one that could not be looked up.
    pub fn current(&self, session: &Session) -> Result<Option<CurrentSession>, StoreError> {
        if let Some(error) = read::<String>(session, AWAY) {
            return Err(StoreError(anyhow::Error::msg(error)));
        }
        Ok(self.read_current(session))
    }

    fn read_current(&self, session: &Session) -> Option<CurrentSession> {
        let secret: SessionSecret = read(session, KEY)?;
        let sealed: String = read(session, TOKENS)?;
        let Some(tokens) = self.seals.open(&secret, &sealed) else {
            tracing::warn!("the tokens of a session were sealed with a key that is no longer known");
            return None;
        };
        let (identity, ends) = (read(session, IDENTITY)?, read(session, ENDS)?);
        Some(CurrentSession { id: secret.id(), secret, identity, tokens, ends })
    }

    /// Makes the session at hand that of this user, under a new key. What it was before is gone.
    ///
    /// # Errors
    /// Values that cannot be written as JSON.
    pub fn sign_in(
        session: &Session,
        identity: &Identity,
        tokens: &Tokens,
    ) -> Result<(), actix_session::SessionInsertError> {
        session.clear();
        session.renew();
        session.insert(IDENTITY, identity)?;
        session.insert(TOKENS, tokens)
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.records.load(&SessionId::of("")).await.map(drop)
    }

    /// The tokens of a session as they are now. `None` when it has ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tokens(&self, secret: &SessionSecret) -> Result<Option<Tokens>, StoreError> {
        let record = self.records.load(&secret.id()).await?;
        Ok(record.and_then(|record| self.opened(secret, &record)))
    }

    fn opened(&self, secret: &SessionSecret, record: &Record) -> Option<Tokens> {
        self.seals.open(secret, &parse::<String>(record.fields.get(TOKENS)?)?)
    }

    /// Asks to be the only one that refreshes a session's tokens, and reads them once that is so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn lease(&self, secret: &SessionSecret, lifetime: Duration) -> Result<TokenLease, StoreError> {
        Ok(match self.records.lease(&secret.id(), lifetime).await? {
            Lease::Granted { fence, record, unsettled } => match self.opened(secret, &record) {
                Some(tokens) => TokenLease::Granted { fence, tokens, unsettled },
                None => TokenLease::Ended,
            },
            Lease::Held => TokenLease::Held,
            Lease::Ended => TokenLease::Ended,
        })
    }

    /// Writes what came of a refresh and gives the lease back; without tokens there is nothing new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn settle(
        &self,
        secret: &SessionSecret,
        fence: u64,
        tokens: Option<&Tokens>,
    ) -> Result<Settled, StoreError> {
        let mut fields = Fields::new();
        if let Some(tokens) = tokens {
            fields.insert(TOKENS.to_owned(), text(&self.seals.seal(secret, tokens)?)?);
        }
        self.records.settle(&secret.id(), fence, fields).await
    }

    /// The store itself, for what concerns a lease alone.
    pub(super) fn records(&self) -> &dyn SessionRecords {
        &*self.records
    }

    /// Begins the idle time anew. Not at every request: only when a twentieth of it has gone by.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prolong(&self, session: &CurrentSession) -> Result<(), StoreError> {
        let left = session.ends.idle.duration_since(self.clock.wall());
        let fresh = left.unsigned_abs() > self.idle_timeout - self.idle_timeout / 20;
        if fresh || session.ends.idle >= session.ends.absolute {
            return Ok(());
        }
        self.records.prolong(&session.id).await
    }

    /// Begins the idle time anew, and says when the session ends now. `None` when it has ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn renew(&self, id: &SessionId) -> Result<Option<Ends>, StoreError> {
        self.records.prolong(id).await?;
        Ok(self.records.load(id).await?.map(|record| record.ends))
    }

    /// When somebody last used a session, to the twentieth of its idle time.
    #[must_use]
    pub fn last_seen(&self, ends: &Ends) -> Timestamp {
        ends.idle.checked_sub(self.idle_timeout).unwrap_or(Timestamp::MIN)
    }

    /// Ends a session. All that hangs on it learns why, on every replica. Whether it had not ended before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(&self, id: &SessionId, reason: EndReason) -> Result<bool, StoreError> {
        let ended = self.records.delete(id, reason).await?;
        if ended {
            self.ends.tell(id, reason);
        }
        Ok(ended)
    }

    /// The sessions of a group that have not ended, the latest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of_group(&self, group: &Group) -> Result<Vec<KnownSession>, StoreError> {
        let mut known = Vec::new();
        for id in self.records.members(group).await? {
            let Some(record) = self.records.load(&id).await? else { continue };
            let Some(identity) = record.fields.get(IDENTITY).and_then(|text| parse::<Identity>(text)) else { continue };
            known.push(KnownSession { id, identity, ends: record.ends });
        }
        known.sort_by_key(|session| std::cmp::Reverse(session.identity.signed_in_at));
        Ok(known)
    }

    /// Ends the sessions of a group but for one. How many had not ended before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_group(
        &self,
        group: &Group,
        except: Option<&SessionId>,
        reason: EndReason,
    ) -> Result<usize, StoreError> {
        let mut ended = 0;
        for id in self.records.members(group).await? {
            if except != Some(&id) && self.end(&id, reason).await? {
                ended += 1;
            }
        }
        Ok(ended)
    }

    /// Learns of the end of a session: a sign-out anywhere, its idle or absolute end, an operator's or the provider's word.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn subscribe(&self, session: &CurrentSession) -> Result<SessionEnd, StoreError> {
        let end = self.ends.subscribe(session.id, session.ends.first());
        // It may have ended before anybody listened.
        self.look_up(vec![session.id]).await?;
        Ok(end)
    }

    /// Looks sessions up, and tells of those that are gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn look_up(&self, ids: Vec<SessionId>) -> Result<(), StoreError> {
        let now = self.clock.wall();
        let due = self.ends.due(now);
        for id in ids {
            match self.records.load(&id).await? {
                Some(record) => self.ends.moved(&id, record.ends.first()),
                None if due.contains(&id) => self.ends.tell(&id, EndReason::Expired),
                None => self.ends.tell(&id, EndReason::Unknown),
            }
        }
        Ok(())
    }

    /// Notices sessions whose time is up, for as long as it is polled.
    pub(super) async fn watch_time(self) {
        let mut beat = tokio::time::interval(TIME_CHECK);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            // What cannot be looked up now is looked up at the next beat.
            let _ = self.look_up(self.ends.due(self.clock.wall())).await;
        }
    }

    /// Remembers a name for `lifetime`. Whether it was not known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn claim(&self, name: &str, lifetime: Duration) -> Result<bool, StoreError> {
        self.records.claim(name, lifetime).await
    }
}

/// How often sessions are looked for whose time is up.
const TIME_CHECK: Duration = Duration::from_millis(500);

fn read<T: serde::de::DeserializeOwned>(session: &Session, name: &str) -> Option<T> {
    session.get(name).unwrap_or_else(|error| {
        tracing::error!(%error, "a stored session cannot be read");
        None
    })
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn text<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError(error.into()))
}
