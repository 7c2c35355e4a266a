//! A key set as one worker uses it: the keys of the process, and this worker's way to fetch them.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix_web::http::Method;
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::timeout;
use url::Url;

use super::{
    Algorithm, Compact, Header, KeySet, PublicKey, TokenError,
    key_set::{FetchTicket, Grant, Wanted},
};
use crate::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, budget::RequestBudget},
};

/// A JSON Web Key Set as it was sent (RFC 7517 section 5). The keys are read one by one later, so that one that is
/// broken does not take the others with it.
#[derive(Debug, Clone, Deserialize)]
pub struct Jwks {
    /// The keys, unread.
    pub keys: Vec<Value>,
}

/// The keys could not be fetched.
#[derive(Debug, thiserror::Error)]
#[error("the signing keys could not be fetched")]
pub struct JwksError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl JwksError {
    /// For this reason.
    #[must_use]
    pub fn new(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(source))
    }
}

/// Knows where the keys of an issuer are: at a configured address ([`JwksUrl`]), or where the provider's metadata says
/// ([`ProviderClient`](crate::oauth::ProviderClient)).
pub trait JwksSource {
    /// Fetches the keys.
    fn fetch<'a>(&'a self, context: &'a RequestContext) -> LocalBoxFuture<'a, Result<Jwks, JwksError>>;
}

/// Keys at a configured address.
#[derive(Clone)]
pub struct JwksUrl {
    downstream: Downstream,
    url: Url,
}

impl JwksUrl {
    /// The keys at `url`, fetched through `downstream`.
    #[must_use]
    pub fn new(downstream: Downstream, url: Url) -> Self {
        Self { downstream, url }
    }
}

impl JwksSource for JwksUrl {
    fn fetch<'a>(&'a self, context: &'a RequestContext) -> LocalBoxFuture<'a, Result<Jwks, JwksError>> {
        async move { fetch_jwks(&self.downstream, context, self.url.clone()).await.map_err(JwksError::new) }
            .boxed_local()
    }
}

/// Fetches a JSON Web Key Set. A `GET`, so the downstream's retry policy holds for it.
pub(crate) async fn fetch_jwks(
    downstream: &Downstream,
    context: &RequestContext,
    url: Url,
) -> Result<Jwks, DownstreamError> {
    Ok(downstream.call_url(context, Method::GET, url).json::<Jwks>().await?.value)
}

/// A token whose signature holds and of which nothing else has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The header.
    pub header: Header,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// How long a fetch may take in all, its retries included.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts on the wire a fetch may spend: metadata and keys, each with retries.
const FETCH_ATTEMPTS: u32 = 6;

/// The keys of an issuer, on one worker. Cheap to clone; stays on its thread.
#[derive(Clone)]
pub struct Keys {
    set: KeySet,
    source: Rc<dyn JwksSource>,
}

impl Keys {
    /// The keys of `set`, fetched from `source` when it is this worker's turn.
    #[must_use]
    pub fn new(set: KeySet, source: Rc<dyn JwksSource>) -> Self {
        Self { set, source }
    }

    /// What they are kept in.
    #[must_use]
    pub fn set(&self) -> &KeySet {
        &self.set
    }

    /// Keeps the keys fresh for as long as this worker lives, beginning at once. Every worker may call it: the set
    /// grants one fetch at a time.
    pub fn keep_fresh(&self) {
        let keys = self.clone();
        actix_rt::spawn(async move {
            loop {
                if let Some(ticket) = keys.set.grant_for_schedule() {
                    keys.fetch(ticket).await;
                }
                tokio::time::sleep(keys.set.settings().cool_down.max(Duration::from_millis(100))).await;
            }
        });
    }

    /// Checks a token's signature against the issuer's keys.
    ///
    /// # Errors
    /// [`TokenError`] for everything up to the signature, and for claims that are no object.
    pub async fn verify(
        &self,
        context: &RequestContext,
        token: &str,
        allowed: &[Algorithm],
    ) -> Result<VerifiedToken, TokenError> {
        self.verify_as(context, token, allowed, |_| Ok(())).await
    }

    /// As [`verify`](Self::verify); `accepts` can refuse a header before a key is looked for.
    pub(super) async fn verify_as(
        &self,
        context: &RequestContext,
        token: &str,
        allowed: &[Algorithm],
        accepts: impl Fn(&Header) -> Result<(), TokenError>,
    ) -> Result<VerifiedToken, TokenError> {
        let token = Compact::parse(token)?;
        let header = token.header()?;
        accepts(&header)?;
        if !allowed.contains(&header.algorithm) {
            return Err(TokenError::Algorithm);
        }
        let key = self.find(context, header.key_id.clone(), header.algorithm).await?;
        let claims = token.verified_claims(&key, header.algorithm)?;
        Ok(VerifiedToken { header, claims })
    }

    async fn find(
        &self,
        context: &RequestContext,
        key_id: Option<String>,
        algorithm: Algorithm,
    ) -> Result<Arc<PublicKey>, TokenError> {
        let wanted = Wanted { key_id, algorithm };
        // A fetch that is under way may have begun before the rotation, so its end can be followed by one of our own.
        for _ in 0..3 {
            let mut ended = self.set.fetches_ended();
            if let Some(key) = self.set.find(&wanted) {
                self.refresh_if_due();
                return Ok(key);
            }
            match self.set.grant_for_unknown(&wanted) {
                // In a task of its own: a client that hangs up must not take the fetch with it, or a crowd of such
                // clients could use up every cool-down.
                Grant::Fetch(ticket) => self.fetch_in_background(ticket),
                Grant::UnderWay => {}
                Grant::CoolingDown => return self.set.find(&wanted).ok_or_else(|| self.set.absence()),
            }
            let left = context.budget().remaining().ok_or(TokenError::KeysUnavailable)?;
            // The sender lives in the set that we hold, so only time can end this without a change.
            let Ok(_) = timeout(left, ended.changed()).await else { return Err(TokenError::KeysUnavailable) };
        }
        self.set.find(&wanted).ok_or_else(|| self.set.absence())
    }

    fn refresh_if_due(&self) {
        if let Some(ticket) = self.set.grant_for_schedule() {
            self.fetch_in_background(ticket);
        }
    }

    fn fetch_in_background(&self, ticket: FetchTicket) {
        let keys = self.clone();
        actix_rt::spawn(async move { keys.fetch(ticket).await });
    }

    async fn fetch(&self, ticket: FetchTicket) {
        let budget = RequestBudget::new(self.set.clock().clone(), FETCH_TIMEOUT, FETCH_ATTEMPTS);
        let context = RequestContext::background(budget);
        match timeout(FETCH_TIMEOUT, self.source.fetch(&context)).await {
            Ok(Ok(document)) => ticket.fulfil(&document.keys),
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "signing keys are not refreshed; those that are kept serve on"
                );
            }
            Err(_) => tracing::warn!("signing keys did not come in time; those that are kept serve on"),
        }
    }
}
