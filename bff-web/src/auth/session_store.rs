//! Sessions: what is kept of a signed-in user, and the store behind `actix-session`.
//!
//! `actix-session` knows a session as a map of texts under a key that is in the cookie. [`Sessions`] puts that on
//! [`SessionRecords`], which knows it under a hash of the key, ends it when its time is up, and writes to it only while it
//! exists: a write that was under way while the user signed out cannot bring the session back.
//!
//! The map is written once, at sign-in. Later changes (fresh tokens, a later idle end) go to the records directly, because
//! `actix-session` would write the whole map as the request found it, and with it undo what happened meanwhile.

mod memory;

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix_session::{
    Session,
    storage::{LoadError, SaveError, SessionKey, UpdateError},
};
use actix_web::{cookie::time, http::StatusCode};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared_lib::{
    clock::Clock,
    problem::{Problem, ProblemKind},
};

pub use memory::MemoryRecords;

use super::{random, tokens::Tokens};

/// The entries of a session's map.
const IDENTITY: &str = "identity";
const TOKENS: &str = "tokens";
/// Entries that a load adds; they are never stored.
const ADDED: char = '@';
const ID: &str = "@id";
const ENDS: &str = "@ends";

/// What the records of a session hold, by name.
pub type Fields = HashMap<String, String>;

/// What a session is known by in the store: a hash of its key, so that a dump of the store gives nobody a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId([u8; 32]);

impl SessionId {
    fn of(key: &SessionKey) -> Self {
        Self(Sha256::digest(key.as_ref()).into())
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

/// Where sessions are kept.
pub trait SessionRecords: Send + Sync + 'static {
    /// The fields of a session that has not ended, and when it ends.
    ///
    /// # Errors
    /// [`StoreError`], as everywhere here.
    fn load<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Result<Option<(Fields, Ends)>, StoreError>>;

    /// Begins a session.
    ///
    /// # Errors
    /// [`StoreError`].
    fn create(&self, id: SessionId, fields: Fields) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Writes these fields and leaves the others, if the session has not ended. Whether it had not.
    ///
    /// # Errors
    /// [`StoreError`].
    fn write<'a>(&'a self, id: &'a SessionId, fields: Fields) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Begins the idle time anew, if the session has not ended.
    ///
    /// # Errors
    /// [`StoreError`].
    fn prolong<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError`].
    fn delete<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Result<(), StoreError>>;
}

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
}

/// The session of the request at hand.
#[derive(Debug, Clone)]
pub struct CurrentSession {
    /// Its name in the store.
    pub id: SessionId,
    /// Who signed in.
    pub identity: Identity,
    /// The user's tokens, as the request found them.
    pub tokens: Tokens,
    /// When it ends, unless it is prolonged.
    pub ends: Ends,
}

impl CurrentSession {
    /// Reads what `actix-session` loaded. `None` when nobody is signed in.
    #[must_use]
    pub fn of(session: &Session) -> Option<Self> {
        let identity = read(session, IDENTITY)?;
        Some(Self { id: read(session, ID)?, identity, tokens: read(session, TOKENS)?, ends: read(session, ENDS)? })
    }
}

fn read<T: serde::de::DeserializeOwned>(session: &Session, name: &str) -> Option<T> {
    session.get(name).unwrap_or_else(|error| {
        tracing::error!(%error, "a stored session cannot be read");
        None
    })
}

/// The sessions of this service. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    records: Arc<dyn SessionRecords>,
    idle_timeout: Duration,
    clock: Clock,
}

impl Sessions {
    /// On this store.
    #[must_use]
    pub fn new(records: Arc<dyn SessionRecords>, idle_timeout: Duration, clock: Clock) -> Self {
        Self { records, idle_timeout, clock }
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

    /// The tokens of a session as they are now. `None` when it has ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tokens(&self, id: &SessionId) -> Result<Option<Tokens>, StoreError> {
        let loaded = self.records.load(id).await?;
        Ok(loaded.and_then(|(fields, _)| serde_json::from_str(fields.get(TOKENS)?).ok()))
    }

    /// Keeps fresh tokens, if the session has not ended. Whether it had not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_tokens(&self, id: &SessionId, tokens: &Tokens) -> Result<bool, StoreError> {
        let text = serde_json::to_string(tokens).map_err(|error| StoreError(error.into()))?;
        self.records.write(id, Fields::from([(TOKENS.to_owned(), text)])).await
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

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(&self, id: &SessionId) -> Result<(), StoreError> {
        self.records.delete(id).await
    }
}

impl actix_session::storage::SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<Fields>, LoadError> {
        let id = SessionId::of(key);
        let Some((mut fields, ends)) = self.records.load(&id).await.map_err(|error| LoadError::Other(error.into()))?
        else {
            return Ok(None);
        };
        let added = [(ID, serde_json::to_string(&id)), (ENDS, serde_json::to_string(&ends))];
        for (name, text) in added {
            fields.insert(name.to_owned(), text.map_err(|error| LoadError::Deserialization(error.into()))?);
        }
        Ok(Some(fields))
    }

    /// The records know how long a session lasts; `_ttl` says nothing that they do not.
    async fn save(&self, fields: Fields, _ttl: &time::Duration) -> Result<SessionKey, SaveError> {
        let key = random::token().try_into();
        let key: SessionKey = key.map_err(|_| SaveError::Other(anyhow::anyhow!("a session key is too long")))?;
        self.records
            .create(SessionId::of(&key), stored(fields))
            .await
            .map_err(|error| SaveError::Other(error.into()))?;
        Ok(key)
    }

    async fn update(&self, key: SessionKey, fields: Fields, _ttl: &time::Duration) -> Result<SessionKey, UpdateError> {
        let written = self.records.write(&SessionId::of(&key), stored(fields)).await;
        written.map_err(|error| UpdateError::Other(error.into()))?;
        Ok(key)
    }

    /// Prolonging is the guard's decision, see [`Sessions::prolong`].
    async fn update_ttl(&self, _key: &SessionKey, _ttl: &time::Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        Ok(self.records.delete(&SessionId::of(key)).await?)
    }
}

fn stored(mut fields: Fields) -> Fields {
    fields.retain(|name, _| !name.starts_with(ADDED));
    fields
}
