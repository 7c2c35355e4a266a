//! Where the answer of a safe call comes from: the cache, a call that is under way, or a call of its own.

use std::{
    any::{Any, type_name},
    sync::Arc,
};

use actix_web::http::{
    StatusCode,
    header::{AUTHORIZATION, ETAG},
};
use sha2::{Digest, Sha256};

use super::{
    budget::RequestBudget,
    cache::{Entry, Kept, Look, SharedTier},
    call::{Answer, Call, Readable},
    coalesce::{CallKey, Joined},
    error::Failure,
    fetched::{Fetched, Freshness},
    wire::parse,
};
use crate::{context::RequestContext, telemetry::request_id::RequestId};

impl Call {
    /// From the cache, from a call that is under way, or from a call of its own.
    pub(super) async fn shared_answer<T: Readable>(self) -> Result<Fetched<Arc<T>>, Failure> {
        let key = self.key::<T>();
        let look = if self.cached { self.downstream.shared.cache.look(&key) } else { Look::Nothing };
        match look {
            Look::Fresh(entry) => given(&entry, Freshness::Cached),
            Look::Revalidate(entry) => {
                let answer = given(&entry, Freshness::Stale("revalidating"));
                self.revalidate::<T>(key, entry);
                answer
            }
            Look::IfError(entry) => match self.joined(key, Some(Arc::clone(&entry))).await {
                Err(failure) if failure.is_outage() => given(&entry, Freshness::Stale(failure.reason())),
                outcome => outcome,
            },
            Look::Nothing => self.joined(key, None).await,
        }
    }

    /// Asks for an entry anew without anybody waiting.
    fn revalidate<T: Readable>(mut self, key: CallKey, entry: Arc<Entry>) {
        // Its time is its own: the request that noticed will have been answered.
        let budget = RequestBudget::starting_now(self.downstream.shared.settings.timeout());
        // The caller stays, so that the answer can be forgotten with everything else of theirs.
        let caller = self.context.caller().cloned();
        self.context = RequestContext::new(budget, RequestId::fresh(), caller, None, opentelemetry::Context::new());
        actix_web::rt::spawn(async move {
            let shared = Arc::clone(&self.downstream.shared);
            // One call renews it, also where calls are not shared otherwise.
            let renewal = shared.flights.join::<T, _>(key, move || self.fetch(Some((key, Some(entry)))));
            if let Joined::Landed(Err(failure)) = renewal.await {
                let (service, reason) = (&*shared.name, failure.reason());
                tracing::debug!(service, reason, "a cached answer could not be renewed");
            }
        });
    }

    async fn joined<T: Readable>(self, key: CallKey, known: Option<Arc<Entry>>) -> Result<Fetched<Arc<T>>, Failure> {
        let shared = Arc::clone(&self.downstream.shared);
        if !shared.settings.coalesce {
            return self.fetch(Some((key, known))).await;
        }
        // Each waits within its own budget, whoever's budget the call is made on.
        let patience = self.context.budget().remaining().ok_or(Failure::BudgetExhausted)?;
        let leader = self.clone();
        let leaders_entry = known.clone();
        let joined = shared.flights.join(key, move || leader.fetch(Some((key, leaders_entry))));
        match tokio::time::timeout(patience, joined).await {
            Err(_) => Err(Failure::BudgetExhausted),
            // The budget that was used up is that of whoever began; this caller may have more.
            Ok(Joined::Landed(Err(Failure::BudgetExhausted)) | Joined::Lost)
                if self.context.budget().remaining().is_some() =>
            {
                self.fetch(Some((key, known))).await
            }
            Ok(Joined::Lost) => Err(Failure::BudgetExhausted),
            Ok(Joined::Landed(outcome)) => outcome,
        }
    }

