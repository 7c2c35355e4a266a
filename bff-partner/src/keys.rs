//! API keys: how they look, what is stored of them, how one is checked, and how they are managed.
//!
//! - [`KeyFormat`] makes keys and reads them. Each carries a keyed checksum, so a made-up one is refused without asking
//!   any store.
//! - [`KeyStore`] keeps what is known of them, in SQLite or PostgreSQL. Of the secret it has a hash and nothing else.
//! - [`KeyRing`] answers what a request's key is worth, from memory as long as that is young enough.
//! - [`KeyWatch`] tells the ring of keys that have changed.
//! - [`KeyAdmin`] creates, revokes and rotates, and writes each change down.

mod admin;
pub mod cli;
mod format;
mod metrics;
mod record;
mod ring;
mod store;
mod watch;

pub use self::{
    admin::{AdminError, Created, KeyAdmin, NewKey},
    format::{KeyFormat, NewSecret, PresentedKey, SecretHash},
    record::{KeyEnvironment, KeyRecord, KeyState, RecordError, is_partner_name, is_scope},
    ring::{KeyRing, RingError, RingSettings},
    store::{AuditEntry, By, KeyStore, StoreError},
    watch::KeyWatch,
};
