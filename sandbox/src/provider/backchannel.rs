//! Back-channel logout: telling a session's clients that it is over (OpenID Connect Back-Channel Logout 1.0).
//!
//! The calls are made by a thread of their own, because the HTTP client stays on one thread while sessions end on
//! any. Each call has a limit in time, redirects are not followed, and nothing is tried twice: a client that was
//! away learns of the end when it refreshes.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::http::header;
use awc::Client as HttpClient;
use awc::error::SendRequestError;
use futures_util::future::join_all;
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::state::Session;
use super::{Provider, ProviderError};

/// How many logout tokens may wait; more are dropped and logged.
const QUEUE: usize = 10_000;

/// How many are on their way at once.
const IN_FLIGHT: usize = 64;

/// What came of one logout token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogoutDelivery {
    /// The client that it was for.
    pub client_id: String,
    /// How the client took it.
    pub outcome: DeliveryOutcome,
}

/// How a client took a logout token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// With a status of 200 or 204.
    Accepted,
    /// With this other status.
    Refused(u16),
    /// Not within the time limit.
    TimedOut,
    /// It could not be reached, or too many tokens were waiting.
    Unreachable,
}

struct Job {
    uri: String,
    token: String,
    time_limit: Duration,
    done: oneshot::Sender<DeliveryOutcome>,
}

/// The way to the delivering thread, which ends when the last handle on it is dropped.
pub(crate) struct Courier(mpsc::Sender<Job>);

impl Courier {
    /// Starts the thread.
    pub(crate) fn start() -> Result<Self, ProviderError> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("sandbox-logout".to_owned())
            .spawn(move || actix_web::rt::System::new().block_on(deliver_all(receiver)))
            .map_err(ProviderError::Courier)?;
        Ok(Self(sender))
    }
}

async fn deliver_all(mut jobs: mpsc::Receiver<Job>) {
    let client = HttpClient::builder().disable_redirects().finish();
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    while let Some(job) = jobs.recv().await {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let client = client.clone();
        actix_web::rt::spawn(async move {
            let outcome = tokio::time::timeout(job.time_limit, deliver(&client, &job.uri, &job.token))
                .await
                .unwrap_or(DeliveryOutcome::TimedOut);
            // Whoever asked may have stopped waiting.
            let _ = job.done.send(outcome);
            drop(permit);
        });
    }
}

async fn deliver(client: &HttpClient, uri: &str, token: &str) -> DeliveryOutcome {
    let answer = client
        .post(uri)
        .insert_header((header::ACCEPT, "application/json"))
        .send_form(&[("logout_token", token)])
        .await;
    match answer {
        Ok(answer) if matches!(answer.status().as_u16(), 200 | 204) => DeliveryOutcome::Accepted,
        Ok(answer) => DeliveryOutcome::Refused(answer.status().as_u16()),
        Err(SendRequestError::Timeout) => DeliveryOutcome::TimedOut,
        Err(_) => DeliveryOutcome::Unreachable,
    }
}

/// The outcomes that are still to come.
pub(crate) struct Deliveries(Vec<(String, oneshot::Receiver<DeliveryOutcome>)>);

impl Deliveries {
    /// Waits for all of them; each is bounded by the time limit.
    pub(crate) async fn outcomes(self) -> Vec<LogoutDelivery> {
        join_all(self.0.into_iter().map(|(client_id, done)| async move {
            let outcome = done.await.unwrap_or(DeliveryOutcome::Unreachable);
            LogoutDelivery { client_id, outcome }
        }))
        .await
    }
}

impl Provider {
    /// Ends all sessions that `matches` picks, tells their clients, and returns how many there were.
    pub(crate) fn end_sessions(&self, matches: impl Fn(&Session) -> bool) -> (usize, Deliveries) {
        let now = self.clock().now();
        let ended = self.state(|state| state.end_sessions(now, matches));
        let deliveries = ended.iter().flat_map(|session| self.announce_end(session).0).collect();
        (ended.len(), Deliveries(deliveries))
    }

    /// Sends a logout token to each client of a session that has an address for it.
    pub(crate) fn announce_end(&self, session: &Session) -> Deliveries {
        let time_limit = self.settings(|settings| settings.backchannel_timeout);
        let mut deliveries = Vec::new();
        for client_id in &session.clients {
            let Some(uri) = self.client(client_id).and_then(|client| client.backchannel_logout_uri) else {
                continue;
            };
            let authentication = &session.authentication;
            let token = match self.sign_logout_token(client_id, &authentication.sub, &authentication.sid) {
                Ok(token) => token,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "no logout token could be made");
                    continue;
                }
            };
            let (done, outcome) = oneshot::channel();
            // A full queue drops the job, and with it the sender: the outcome is then Unreachable.
            if self.courier().0.try_send(Job { uri, token, time_limit, done }).is_err() {
                tracing::warn!(client = %client_id, "a logout token was dropped: too many are waiting");
            }
            deliveries.push((client_id.clone(), outcome));
        }
        Deliveries(deliveries)
    }
}