    /// Makes the call. With a key, the answer goes to the cache where the call asked for that; with an entry too, a
    /// `304 Not Modified` renews it.
    pub(super) async fn fetch<T: Readable>(
        self,
        slot: Option<(CallKey, Option<Arc<Entry>>)>,
    ) -> Result<Fetched<Arc<T>>, Failure> {
        let shared = Arc::clone(&self.downstream.shared);
        if let Some((key, None)) = &slot
            && let Some(answer) = self.left_by_others(key).await
        {
            return Ok(answer);
        }
        let known = slot.as_ref().and_then(|(_, entry)| entry.clone());
        let etag = known.as_ref().and_then(|entry| entry.etag.clone());
        let read = |answer: Answer| {
            if let (StatusCode::NOT_MODIFIED, Some(entry)) = (answer.status, &known) {
                let unchanged = given::<T>(entry, Freshness::Live)?.value;
                return Ok((unchanged, answer));
            }
            parse::<T>(&answer).map(|value| (Arc::new(value), answer))
        };
        let (value, answer) = self.exchange(etag.as_deref(), read).await?;
        let now = shared.clock.wall();
        if let Some((key, _)) = slot.filter(|_| self.cached) {
            match known.filter(|_| answer.status == StatusCode::NOT_MODIFIED) {
                Some(entry) => shared.cache.renew(key, &entry),
                None => {
                    let etag = answer.headers.get(ETAG).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
                    let subject = self.context.caller().map(|caller| caller.subject.as_str());
                    shared.cache.store(key, Arc::<T>::clone(&value), etag.clone(), subject, answer.body.len(), now);
                    if let Some(tier) = self.shared_tier().cloned() {
                        let kept = Kept { stored_at: now, etag, body: answer.body };
                        // Nobody waits for it.
                        actix_web::rt::spawn(async move { tier.put(&key, kept).await });
                    }
                }
            }
        }
        Ok(Fetched { value, freshness: Freshness::Live, as_of: now })
    }

    /// The tier that all replicas share, for calls that ask for the cache and carry no credentials.
    fn shared_tier(&self) -> Option<&SharedTier> {
        let is_public = self.context.caller().is_none() && !self.headers.contains_key(AUTHORIZATION);
        self.downstream.shared.cache.shared.as_ref().filter(|_| self.cached && is_public)
    }

    /// A fresh answer that another replica has left. One that does not read as a `T` counts as none.
    async fn left_by_others<T: Readable>(&self, key: &CallKey) -> Option<Fetched<Arc<T>>> {
        let kept = self.shared_tier()?.get(key).await?;
        let value = Arc::new(serde_json::from_slice::<T>(&kept.body).ok()?);
        let (cache, stored_at) = (&self.downstream.shared.cache, kept.stored_at);
        cache.store(*key, Arc::<T>::clone(&value), kept.etag, None, kept.body.len(), stored_at);
        Some(Fetched { value, freshness: Freshness::Cached, as_of: stored_at })
    }

    /// Everything that is sent, and the type that is read.
    fn key<T: Any>(&self) -> CallKey {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            // Lengths first, so that no two lists of parts read the same.
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        if let Some(caller) = self.context.caller() {
            add(&self.downstream.shared.cache.epoch(&caller.subject).to_le_bytes());
        }
        add(type_name::<T>().as_bytes());
        add(self.method.as_str().as_bytes());
        add(self.url.as_str().as_bytes());
        let mut headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        headers.sort_unstable();
        for (name, value) in headers {
            add(name.as_bytes());
            add(value);
        }
        add(&self.body);
        CallKey(digest.finalize().into())
    }
}

/// An entry's value. The key names the type, so another type is a fault of the cache and counts as no answer.
fn given<T: Readable>(entry: &Entry, freshness: Freshness) -> Result<Fetched<Arc<T>>, Failure> {
    match Arc::clone(&entry.value).downcast::<T>() {
        Ok(value) => Ok(Fetched { value, freshness, as_of: entry.as_of }),
        Err(_) => Err(Failure::ContentType),
    }
}
