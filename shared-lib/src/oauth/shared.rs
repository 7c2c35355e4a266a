//! What a process knows of one provider, whichever worker learned it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use url::Url;

use super::{
    OAuthError, ProviderSettings, ProviderSettingsError, exchange::ExchangeKey, metadata::Metadata,
    service_token::ServiceTokenKey, single_flight::Flights, token_cache::TokenCache,
};
use crate::{clock::Clock, jwt::KeySet};

/// How many different service tokens are kept: audiences times scopes, which the configuration bounds.
const MAX_SERVICE_TOKENS: u64 = 256;

/// How long a provider that did not answer is left alone while there is metadata that serves.
const METADATA_COOL_DOWN: Duration = Duration::from_secs(30);

/// A provider as the process knows it. Cheap to clone; crosses threads.
#[derive(Debug, Clone)]
pub struct ProviderShared(Arc<Parts>);

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) settings: ProviderSettings,
    pub(super) issuer: Url,
    pub(super) clock: Clock,
    pub(super) key_set: KeySet,
    pub(super) metadata_flights: Flights<(), Result<Arc<Metadata>, OAuthError>>,
    pub(super) service_tokens: TokenCache<ServiceTokenKey>,
    pub(super) exchanged_tokens: TokenCache<ExchangeKey>,
    metadata: Mutex<MetadataCache>,
}

#[derive(Debug, Default)]
struct MetadataCache {
    kept: Option<(Arc<Metadata>, Instant)>,
    refresh_attempted_at: Option<Instant>,
}

/// Metadata in the cache.
pub(super) enum Cached {
    /// As it should be.
    Fresh(Arc<Metadata>),
    /// Old, and to be fetched again now, by whoever reads this.
    Stale(Arc<Metadata>),
    /// None yet.
    Nothing,
}

impl ProviderShared {
    /// Checks the settings. Nothing is asked of the provider.
    ///
    /// # Errors
    /// [`ProviderSettingsError`].
    pub fn new(settings: ProviderSettings, clock: Clock) -> Result<Self, ProviderSettingsError> {
        let issuer = settings.checked_issuer()?;
        Ok(Self(Arc::new(Parts {
            issuer,
            key_set: KeySet::new(settings.keys.clone(), clock.clone()),
            metadata_flights: Flights::default(),
            service_tokens: TokenCache::new(MAX_SERVICE_TOKENS, clock.clone()),
            exchanged_tokens: TokenCache::new(settings.max_exchanged_tokens, clock.clone()),
            metadata: Mutex::default(),
            clock,
            settings,
        })))
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &ProviderSettings {
        &self.0.settings
    }

    /// The provider's public keys.
    #[must_use]
    pub fn key_set(&self) -> &KeySet {
        &self.0.key_set
    }

    /// The time by which it judges.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Forgets what tokens of this session were exchanged for.
    pub fn forget_session(&self, session: [u8; 32]) {
        self.0.exchanged_tokens.forget_all(move |key| key.is_of(&session));
    }

    /// How many exchanged tokens are kept.
    #[must_use]
    pub fn exchanged_tokens(&self) -> u64 {
        self.0.exchanged_tokens.count()
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }
}

impl Parts {
    pub(super) fn cached_metadata(&self) -> Cached {
        let now = self.clock.now();
        let mut cache = self.metadata_cache();
        let Some((metadata, since)) = cache.kept.clone() else { return Cached::Nothing };
        if now.saturating_duration_since(since) < self.settings.metadata_max_age {
            return Cached::Fresh(metadata);
        }
        let attempted_at = cache.refresh_attempted_at;
        if attempted_at.is_some_and(|at| now.saturating_duration_since(at) < METADATA_COOL_DOWN) {
            return Cached::Fresh(metadata);
        }
        cache.refresh_attempted_at = Some(now);
        Cached::Stale(metadata)
    }

    pub(super) fn keep_metadata(&self, metadata: Arc<Metadata>) {
        let now = self.clock.now();
        self.metadata_cache().kept = Some((metadata, now));
    }

    fn metadata_cache(&self) -> MutexGuard<'_, MetadataCache> {
        // Nothing panics while it is held.
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
