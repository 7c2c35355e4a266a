//! Calls by version, partner and day, in the database of the keys.
//!
//! Calls are counted in memory, and every [`interval`](VersionRecord::start) each process adds what it has counted. What it
//! has not added when it is killed is forgotten. So the record is at most that far behind.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{Timestamp, ToSpan, civil::Date};
use shared_lib::clock::Clock;
use sqlx::{Connection, Row};
use tokio_util::task::AbortOnDropHandle;

use super::{day, month};
use crate::{
    database::{Database, DatabaseError},
    keys::KeyRecord,
};

/// The longest that the record may take to be read, and the end of a process to write it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a day is remembered: who has not called for so long is no caller any more.
const REMEMBERED_DAYS: i32 = 400;

const ADD: &str = "INSERT INTO version_calls (version, partner, environment, day, calls) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (version, partner, environment, day) DO UPDATE SET calls = version_calls.calls + excluded.calls";

const FORGET: &str = "DELETE FROM version_calls WHERE day < $1";

const OF_ONE: &str = "SELECT version, CAST(SUM(CASE WHEN day = $3 THEN calls ELSE 0 END) AS BIGINT) AS today, \
    CAST(SUM(calls) AS BIGINT) AS this_month FROM version_calls \
    WHERE partner = $1 AND environment = $2 AND day >= $4 GROUP BY version ORDER BY version";

const OF_ALL: &str = "SELECT version, partner, environment, MAX(day) AS last_day, \
    CAST(SUM(CASE WHEN day = $1 THEN calls ELSE 0 END) AS BIGINT) AS today, \
    CAST(SUM(CASE WHEN day >= $2 THEN calls ELSE 0 END) AS BIGINT) AS this_month \
    FROM version_calls GROUP BY version, partner, environment ORDER BY version, partner, environment";

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The database cannot be used.
    #[error("the record of calls by version cannot be used")]
    Away(#[from] DatabaseError),
    /// Everything else that a database can say.
    #[error("the record of calls by version failed")]
    Database(#[from] sqlx::Error),
    /// It did not answer in time.
    #[error("the record of calls by version did not answer within {PATIENCE:?}")]
    TimedOut,
}

/// What a partner has called of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCalls {
    /// The version.
    pub version: String,
    /// Calls in this day of UTC.
    pub today: u64,
    /// Calls in this month of UTC.
    pub this_month: u64,
}

/// A partner that has called a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerCalls {
    /// The partner.
    pub partner: String,
    /// Its environment.
    pub environment: String,
    /// What it has called.
    pub calls: OwnCalls,
    /// The last day on which it has.
    pub last_day: String,
}

/// One row of the record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    version: &'static str,
    partner: String,
    environment: &'static str,
    day: Date,
}

impl Place {
    pub(super) fn new(version: &'static str, key: &KeyRecord, at: Timestamp) -> Self {
        Self { version, partner: key.partner.clone(), environment: key.environment.as_str(), day: day(at) }
    }
}

/// The record. Cheap to clone; crosses threads. It writes for as long as one copy lives.
#[derive(Clone)]
pub(super) struct VersionRecord {
    shared: Arc<Shared>,
    _writing: Arc<AbortOnDropHandle<()>>,
}

struct Shared {
    database: Database,
    clock: Clock,
    /// What has not been added yet. As many as there are partners with keys in force who called since.
    pending: Mutex<HashMap<Place, i64>>,
    /// The day on which old days were forgotten last. Who writes has this.
    forgotten_on: tokio::sync::Mutex<Option<Date>>,
}

