//! Access tokens that serve more than one request: kept until shortly before they end, fetched by one caller at a time.

use std::{
    hash::Hash,
    time::{Duration, Instant},
};

use moka::sync::Cache;
use tokio::time::timeout;

use super::{
    OAuthError, TokenResponse,
    single_flight::{Flights, Part},
};
use crate::{clock::Clock, context::RequestContext, settings::Secret};

/// How long before its end a token is no longer given out, so that it does not end on its way; a fifth of its life
/// for tokens that live less than five times that.
const MARGIN: Duration = Duration::from_secs(30);

/// How long a token is kept whose lifetime the provider does not tell.
const UNTOLD_LIFETIME: Duration = Duration::from_secs(60);

/// How long anything stays in memory, also when nobody asks for it any more.
const LONGEST_KEPT: Duration = Duration::from_secs(3600);

/// Tokens by what they are for, bounded in number.
pub(super) struct TokenCache<K: Eq + Hash> {
    kept: Cache<K, Kept>,
    flights: Flights<K, Result<Secret, OAuthError>>,
    clock: Clock,
}

/// Says how many, and of no token anything.
impl<K: Eq + Hash + Send + Sync + 'static> std::fmt::Debug for TokenCache<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache").field("kept", &self.kept.entry_count()).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
struct Kept {
    token: Secret,
    good_until: Instant,
}

impl<K: Eq + Hash + Clone + Send + Sync + 'static> TokenCache<K> {
    /// At most `capacity` tokens.
    pub(super) fn new(capacity: u64, clock: Clock) -> Self {
        Self {
            kept: Cache::builder()
                .max_capacity(capacity)
                .time_to_live(LONGEST_KEPT)
                .support_invalidation_closures()
                .build(),
            flights: Flights::default(),
            clock,
        }
    }

    /// The token for `key`: a kept one, or the one that `fetch` gets, or the one that another caller is getting.
    /// Whatever the provider says, it is kept no longer than `longest`.
    pub(super) async fn get(
        &self,
        context: &RequestContext,
        key: &K,
        longest: Duration,
        fetch: impl AsyncFn() -> Result<TokenResponse, OAuthError>,
    ) -> Result<Secret, OAuthError> {
        loop {
            if let Some(token) = self.kept(key) {
                return Ok(token);
            }
            match self.flights.join(key) {
                Part::Lead(lead) => {
                    // Another may have landed between the look and the join.
                    if let Some(token) = self.kept(key) {
                        return Ok(token);
                    }
                    // Its life is counted from here, because it began no earlier.
                    let asked_at = self.clock.now();
                    let result = fetch().await.map(|answer| self.keep(key, &answer, asked_at, longest));
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

    /// Forgets the token for `key`.
    pub(super) fn forget(&self, key: &K) {
        self.kept.invalidate(key);
    }

    /// Forgets every token that this is true of.
    pub(super) fn forget_all(&self, which: impl Fn(&K) -> bool + Send + Sync + 'static) {
        // Fails only for a cache that was built without this ability.
        let _ = self.kept.invalidate_entries_if(move |key, _| which(key));
    }

    /// How many tokens are kept.
    pub(super) fn count(&self) -> u64 {
        self.kept.run_pending_tasks();
        self.kept.entry_count()
    }

    fn kept(&self, key: &K) -> Option<Secret> {
        let kept = self.kept.get(key)?;
        if self.clock.now() < kept.good_until {
            return Some(kept.token);
        }
        self.kept.invalidate(key);
        None
    }

    fn keep(&self, key: &K, answer: &TokenResponse, asked_at: Instant, longest: Duration) -> Secret {
        let token = answer.access_token.clone();
        let lifetime = answer.expires_in.unwrap_or(UNTOLD_LIFETIME).min(longest);
        let usable = lifetime.saturating_sub(MARGIN.min(lifetime / 5));
        if let Some(good_until) = asked_at.checked_add(usable).filter(|until| *until > asked_at) {
            self.kept.insert(key.clone(), Kept { token: token.clone(), good_until });
        }
        token
    }
}
