//! Running an operation once.

use std::{future::Future, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION},
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    key::Scope,
    problems::{IDEMPOTENCY_IN_FLIGHT, IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_UNAVAILABLE},
    store::{Begun, Claim, Fingerprint, IdempotencyStore, Lease, StoreFailure},
};
use crate::{
    clock::Clock,
    problem::{Problem, kinds},
};

/// Marks an answer that was kept.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How long who comes too early is told to wait.
const IN_FLIGHT_WAIT: Duration = Duration::from_secs(1);

/// The two times.
#[derive(Debug, Clone, Copy)]
pub struct IdempotencySettings {
    /// How long a claim holds. Longer than any operation takes.
    pub lease: Duration,
    /// How long an operation is remembered.
    pub keep: Duration,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// Its status.
    pub status: u16,
    /// Where what was made can be found.
    pub location: Option<String>,
    /// Its body, JSON.
    pub body: String,
}

impl KeptAnswer {
    /// An answer with this body.
    ///
    /// # Errors
    /// When the body has no form in JSON.
    pub fn json(status: StatusCode, location: Option<String>, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_string(body);
        let body = body.map_err(|error| Problem::new(&kinds::INTERNAL_ERROR).caused_by(error))?;
        Ok(Self { status: status.as_u16(), location, body })
    }
}

/// What came of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its answer.
    pub answer: KeptAnswer,
    /// Whether the operation was run before, and this is its answer of then.
    pub replayed: bool,
}

impl Outcome {
    /// The answer to a request for this operation alone.
    #[must_use]
    pub fn into_response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.answer.status).unwrap_or(StatusCode::OK);
        let mut response = HttpResponse::build(status);
        response.insert_header((CONTENT_TYPE, "application/json"));
        if let Some(location) = self.answer.location.and_then(|location| HeaderValue::try_from(location).ok()) {
            response.insert_header((LOCATION, location));
        }
        if self.replayed {
            response.insert_header((REPLAYED, "true"));
        }
        response.body(self.answer.body)
    }
}

/// Runs operations once. Cheap to clone; crosses threads.
#[derive(Clone)]
pub struct Idempotency {
    store: Arc<dyn IdempotencyStore>,
    settings: IdempotencySettings,
    clock: Clock,
}

impl Idempotency {
    /// Remembers in this store.
    #[must_use]
    pub fn new(store: Arc<dyn IdempotencyStore>, settings: IdempotencySettings, clock: Clock) -> Self {
        Self { store, settings, clock }
    }

    /// Runs the operation unless it was run before with this body. It goes on to its end when the caller leaves. Give the
    /// body in a form that is the same whenever it means the same.
    ///
    /// # Errors
    /// [`IDEMPOTENCY_IN_FLIGHT`], [`IDEMPOTENCY_KEY_REUSED`], [`IDEMPOTENCY_UNAVAILABLE`], or the operation's own.
    pub async fn run<F>(&self, scope: Scope, body: &[u8], operation: F) -> Result<Outcome, Problem>
    where
        F: Future<Output = Result<KeptAnswer, Problem>> + 'static,
    {
        let (fingerprint, lease) = (Fingerprint::of(body), Lease(Uuid::new_v4()));
        let now = self.clock.wall();
        let after = |duration| now.checked_add(duration).unwrap_or(Timestamp::MAX);
        let (lease_ends, forget_at) = (after(self.settings.lease), after(self.settings.keep));
        let claim = Claim { scope, fingerprint, lease, now, lease_ends, forget_at };
        match self.store.begin(claim).await.map_err(unavailable)? {
            Begun::Claimed => self.carry_out(scope, lease, operation).await,
            Begun::Done(answer) => Ok(Outcome { answer, replayed: true }),
            Begun::OtherBody => Err(Problem::new(&IDEMPOTENCY_KEY_REUSED)),
            Begun::InFlight { .. } => Err(Problem::new(&IDEMPOTENCY_IN_FLIGHT).retry_after(IN_FLIGHT_WAIT)),
        }
    }

    async fn carry_out<F>(&self, scope: Scope, lease: Lease, operation: F) -> Result<Outcome, Problem>
    where
        F: Future<Output = Result<KeptAnswer, Problem>> + 'static,
    {
        let store = Arc::clone(&self.store);
        let task = actix_web::rt::spawn(async move {
            let outcome = operation.await;
            let noted = match &outcome {
                Ok(answer) => store.complete(scope, lease, answer).await,
                Err(_) => store.release(scope, lease).await,
            };
            if let Err(error) = noted {
                // The effect is there and its key is known to the service that made it: a repetition is harmless.
                tracing::error!(error = &error as &dyn std::error::Error, "an operation's end could not be kept");
            }
            outcome
        });
        match task.await {
            Ok(outcome) => Ok(Outcome { answer: outcome?, replayed: false }),
            Err(error) => Err(Problem::new(&kinds::INTERNAL_ERROR).caused_by(error)),
        }
    }
}

fn unavailable(error: StoreFailure) -> Problem {
    Problem::new(&IDEMPOTENCY_UNAVAILABLE).retry_after(IN_FLIGHT_WAIT).caused_by(error)
}

#[cfg(test)]
mod tests;
