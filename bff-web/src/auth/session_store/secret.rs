//! What seals a session's tokens at rest: a key that comes of the configured key and of the session key together. The
//! session key is in the browser's cookie and nowhere else, so whoever has the store and the configuration opens nothing.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{SessionId, StoreError};
use crate::auth::{keys::Keys, seal::Ciphers, tokens::Tokens};

/// A session's key, as the cookie has it. It is of no use to anyone but the session's browser, so it must not be kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct SessionSecret(String);

impl SessionSecret {
    /// Of this session key.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// What the session is known by in the store.
    #[must_use]
    pub fn id(&self) -> SessionId {
        SessionId::of(&self.0)
    }
}

/// Shows nothing, because debug output ends in logs.
impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret")
    }
}

/// Seals and opens the tokens of sessions.
#[derive(Clone)]
pub(in crate::auth) struct TokenSeals(Arc<Keys>);

impl TokenSeals {
    /// With the configured keys.
    pub(in crate::auth) fn new(keys: Keys) -> Self {
        Self(Arc::new(keys))
    }

    /// The tokens as text for the store, which is of no use for another session.
    pub(super) fn seal(&self, secret: &SessionSecret, tokens: &Tokens) -> Result<String, StoreError> {
        let text = serde_json::to_vec(tokens).map_err(|error| StoreError(error.into()))?;
        let sealed = self.ciphers(secret)?.seal(&text, secret.id().as_bytes());
        sealed.ok_or_else(|| StoreError(anyhow::anyhow!("the tokens cannot be sealed")))
    }

    /// The tokens. `None` when none of the configured keys has sealed them.
    pub(super) fn open(&self, secret: &SessionSecret, sealed: &str) -> Option<Tokens> {
        let text = self.ciphers(secret).ok()?.open(sealed, secret.id().as_bytes())?;
        serde_json::from_slice(&text).ok()
    }

    fn ciphers(&self, secret: &SessionSecret) -> Result<Ciphers, StoreError> {
        let keys = self.0.derive_with(secret.0.as_bytes(), "session tokens");
        Ok(Ciphers::new(&keys.map_err(|error| StoreError(error.into()))?))
    }
}
