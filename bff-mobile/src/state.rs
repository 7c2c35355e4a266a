//! What the workers share, and how a worker makes its own part of it.

use std::{path::Path, rc::Rc, sync::Arc};

use anyhow::Context;
use serde_json::{Value, json};
use shared_lib::{
    clock::Clock,
    downstream::{Downstreams, Registry, RegistryError},
    jwt::{AccessTokenVerifier, BelievedTokens, JwksUrl, KeySet, KeySetSettings, Keys, dpop::DpopVerifier},
    oauth::{ClientAuth, ProviderClient, ProviderSettings, ProviderShared},
    service::Start,
};

use crate::{
    graphql::{Graphql, trusted::TrustedDocuments},
    rollout::Rollout,
    services::Services,
    settings::{MobileSettings, PROVIDER, SIGNING_KEYS},
};

/// What the workers share.
#[derive(Clone)]
pub struct MobileState {
    pub(crate) settings: Arc<MobileSettings>,
    pub(crate) registry: Registry,
    provider: ProviderShared,
    /// Where the signing keys have an address of their own; otherwise the provider's are used.
    signing_keys: Option<KeySet>,
    pub(crate) dpop: DpopVerifier,
    pub(crate) rollout: Rollout,
    pub(crate) graphql: Graphql,
    believed: Option<BelievedTokens>,
    clock: Clock,
}

/// What one worker has to itself of the provider.
pub(crate) struct WorkerIdentity {
    /// Believes access tokens.
    pub(crate) verifier: AccessTokenVerifier,
    /// Exchanges them.
    pub(crate) provider: ProviderClient,
    keys: Keys,
}

impl WorkerIdentity {
    /// Fetches the signing keys now and whenever they get old, so that no request has to wait for them and a provider
    /// that is away meets keys that are as young as can be.
    pub(crate) fn keep_keys_fresh(&self) {
        self.keys.keep_fresh();
    }
}

impl MobileState {
    pub(crate) fn new(start: Start<MobileSettings>) -> anyhow::Result<Self> {
        let Start { settings, registry, clock } = start;
        let auth = ClientAuth::SecretBasic(settings.oidc.client_secret.clone());
        let provider = ProviderSettings::new(settings.provider_issuer(), &settings.oidc.client_id, auth)
            .in_environment(settings.environment);
        let provider = ProviderShared::new(provider, clock.clone()).context("[oidc]")?;
        let has_address = settings.jwt.jwks_url.is_some();
        let signing_keys = has_address.then(|| KeySet::new(KeySetSettings::default(), clock.clone()));
        let dpop = DpopVerifier::new(settings.dpop.rules(), clock.clone());
        let rollout = Rollout::new(&settings.rollout, clock.clone()).context("[rollout]")?;
        let rules = settings.graphql.rules(settings.environment.is_production());
        let trusted = match &settings.graphql.documents_file {
            Some(file) => TrustedDocuments::read(Path::new(file), &rules.limits).context("[graphql] documents_file")?,
            None => TrustedDocuments::default(),
        };
        let graphql = Graphql::new(rules, trusted);
        let believed = settings.jwt.believed(&clock);
        let state = Self { settings, registry, provider, signing_keys, dpop, rollout, graphql, believed, clock };
        // A worker cannot say that it has no services, so the start does.
        let downstreams = state.registry.for_worker();
        Services::new(&downstreams).context("[downstreams]")?;
        state.identity(&downstreams).context("[downstreams]")?;
        Ok(state)
    }

    /// What `/info` says about the signing keys: a fetch that failed last may mean that they are stale.
    pub(crate) fn signing_keys_info(&self) -> Value {
        let status = self.signing_keys.as_ref().unwrap_or(self.provider.key_set()).status();
        json!({
            "keys": status.keys,
            "ageSeconds": status.age.map(|age| age.as_secs()),
            "lastFetchFailed": status.last_fetch_failed,
        })
    }

    /// What `/info` says about the tokens that are believed without another look: how many, or nothing where none are.
    pub(crate) fn believed_tokens_info(&self) -> Value {
        json!(self.believed.as_ref().map(BelievedTokens::len))
    }

    pub(crate) fn identity(&self, downstreams: &Downstreams) -> Result<WorkerIdentity, RegistryError> {
        let provider = ProviderClient::new(self.provider.clone(), downstreams.get(PROVIDER)?);
        let keys = match (&self.signing_keys, &self.settings.jwt.jwks_url) {
            (Some(set), Some(url)) => {
                let source = JwksUrl::new(downstreams.get(SIGNING_KEYS)?, url.clone());
                Keys::new(set.clone(), Rc::new(source))
            }
            _ => provider.keys(),
        };
        let verifier = AccessTokenVerifier::new(self.settings.jwt.rules(), keys.clone(), self.clock.clone());
        let verifier = match &self.believed {
            Some(believed) => verifier.remembering(believed.clone()),
            None => verifier,
        };
        Ok(WorkerIdentity { verifier, provider, keys })
    }
}
