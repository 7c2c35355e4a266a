//! A provider as one worker talks to it.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix_web::http::{Method, StatusCode, header::AUTHORIZATION};
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use tokio::time::timeout;
use url::Url;

use super::{
    OAuthError, ProviderSettings, ProviderShared,
    metadata::{self, Metadata, MetadataError},
    shared::Cached,
    single_flight::Part,
};
use crate::{
    context::RequestContext,
    downstream::{Call, Downstream, budget::RequestBudget},
    jwt::{IdTokenSettings, IdTokenVerifier, Jwks, JwksError, JwksSource, Keys, fetch_jwks},
};

/// How long a refresh of metadata in the background may take, and on how many attempts.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(10);
const REFRESH_ATTEMPTS: u32 = 4;

/// A provider as one worker talks to it. Cheap to clone; stays on its thread.
#[derive(Clone)]
pub struct ProviderClient {
    shared: ProviderShared,
    downstream: Downstream,
}

impl ProviderClient {
    /// The provider of `shared`, asked through `downstream`.
    #[must_use]
    pub fn new(shared: ProviderShared, downstream: Downstream) -> Self {
        Self { shared, downstream }
    }

    /// What the process knows of the provider.
    #[must_use]
    pub fn shared(&self) -> &ProviderShared {
        &self.shared
    }

    /// The provider's keys, fetched from where its metadata says.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys::new(self.shared.key_set().clone(), Rc::new(self.clone()))
    }

    /// A verifier of the ID tokens that the provider gives to us.
    #[must_use]
    pub fn id_token_verifier(&self) -> IdTokenVerifier {
        let settings = self.settings();
        let rules = IdTokenSettings::new(&settings.issuer, &settings.client_id);
        IdTokenVerifier::new(rules, self.keys(), self.shared.clock().clone())
    }

    /// The provider's metadata: from the cache while it is young; while the provider is away, however old it is.
    ///
    /// # Errors
    /// When there is none yet and the provider cannot be asked, or what it says cannot be used.
    pub async fn metadata(&self, context: &RequestContext) -> Result<Arc<Metadata>, OAuthError> {
        let parts = self.shared.parts();
        loop {
            match parts.cached_metadata() {
                Cached::Fresh(metadata) => return Ok(metadata),
                Cached::Stale(metadata) => {
                    self.refresh_metadata();
                    return Ok(metadata);
                }
                Cached::Nothing => {}
            }
            match parts.metadata_flights.join(&()) {
                Part::Lead(lead) => {
                    // Another may have landed between the look and the join.
                    if let Cached::Fresh(metadata) = parts.cached_metadata() {
                        return Ok(metadata);
                    }
                    let result = self.fetch_metadata(context).await;
                    if !result.as_ref().is_err_and(OAuthError::is_of_the_request) {
                        lead.land(result.clone());
                    }
                    return result;
                }
                Part::Follow(follow) => {
                    let left = context.budget().remaining().ok_or(OAuthError::WaitedTooLong)?;
                    let answer = timeout(left, follow.answer()).await.map_err(|_| OAuthError::WaitedTooLong)?;
                    if let Some(result) = answer {
                        return result;
                    }
                }
            }
        }
    }

    fn refresh_metadata(&self) {
        let client = self.clone();
        actix_rt::spawn(async move {
            let budget = RequestBudget::new(client.shared.clock().clone(), REFRESH_TIMEOUT, REFRESH_ATTEMPTS);
            if let Err(error) = client.fetch_metadata(&RequestContext::background(budget)).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the provider's metadata is not refreshed; what is kept serves on");
            }
        });
    }

    async fn fetch_metadata(&self, context: &RequestContext) -> Result<Arc<Metadata>, OAuthError> {
        let parts = self.shared.parts();
        let [openid, oauth] = metadata::addresses(&parts.issuer);
        let ask = async |address| {
            self.downstream.call_url(context, Method::GET, self.reached_at(address)).json::<Metadata>().await
        };
        let answer = match ask(openid).await {
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => ask(oauth).await,
            answer => answer,
        };
        let metadata = answer.map_err(OAuthError::Unreachable)?.value;
        metadata.check(&parts.settings, &parts.issuer)?;
        let metadata = Arc::new(metadata);
        parts.keep_metadata(Arc::clone(&metadata));
        Ok(metadata)
    }

    /// Where to ask for what the provider names by its public address: where the downstream says that it is reached, which
    /// may be within the house. What stands at another origin than the issuer is asked there.
    fn reached_at(&self, mut named: Url) -> Url {
        let (issuer, reached) = (&self.shared.parts().issuer, self.downstream.base());
        if named.origin() != issuer.origin() || reached.origin() == issuer.origin() {
            return named;
        }
        let moved = named.set_scheme(reached.scheme()).is_ok()
            && named.set_host(reached.host_str()).is_ok()
            && named.set_port(reached.port()).is_ok();
        debug_assert!(moved, "both are http or https addresses with a host");
        named
    }

    /// A form for one of the provider's endpoints, with our credentials. It is sent once.
    pub(super) fn form_call(
        &self,
        context: &RequestContext,
        endpoint: Url,
        metadata: &Metadata,
        parameters: &[(&str, String)],
    ) -> Result<Call, OAuthError> {
        let settings = self.settings();
        let token_endpoint = metadata.token_endpoint()?;
        let now = self.shared.clock().wall();
        let auth = &settings.client_auth;
        let credentials = auth.credentials(&settings.client_id, &settings.issuer, token_endpoint.as_str(), now)?;
        let form: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(credentials.fields.iter().map(|(name, value)| (*name, value.as_str())))
            .collect();
        let call = self.downstream.call_url(context, Method::POST, self.reached_at(endpoint)).body_form(&form);
        Ok(match &credentials.header {
            Some(value) => call.header(AUTHORIZATION, value),
            None => call,
        })
    }

    pub(super) fn settings(&self) -> &ProviderSettings {
        self.shared.settings()
    }
}

impl JwksSource for ProviderClient {
    fn fetch<'a>(&'a self, context: &'a RequestContext) -> LocalBoxFuture<'a, Result<Jwks, JwksError>> {
        async move {
            let metadata = self.metadata(context).await.map_err(JwksError::new)?;
            let address =
                metadata.jwks_uri.clone().ok_or_else(|| JwksError::new(MetadataError::Missing("jwks_uri")))?;
            fetch_jwks(&self.downstream, context, self.reached_at(address)).await.map_err(JwksError::new)
        }
        .boxed_local()
    }
}
