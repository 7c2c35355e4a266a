//! How the access token of a session stays fresh, with any number of replicas and requests at once.
//!
//! A provider with strict rotation takes each refresh token once and, when it sees one again, revokes all that came of the
//! sign-in. So of all requests of a session one refreshes:
//!
//! 1. In a process the first one takes a lock. It goes on when its request is cancelled.
//! 2. Among replicas the store gives a lease, which is renewed while the provider is asked and ends by itself when its holder
//!    dies. Whoever gets it sees the tokens as they are then, for another may have refreshed meanwhile.
//! 3. Before the refresh token is sent, that intention is recorded. Whoever gets a lease and finds one that was never
//!    settled knows that the token may have been sent, and does not send it again: the access token serves to its end, and
//!    then the session ends.
//! 4. What came of it is written only if no other lease was given since (fencing), and only to a session that lives.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use shared_lib::{
    context::UserToken,
    oauth::{Delivery, OAuthError, TokenResponse},
    problem::{Problem, kinds},
};
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::sleep,
};

use super::{
    WorkerAuth,
    session_ends::EndReason,
    session_store::{CurrentSession, SESSIONS_UNAVAILABLE, SessionId, SessionSecret, Settled, StoreError, TokenLease},
    tokens::Tokens,
};

/// How often to look whether the holder of a lease has finished.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How often to try to write what the provider gave, and the pause in between. It is there only once.
const WRITES: u32 = 5;
const WRITE_PAUSE: Duration = Duration::from_millis(300);

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

/// What a refresh is about.
struct Wanted {
    secret: SessionSecret,
    /// The tokens that are to be replaced, even if they are not due; otherwise those that are due.
    instead_of: Option<Tokens>,
}

impl WorkerAuth {
    /// An access token that is good for the calls of this request.
    ///
    /// # Errors
    /// `unauthenticated` when the session has ended; the provider's failure when it is needed and away.
    pub(super) async fn user_token(&self, session: &CurrentSession) -> Result<UserToken, Problem> {
        Ok(self.good_tokens(&session.secret, &session.tokens).await?.user_token(&session.secret))
    }

    /// These tokens of a session, or fresh ones where they are due.
    ///
    /// # Errors
    /// As [`user_token`](Self::user_token).
    pub(super) async fn good_tokens(&self, secret: &SessionSecret, tokens: &Tokens) -> Result<Tokens, Problem> {
        let now = self.clock.wall();
        if !tokens.is_due(now) {
            return Ok(tokens.clone());
        }
        let lock = self.refreshes.lock_of(secret.id());
        let held = match Arc::clone(&lock).try_lock_owned() {
            Ok(held) => Some(held),
            // Somebody refreshes already, and what is at hand still serves.
            Err(_) if tokens.is_usable(now) => return Ok(tokens.clone()),
            Err(_) => None,
        };
        let wanted = Wanted { secret: secret.clone(), instead_of: None };
        self.refresh_apart(lock, held, wanted).await
    }

    /// Fresh tokens now, though those at hand are not due.
    ///
    /// # Errors
    /// As [`user_token`](Self::user_token).
    pub(super) async fn renew_tokens(&self, session: &CurrentSession) -> Result<(), Problem> {
        let lock = self.refreshes.lock_of(session.id);
        let wanted = Wanted { secret: session.secret.clone(), instead_of: Some(session.tokens.clone()) };
        self.refresh_apart(lock, None, wanted).await.map(drop)
    }

    /// In a task of its own: a client that goes away must not leave a refresh token sent and its successor unread.
    async fn refresh_apart(
        &self,
        lock: Arc<AsyncMutex<()>>,
        held: Option<OwnedMutexGuard<()>>,
        wanted: Wanted,
    ) -> Result<Tokens, Problem> {
        let auth = self.clone();
        let refresh = actix_web::rt::spawn(async move {
            let _held = match held {
                Some(held) => held,
                None => lock.lock_owned().await,
            };
            auth.refresh(&wanted).await
        });
        refresh.await.unwrap_or_else(|error| Err(Problem::new(&kinds::INTERNAL_ERROR).caused_by(error)))
    }

    /// Refreshes under the lock of this process, if that is still needed.
    async fn refresh(&self, wanted: &Wanted) -> Result<Tokens, Problem> {
        let lifetime = self.settings.session.refresh_lease();
        // A holder that lives renews its lease, and asks the provider for no longer than this.
        let patience = super::provider::BACKGROUND_TIMEOUT + lifetime;
        let looks = patience.as_millis() / LOOK_AGAIN.as_millis();
        for _ in 0..looks {
            match self.sessions.lease(&wanted.secret, lifetime).await? {
                TokenLease::Ended => return Err(session_ended(None)),
                TokenLease::Granted { fence, tokens, unsettled } => {
                    return self.refresh_leased(wanted, fence, tokens, unsettled).await;
                }
                TokenLease::Held => {}
            }
            // Another replica refreshes. What is at hand serves as long as it lasts.
            let Some(tokens) = self.sessions.tokens(&wanted.secret).await? else { return Err(session_ended(None)) };
            let is_enough = wanted.instead_of.is_none() && tokens.is_usable(self.clock.wall());
            if is_enough || !self.is_wanted(wanted, &tokens) {
                return Ok(tokens);
            }
            sleep(LOOK_AGAIN).await;
        }
        Err(Problem::new(&SESSIONS_UNAVAILABLE).retry_after(Duration::from_secs(1)))
    }