impl VersionRecord {
    /// The record in this database, written every `interval`. Must be called within a tokio runtime.
    pub(super) fn start(database: Database, interval: Duration, clock: Clock) -> Self {
        let (pending, forgotten_on) = (Mutex::default(), tokio::sync::Mutex::default());
        let shared = Arc::new(Shared { database, clock, pending, forgotten_on });
        let writer = Arc::clone(&shared);
        let writing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                if let Err(error) = writer.write().await {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "calls by version are not written down; it is tried again");
                }
            }
        });
        Self { shared, _writing: Arc::new(AbortOnDropHandle::new(writing)) }
    }

    pub(super) fn count(&self, place: Place) {
        *self.shared.pending().entry(place).or_insert(0) += 1;
    }

    pub(super) async fn calls_of(&self, key: &KeyRecord, at: Timestamp) -> Result<Vec<OwnCalls>, RecordError> {
        let read = async {
            let mut connection = self.shared.database.connection().await?;
            let rows = sqlx::query(OF_ONE).bind(&key.partner).bind(key.environment.as_str());
            let rows = rows.bind(day(at).to_string()).bind(month(at).to_string()).fetch_all(&mut *connection).await?;
            rows.iter().map(own_calls).collect()
        };
        tokio::time::timeout(PATIENCE, read).await.map_err(|_| RecordError::TimedOut)?
    }

    pub(super) async fn callers(&self, at: Timestamp) -> Result<Vec<PartnerCalls>, RecordError> {
        let read = async {
            let mut connection = self.shared.database.connection().await?;
            let rows = sqlx::query(OF_ALL).bind(day(at).to_string()).bind(month(at).to_string());
            let caller = |row: &sqlx::any::AnyRow| {
                Ok(PartnerCalls {
                    partner: row.try_get("partner")?,
                    environment: row.try_get("environment")?,
                    calls: own_calls(row)?,
                    last_day: row.try_get("last_day")?,
                })
            };
            rows.fetch_all(&mut *connection).await?.iter().map(caller).collect()
        };
        tokio::time::timeout(PATIENCE, read).await.map_err(|_| RecordError::TimedOut)?
    }

    /// Writes what has not been written yet, for a process that ends in order.
    pub(super) async fn close(&self) {
        let _ = tokio::time::timeout(PATIENCE, self.shared.write()).await;
    }
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, HashMap<Place, i64>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what is pending, and forgets what is long over.
    async fn write(&self) -> Result<(), RecordError> {
        let mut forgotten_on = self.forgotten_on.lock().await;
        let mut places: Vec<(Place, i64)> =
            self.pending().iter().map(|(place, calls)| (place.clone(), *calls)).collect();
        // In one order for all replicas, so that none waits for another one that waits for it.
        places.sort_unstable();
        let today = day(self.clock.wall());
        let is_forgotten = *forgotten_on == Some(today);
        if places.is_empty() && is_forgotten {
            return Ok(());
        }
        let mut connection = self.database.connection().await?;
        // All at once, since each change of a file of SQLite waits for the disk.
        let mut change = connection.begin().await?;
        for (place, calls) in &places {
            let add = sqlx::query(ADD).bind(place.version).bind(&place.partner).bind(place.environment);
            add.bind(place.day.to_string()).bind(*calls).execute(&mut *change).await?;
        }
        if !is_forgotten {
            let first = today.saturating_sub(REMEMBERED_DAYS.days());
            sqlx::query(FORGET).bind(first.to_string()).execute(&mut *change).await?;
        }
        change.commit().await?;
        *forgotten_on = Some(today);
        let mut pending = self.pending();
        for (place, calls) in places {
            // More may have come meanwhile.
            let left = pending.get(&place).copied().unwrap_or(0) - calls;
            if left == 0 {
                pending.remove(&place)
            } else {
                pending.insert(place, left)
            };
        }
        Ok(())
    }
}

fn own_calls(row: &sqlx::any::AnyRow) -> Result<OwnCalls, RecordError> {
    let number = |name| row.try_get::<i64, _>(name).map(|number| u64::try_from(number).unwrap_or(0));
    Ok(OwnCalls { version: row.try_get("version")?, today: number("today")?, this_month: number("this_month")? })
}
