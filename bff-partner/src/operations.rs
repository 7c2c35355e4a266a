//! Operations that were begun under an idempotency key, kept in the database, so that they survive a restart.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;
use shared_lib::idempotency::{Begun, Claim, IdempotencyStore, KeptAnswer, Lease, Scope, StoreFailure};
use sqlx::{Row, any::AnyRow};

use crate::database::Database;

/// After how many claims those that are over are deleted.
const CLEAN_EVERY: u32 = 256;

/// How long one exchange with the database may take; one that hangs must not hold the caller.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a claim is tried that meets an operation which is forgotten at the same moment.
const ATTEMPTS: u32 = 3;

/// Claims an operation that is new, forgotten, or left behind by a claim that has lapsed. One statement, so that of two
/// at the same time one is first.
const CLAIM: &str = "INSERT INTO operations (scope, fingerprint, lease, lease_ends, forget_at) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (scope) DO UPDATE SET fingerprint = excluded.fingerprint, \
    lease = excluded.lease, lease_ends = excluded.lease_ends, forget_at = excluded.forget_at, answer = NULL \
    WHERE operations.forget_at <= $6 OR (operations.answer IS NULL AND operations.lease_ends <= $6 \
    AND operations.fingerprint = excluded.fingerprint)";

/// The operations of the database. Cheap to clone; crosses threads.
#[derive(Clone)]
pub struct OperationStore {
    database: Database,
    claims: Arc<AtomicU32>,
}

impl OperationStore {
    /// The operations of this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database, claims: Arc::default() }
    }

    async fn claim(&self, claim: Claim) -> Result<Begun, StoreFailure> {
        let mut connection = self.database.connection().await.map_err(StoreFailure::new)?;
        let (scope, fingerprint) = (claim.scope.to_string(), claim.fingerprint.to_string());
        if self.claims.fetch_add(1, Ordering::Relaxed) % CLEAN_EVERY == CLEAN_EVERY - 1 {
            let clean = sqlx::query("DELETE FROM operations WHERE forget_at <= $1").bind(claim.now.as_millisecond());
            clean.execute(&mut *connection).await.map_err(StoreFailure::new)?;
        }
        for _ in 0..ATTEMPTS {
            let claimed = sqlx::query(CLAIM)
                .bind(&scope)
                .bind(&fingerprint)
                .bind(claim.lease.0.to_string())
                .bind(claim.lease_ends.as_millisecond())
                .bind(claim.forget_at.as_millisecond())
                .bind(claim.now.as_millisecond())
                .execute(&mut *connection)
                .await
                .map_err(StoreFailure::new)?;
            if claimed.rows_affected() > 0 {
                return Ok(Begun::Claimed);
            }
            let known = "SELECT fingerprint, lease_ends, answer FROM operations WHERE scope = $1";
            let known =
                sqlx::query(known).bind(&scope).fetch_optional(&mut *connection).await.map_err(StoreFailure::new)?;
            if let Some(row) = known {
                return begun(&row, &fingerprint).map_err(StoreFailure::new);
            }
        }
        Err(StoreFailure::new("the operation changes too often"))
    }

    async fn keep(&self, scope: Scope, lease: Lease, answer: &KeptAnswer) -> Result<(), StoreFailure> {
        let mut connection = self.database.connection().await.map_err(StoreFailure::new)?;
        let answer = serde_json::to_string(answer).map_err(StoreFailure::new)?;
        let keep = sqlx::query("UPDATE operations SET answer = $3 WHERE scope = $1 AND lease = $2");
        let keep = keep.bind(scope.to_string()).bind(lease.0.to_string()).bind(answer);
        keep.execute(&mut *connection).await.map(|_| ()).map_err(StoreFailure::new)
    }

    async fn give_up(&self, scope: Scope, lease: Lease) -> Result<(), StoreFailure> {
        let mut connection = self.database.connection().await.map_err(StoreFailure::new)?;
        let give_up = sqlx::query("DELETE FROM operations WHERE scope = $1 AND lease = $2 AND answer IS NULL");
        let give_up = give_up.bind(scope.to_string()).bind(lease.0.to_string());
        give_up.execute(&mut *connection).await.map(|_| ()).map_err(StoreFailure::new)
    }
}

fn begun(row: &AnyRow, fingerprint: &str) -> Result<Begun, Box<dyn std::error::Error + Send + Sync>> {
    if row.try_get::<String, _>("fingerprint")? != fingerprint {
        return Ok(Begun::OtherBody);
    }
    match row.try_get::<Option<String>, _>("answer")? {
        Some(answer) => Ok(Begun::Done(serde_json::from_str(&answer)?)),
        None => Ok(Begun::InFlight { until: Timestamp::from_millisecond(row.try_get("lease_ends")?)? }),
    }
}

async fn in_time<T>(exchange: impl Future<Output = Result<T, StoreFailure>>) -> Result<T, StoreFailure> {
    let answer = tokio::time::timeout(PATIENCE, exchange).await;
    answer.unwrap_or_else(|_| Err(StoreFailure::new("the database did not answer in time")))
}

impl IdempotencyStore for OperationStore {
    fn begin(&self, claim: Claim) -> BoxFuture<'_, Result<Begun, StoreFailure>> {
        in_time(self.claim(claim)).boxed()
    }

    fn complete<'a>(
        &'a self,
        scope: Scope,
        lease: Lease,
        answer: &'a KeptAnswer,
    ) -> BoxFuture<'a, Result<(), StoreFailure>> {
        in_time(self.keep(scope, lease, answer)).boxed()
    }

    fn release(&self, scope: Scope, lease: Lease) -> BoxFuture<'_, Result<(), StoreFailure>> {
        in_time(self.give_up(scope, lease)).boxed()
    }
}
