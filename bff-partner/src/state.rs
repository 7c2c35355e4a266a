//! What the workers share, and how a worker makes its own part of it.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use shared_lib::{
    clock::Clock,
    downstream::{Downstreams, Registry, RegistryError},
    idempotency::Idempotency,
    oauth::{ClientAuth, ProviderClient, ProviderSettings, ProviderShared},
    server::Access,
    service::Start,
};

use crate::{
    auth::WrongKeys,
    database::Database,
    keys::{KeyAdmin, KeyFormat, KeyRing, KeyStore, KeyWatch},
    limits::Limits,
    operations::OperationStore,
    services::Services,
    settings::{PROVIDER, PartnerSettings},
    versions::Versions,
    views::{self, Contract, Docs},
};

/// What the workers share.
#[derive(Clone)]
pub struct PartnerState {
    pub(crate) settings: Arc<PartnerSettings>,
    pub(crate) registry: Registry,
    pub(crate) ring: KeyRing,
    pub(crate) admin: KeyAdmin,
    pub(crate) idempotency: Idempotency,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) versions: Versions,
    pub(crate) wrong_keys: WrongKeys,
    pub(crate) contract: Arc<Contract>,
    pub(crate) docs: Arc<Docs>,
    provider: ProviderShared,
    _watch: Option<KeyWatch>,
}

impl PartnerState {
    pub(crate) async fn new(start: Start<PartnerSettings>) -> anyhow::Result<Self> {
        let Start { settings, registry, clock } = start;
        let auth = ClientAuth::SecretBasic(settings.oidc.client_secret.clone());
        let provider = ProviderSettings::new(&settings.oidc.issuer, &settings.oidc.client_id, auth)
            .in_environment(settings.environment);
        let provider = ProviderShared::new(provider, clock.clone()).context("[oidc]")?;
        let database = Database::open(&settings.keys.database_url).await.context("[keys] database_url")?;
        let format = KeyFormat::new(&settings.keys.checksum_key);
        let ring = KeyRing::new(format, KeyStore::new(database.clone()), settings.keys.ring(), clock.clone());
        let watch = database
            .channel()
            .map(|channel| KeyWatch::start(ring.clone(), channel.clone(), settings.keys.ring().fresh, clock.clone()));
        let admin = key_admin(&settings, database.clone(), clock.clone()).telling(ring.clone());
        let interval = Duration::from_millis(settings.limits.record_ms);
        let versions = Versions::new(&settings.versions, database.clone(), interval, clock.clone());
        let limits = Limits::new(&settings, database.clone(), &clock)?;
        let (per_minute, addresses) = (settings.keys.max_refused_per_minute, settings.keys.max_refusing_addresses);
        let wrong_keys =
            WrongKeys::new(per_minute, addresses, clock.clone()).context("[keys] max_refused_per_minute")?;
        let operations = Arc::new(OperationStore::new(database));
        let idempotency = Idempotency::new(operations, settings.idempotency.times(), clock.clone());
        let docs = Arc::new(Docs::new(&settings.plans, settings.server.public_origin.as_str().trim_end_matches('/')));
        let contract = Arc::new(Contract::of_this_build());
        let state = Self {
            settings,
            registry,
            ring,
            admin,
            limits,
            versions,
            wrong_keys,
            idempotency,
            contract,
            docs,
            provider,
            clock,
            _watch: watch,
        };
        // A worker cannot say that it has no services, so the start does.
        let downstreams = state.registry.for_worker();
        Services::new(&downstreams).context("[downstreams]")?;
        state.provider(&downstreams).context("[downstreams]")?;
        Ok(state)
    }

    pub(crate) fn provider(&self, downstreams: &Downstreams) -> Result<ProviderClient, RegistryError> {
        Ok(ProviderClient::new(self.provider.clone(), downstreams.get(PROVIDER)?))
    }
}

/// What manages the keys, on the command line and for operators.
pub(crate) fn key_admin(settings: &PartnerSettings, database: Database, clock: Clock) -> KeyAdmin {
    let format = KeyFormat::new(&settings.keys.checksum_key);
    let plans = settings.plans.keys().cloned().collect();
    KeyAdmin::new(format, KeyStore::new(database), plans, known_scopes(), clock)
}

/// Every scope that a route asks for.
fn known_scopes() -> Vec<&'static str> {
    let mut scopes: Vec<&'static str> = views::routes()
        .routes()
        .iter()
        .filter_map(|route| match route.policy.access {
            Access::Scopes(scopes) => Some(scopes),
            Access::Public | Access::Caller => None,
        })
        .flatten()
        .copied()
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}
