//! Creating, ending and replacing keys.

use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use shared_lib::{clock::Clock, settings::Secret};

use super::{
    format::KeyFormat,
    record::{KeyEnvironment, KeyRecord, RecordError, is_partner_name},
    ring::KeyRing,
    store::{By, KeyStore, StoreError},
};

/// Why a key was not created, ended or replaced.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// What was asked for makes no key.
    #[error(transparent)]
    Invalid(#[from] RecordError),
    /// A time so far away that no calendar has it.
    #[error("the time is too far away")]
    TooFar,
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Whose it will be.
    pub partner: String,
    /// Live or test.
    pub environment: KeyEnvironment,
    /// The plan whose limits it has.
    pub plan: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Where it may be used from; empty: anywhere.
    pub networks: Vec<IpNet>,
    /// How long it lives; none: until it is revoked.
    pub expires_in: Option<Duration>,
}

/// A key that was created. The key itself is known now and never again.
pub struct Created {
    /// The whole key, for its owner.
    pub key: Secret,
    /// What is stored of it.
    pub record: KeyRecord,
}

/// Manages the keys of a store.
#[derive(Clone)]
pub struct KeyAdmin {
    format: KeyFormat,
    store: KeyStore,
    plans: Vec<String>,
    scopes: Vec<&'static str>,
    ring: Option<KeyRing>,
    clock: Clock,
}

impl KeyAdmin {
    /// `plans` are those that are configured, `scopes` those that a route asks for.
    #[must_use]
    pub fn new(
        format: KeyFormat,
        store: KeyStore,
        plans: Vec<String>,
        scopes: Vec<&'static str>,
        clock: Clock,
    ) -> Self {
        Self { format, store, plans, scopes, ring: None, clock }
    }

    /// Tells this ring of changes, so that the process that makes one feels it at once.
    #[must_use]
    pub fn telling(self, ring: KeyRing) -> Self {
        Self { ring: Some(ring), ..self }
    }

    /// What is stored.
    #[must_use]
    pub fn store(&self) -> &KeyStore {
        &self.store
    }

    /// Creates a key.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn create(&self, new: NewKey, by: By<'_>) -> Result<Created, AdminError> {
        let created = self.mint(new)?;
        self.store.add(&created.record, by).await?;
        self.tell(&created.record.id);
        Ok(created)
    }

    /// Ends a key at once. `true` when it had not been ended before.
    ///
    /// # Errors
    /// [`StoreError::Unknown`]; when the store is away.
    pub async fn revoke(&self, id: &str, by: By<'_>) -> Result<bool, AdminError> {
        let ended = self.store.revoke(id, self.clock.wall(), by).await?;
        self.tell(id);
        Ok(ended)
    }

    /// Creates a key like this one, which itself ends after `overlap`, so that its owner can change over in between.
    /// The new one lives as long as the old one was made to live.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when there is no such key in force; when the store is away.
    pub async fn rotate(&self, id: &str, overlap: Duration, by: By<'_>) -> Result<Created, AdminError> {
        let old = self.store.find(id).await?.ok_or(StoreError::Unknown)?;
        let expires_in = old.expires_at.map(|end| end.duration_since(old.created_at).unsigned_abs());
        let created = self.mint(NewKey {
            partner: old.partner,
            environment: old.environment,
            plan: old.plan,
            scopes: old.scopes,
            networks: old.networks,
            expires_in,
        })?;
        let old_ends = after(created.record.created_at, overlap)?;
        self.store.replace(id, &created.record, old_ends, by).await?;
        self.tell(id);
        Ok(created)
    }

    fn tell(&self, id: &str) {
        if let Some(ring) = &self.ring {
            ring.changed(id);
        }
    }

    fn mint(&self, mut new: NewKey) -> Result<Created, AdminError> {
        if !is_partner_name(&new.partner) {
            return Err(RecordError::Partner.into());
        }
        if !self.plans.contains(&new.plan) {
            return Err(RecordError::Plan.into());
        }
        new.scopes.sort_unstable();
        new.scopes.dedup();
        if new.scopes.is_empty() || !new.scopes.iter().all(|scope| self.scopes.contains(&scope.as_str())) {
            return Err(RecordError::Scope.into());
        }
        let now = self.clock.wall();
        let made = self.format.mint(new.environment);
        let record = KeyRecord {
            id: made.id,
            partner: new.partner,
            environment: new.environment,
            plan: new.plan,
            scopes: new.scopes,
            networks: new.networks,
            secret_hash: made.hash,
            created_at: now,
            expires_at: new.expires_in.map(|lifetime| after(now, lifetime)).transpose()?,
            revoked_at: None,
            replaced_by: None,
        };
        Ok(Created { key: made.key, record })
    }
}

fn after(now: Timestamp, duration: Duration) -> Result<Timestamp, AdminError> {
    now.checked_add(duration).map_err(|_| AdminError::TooFar)
}