    fn is_wanted(&self, wanted: &Wanted, tokens: &Tokens) -> bool {
        match &wanted.instead_of {
            None => tokens.is_due(self.clock.wall()),
            Some(old) => tokens.same_as(old),
        }
    }

    async fn refresh_leased(
        &self,
        wanted: &Wanted,
        fence: u64,
        tokens: Tokens,
        unsettled: bool,
    ) -> Result<Tokens, Problem> {
        let secret = &wanted.secret;
        if unsettled {
            tracing::warn!("a refresh token may have been sent by a replica that is gone; it is not sent again");
            let spent = tokens.without_refresh();
            self.sessions.settle(secret, fence, Some(&spent)).await?;
            return self.serve_to_the_end(secret, spent).await;
        }
        let refresh_token = tokens.refresh_token().filter(|_| self.is_wanted(wanted, &tokens));
        let Some(refresh_token) = refresh_token else {
            self.sessions.settle(secret, fence, None).await?;
            return self.serve_to_the_end(secret, tokens).await;
        };
        if !self.sessions.records().intend(&secret.id(), fence).await? {
            return Err(lost_lease());
        }
        let context = self.background(None);
        let answer = tokio::select! {
            answer = self.provider.refresh(&context, &refresh_token) => answer,
            never = self.keep_lease(secret, fence) => match never {},
        };
        match answer {
            Ok(answer) => self.keep(secret, fence, &tokens, &answer).await,
            Err(error) => self.bear(secret, fence, tokens, error).await,
        }
    }

    /// Renews the lease for as long as it is polled.
    async fn keep_lease(&self, secret: &SessionSecret, fence: u64) -> Infallible {
        let lifetime = self.settings.session.refresh_lease();
        loop {
            sleep(lifetime / 3).await;
            // One that cannot be renewed ends; what is written then is fenced off if another lease was given.
            let _ = self.sessions.records().renew_lease(&secret.id(), fence, lifetime).await;
        }
    }

    /// Writes what the provider gave.
    async fn keep(
        &self,
        secret: &SessionSecret,
        fence: u64,
        before: &Tokens,
        answer: &TokenResponse,
    ) -> Result<Tokens, Problem> {
        let lead = self.settings.oidc.refresh_lead();
        let fresh = Tokens::from_answer(answer, Some(before), self.clock.wall(), lead);
        match self.write_stubbornly(secret, fence, &fresh).await {
            Ok(Settled::Kept) => Ok(fresh),
            Ok(outcome) => {
                // The user signed out meanwhile, and the token that was revoked then is not this one; or another replica
                // has taken the session for lost.
                tracing::warn!(?outcome, "what a refresh brought is of no use any more");
                self.revoke_later(None, &fresh);
                Err(session_ended(None))
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "fresh tokens could not be written");
                // The intention stays recorded, so nobody sends the old token. These requests are served all the same.
                Ok(fresh)
            }
        }
    }

    async fn write_stubbornly(
        &self,
        secret: &SessionSecret,
        fence: u64,
        fresh: &Tokens,
    ) -> Result<Settled, StoreError> {
        let mut outcome = self.sessions.settle(secret, fence, Some(fresh)).await;
        for _ in 1..WRITES {
            if outcome.is_ok() {
                break;
            }
            sleep(WRITE_PAUSE).await;
            outcome = self.sessions.settle(secret, fence, Some(fresh)).await;
        }
        outcome
    }

    /// What to do without an answer that can be used.
    async fn bear(
        &self,
        secret: &SessionSecret,
        fence: u64,
        tokens: Tokens,
        error: OAuthError,
    ) -> Result<Tokens, Problem> {
        tracing::warn!(error = &error as &dyn std::error::Error, "an access token could not be refreshed");
        if error.is_invalid_grant() {
            self.sessions.end(&secret.id(), EndReason::RefreshRefused).await?;
            return Err(session_ended(Some(EndReason::RefreshRefused)));
        }
        if error.delivery() == Delivery::Unknown {
            let spent = tokens.without_refresh();
            self.sessions.settle(secret, fence, Some(&spent)).await?;
            return self.serve_to_the_end(secret, spent).await;
        }
        self.sessions.settle(secret, fence, None).await?;
        if tokens.is_usable(self.clock.wall()) { Ok(tokens) } else { Err(provider_problem(error)) }
    }

    /// The access token as long as it lasts, and then, without one, nothing.
    async fn serve_to_the_end(&self, secret: &SessionSecret, tokens: Tokens) -> Result<Tokens, Problem> {
        if tokens.is_usable(self.clock.wall()) {
            return Ok(tokens);
        }
        self.sessions.end(&secret.id(), EndReason::TokensEnded).await?;
        Err(session_ended(Some(EndReason::TokensEnded)))
    }
}

/// What a request of a session gets that ends with it.
pub(super) fn session_ended(why: Option<EndReason>) -> Problem {
    let problem = Problem::new(&kinds::UNAUTHENTICATED).detail("The session has ended.");
    let problem = problem.extension("reason", "session-ended");
    match why {
        Some(why) => problem.extension("endReason", why),
        None => problem,
    }
}

fn lost_lease() -> Problem {
    Problem::new(&SESSIONS_UNAVAILABLE).retry_after(Duration::from_secs(1)).detail("Another replica has taken over.")
}

fn provider_problem(error: OAuthError) -> Problem {
    error.into_problem(crate::settings::PROVIDER)
}
