//! The tokens of a session, and how the access token stays fresh.
//!
//! A provider with strict rotation takes each refresh token once and, when it sees one again, revokes all that came of the
//! sign-in. So of all requests of a session in this process one refreshes; it looks again once it has the lock; it goes on
//! when the request that began it is cancelled; and when it cannot know whether the provider got the token, the token is
//! never sent again: the access token serves to its end, and then the session ends.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared_lib::{
    oauth::{Delivery, OAuthError, TokenResponse},
    problem::{Problem, kinds},
    settings::Secret,
};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::{
    WorkerAuth,
    session_store::{CurrentSession, SessionId},
};

/// How long an access token is taken to live when the provider does not say (RFC 6749 section 5.1 recommends that it does).
const UNSAID_LIFETIME: Duration = Duration::from_secs(60);

/// The tokens of a session. They are written into the session store and nowhere else.
#[derive(Clone, Serialize, Deserialize)]
pub struct Tokens {
    access: String,
    refresh: Option<String>,
    scope: String,
    expires_at: Timestamp,
    refresh_at: Timestamp,
}

/// Shows no token, because debug output ends in logs.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expires_at, refresh_at, .. } = self;
        f.debug_struct("Tokens").field("expires_at", expires_at).field("refresh_at", refresh_at).finish_non_exhaustive()
    }
}

impl Tokens {
    /// From an answer of the token endpoint. `before` are the tokens that it replaces: what the answer does not say goes on
    /// as it was (RFC 6749 section 6). `lead` is how long before its expiry the access token is renewed; at most half of
    /// its life.
    #[must_use]
    pub fn from_answer(answer: &TokenResponse, before: Option<&Self>, now: Timestamp, lead: Duration) -> Self {
        let lifetime = answer.expires_in.unwrap_or(UNSAID_LIFETIME);
        let after = |duration: Duration| now.checked_add(duration).unwrap_or(Timestamp::MAX);
        let refresh = answer.refresh_token.as_ref().map(|token| token.expose().to_owned());
        Self {
            access: answer.access_token.expose().to_owned(),
            refresh: refresh.or_else(|| before.and_then(|before| before.refresh.clone())),
            scope: answer.scope.clone().or_else(|| before.map(|before| before.scope.clone())).unwrap_or_default(),
            expires_at: after(lifetime),
            refresh_at: after(lifetime - lead.min(lifetime / 2)),
        }
    }

    /// The granted scopes.
    pub fn scopes(&self) -> impl Iterator<Item = String> {
        self.scope.split_ascii_whitespace().map(str::to_owned)
    }

    /// Whether this scope was granted.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope.split_ascii_whitespace().any(|granted| granted == scope)
    }

    /// The refresh token.
    pub(super) fn refresh_token(&self) -> Option<Secret> {
        self.refresh.as_deref().map(Secret::from)
    }

    fn access_token(&self) -> Secret {
        Secret::from(self.access.as_str())
    }

    fn is_due(&self, now: Timestamp) -> bool {
        now >= self.refresh_at
    }

    fn is_usable(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

/// One lock for each session that is being refreshed.
#[derive(Default)]
pub(super) struct Refreshes(Mutex<HashMap<SessionId, Arc<AsyncMutex<()>>>>);

impl Refreshes {
    fn lock_of(&self, id: SessionId) -> Arc<AsyncMutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody holds or waits for; there are only as many as refreshes under way.
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(id).or_default())
    }
}

impl WorkerAuth {
    /// An access token that is good for the calls of this request.
    ///
    /// # Errors
    /// `unauthenticated` when the session has ended; the provider's failure when it is needed and away.
    pub(super) async fn access_token(&self, session: &CurrentSession) -> Result<Secret, Problem> {
        let now = self.clock.wall();
        if !session.tokens.is_due(now) {
            return Ok(session.tokens.access_token());
        }
        let lock = self.refreshes.lock_of(session.id);
        let held = match Arc::clone(&lock).try_lock_owned() {
            Ok(held) => Some(held),
            // Somebody refreshes already, and what is at hand still serves.
            Err(_) if session.tokens.is_usable(now) => return Ok(session.tokens.access_token()),
            Err(_) => None,
        };
        // A task of its own: a client that goes away must not leave a refresh token sent and its successor unread.
        let (auth, id) = (self.clone(), session.id);
        let refresh = actix_web::rt::spawn(async move {
            let _held: OwnedMutexGuard<()> = match held {
                Some(held) => held,
                None => lock.lock_owned().await,
            };
            auth.refresh(id).await
        });
        refresh.await.unwrap_or_else(|error| Err(Problem::new(&kinds::INTERNAL_ERROR).caused_by(error)))
    }

    /// Refreshes under the session's lock, if that is still needed.
    async fn refresh(&self, id: SessionId) -> Result<Secret, Problem> {
        let Some(tokens) = self.sessions.tokens(&id).await? else { return Err(session_ended()) };
        let now = self.clock.wall();
        if !tokens.is_due(now) {
            return Ok(tokens.access_token());
        }
        let Some(refresh_token) = tokens.refresh_token() else {
            return self.serve_to_the_end(id, &tokens).await;
        };
        let context = self.background(None);
        let error = match self.provider.refresh(&context, &refresh_token).await {
            Ok(answer) => return self.keep(id, &tokens, &answer).await,
            Err(error) => error,
        };
        tracing::warn!(error = %error, "an access token could not be refreshed");
        if error.is_invalid_grant() {
            self.sessions.end(&id).await?;
            return Err(session_ended());
        }
        if error.delivery() == Delivery::Unknown {
            let spent = Tokens { refresh: None, refresh_at: tokens.expires_at, ..tokens };
            self.sessions.keep_tokens(&id, &spent).await?;
            return self.serve_to_the_end(id, &spent).await;
        }
        if tokens.is_usable(now) { Ok(tokens.access_token()) } else { Err(provider_problem(error)) }
    }

    async fn keep(&self, id: SessionId, before: &Tokens, answer: &TokenResponse) -> Result<Secret, Problem> {
        let lead = self.settings.oidc.refresh_lead();
        let fresh = Tokens::from_answer(answer, Some(before), self.clock.wall(), lead);
        if self.sessions.keep_tokens(&id, &fresh).await? {
            return Ok(fresh.access_token());
        }
        // The user signed out meanwhile, and the token that was revoked then is not this one.
        self.revoke_later(None, &fresh);
        Err(session_ended())
    }

    /// Without a refresh token: the access token as long as it lasts, and then nothing.
    async fn serve_to_the_end(&self, id: SessionId, tokens: &Tokens) -> Result<Secret, Problem> {
        if tokens.is_usable(self.clock.wall()) {
            return Ok(tokens.access_token());
        }
        self.sessions.end(&id).await?;
        Err(session_ended())
    }
}

/// What a request of a session gets that ends with it.
fn session_ended() -> Problem {
    Problem::new(&kinds::UNAUTHENTICATED).detail("The session has ended.").extension("reason", "session-ended")
}

fn provider_problem(error: OAuthError) -> Problem {
    error.into_problem(crate::settings::PROVIDER)
}
