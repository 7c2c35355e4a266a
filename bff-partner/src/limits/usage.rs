//! What partners have used of their quotas, in a record that outlives the process: the database of the keys.
//!
//! A call is charged in memory and, where it is configured, in Redis; every [`interval`](UsageRecord::start) each process
//! adds what it has charged to the record, and reads how much all have. So a process that starts goes on from there. What
//! it has not written when it is killed is forgotten, unless Redis knows it; a process that ends in order writes it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{Timestamp, civil::Date};
use shared_lib::{clock::Clock, rate_limit::Period};
use sqlx::Row;
use tokio_util::task::AbortOnDropHandle;

use crate::database::{Database, DatabaseError};

const PERIODS: [Period; 2] = [Period::Day, Period::Month];

/// The longest that a call waits for the record, once for each partner.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest that the end of a process waits for it.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

const ADD: &str = "INSERT INTO usage (owner, period, begins, units) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (owner, period, begins) DO UPDATE SET units = usage.units + excluded.units";

const READ: &str = "SELECT units FROM usage WHERE owner = $1 AND period = $2 AND begins = $3";

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    #[error("the record of usage cannot be used")]
    Away(#[from] DatabaseError),
    #[error("the record of usage failed")]
    Database(#[from] sqlx::Error),
    #[error("the record of usage did not answer within {PATIENCE:?}")]
    TimedOut,
}

/// The record. Cheap to clone; crosses threads. It writes for as long as one copy lives.
#[derive(Clone)]
pub struct UsageRecord {
    shared: Arc<Shared>,
    _writing: Arc<AbortOnDropHandle<()>>,
}

struct Shared {
    database: Database,
    clock: Clock,
    max_owners: usize,
    counts: Mutex<HashMap<Place, Count>>,
    /// Who writes has this.
    writing: tokio::sync::Mutex<()>,
}

/// One row of the record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    owner: String,
    period: Period,
    begins: Date,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// What the record says; it has been read when this is there.
    recorded: Option<i64>,
    /// What is being added to it.
    under_way: i64,
    /// What has yet to be added; negative when more was given back than charged.
    pending: i64,
    /// Whether it was asked for since it was last read.
    asked: bool,
}

impl Count {
    fn known(&self) -> u64 {
        let sum = self.recorded.unwrap_or(0).saturating_add(self.under_way).saturating_add(self.pending);
        u64::try_from(sum).unwrap_or(0)
    }
}

impl UsageRecord {
    /// The record in this database, written every `interval`. At most so many partners are remembered between two
    /// writings. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(database: Database, interval: Duration, max_owners: usize, clock: Clock) -> Self {
        let (counts, one) = (Mutex::default(), tokio::sync::Mutex::default());
        let shared = Arc::new(Shared { database, clock, max_owners, counts, writing: one });
        let writer = Arc::clone(&shared);
        let writing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                writer.write().await;
            }
        });
        Self { shared, _writing: Arc::new(AbortOnDropHandle::new(writing)) }
    }

    /// Writes what has not been written yet, for a process that ends in order. A record that is away keeps it for as long
    /// as one writing may take, no longer.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(LAST_PATIENCE, self.shared.write()).await;
    }

    /// What is known to be used in the day and the month of this moment. A record that is away is asked again when it is
    /// written next, and until then nothing is known.
    pub async fn known(&self, owner: &str, at: Timestamp) -> [u64; 2] {
        let mut known = [0; 2];
        for (period, known) in PERIODS.into_iter().zip(&mut known) {
            let place = Place { owner: owner.to_owned(), period, begins: period.begins(at) };
            if let Some(count) = self.shared.ask(&place) {
                *known = count;
                continue;
            }
            if let Err(error) = self.shared.read(&place).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "what a partner has used is not known");
            }
            *known = self.shared.lock().entry(place).or_default().known();
        }
        known
    }

    /// Adds units that were charged at this moment, or takes back what was given back.
    pub fn add(&self, owner: &str, at: Timestamp, units: i64) {
        let mut counts = self.shared.lock();
        for period in PERIODS {
            let place = Place { owner: owner.to_owned(), period, begins: period.begins(at) };
            let count = counts.entry(place).or_default();
            count.pending = count.pending.saturating_add(units);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, place: &Place) -> Option<u64> {
        let mut counts = self.lock();
        let count = counts.get_mut(place)?;
        count.asked = true;
        Some(count.known())
    }

    async fn read(&self, place: &Place) -> Result<(), RecordError> {
        let read = async {
            let mut connection = self.database.connection().await?;
            let row = sqlx::query(READ).bind(&place.owner).bind(place.period.name()).bind(place.begins.to_string());
            Ok::<_, RecordError>(
                row.fetch_optional(&mut *connection).await?.map_or(Ok(0), |row| row.try_get::<i64, _>("units"))?,
            )
        };
        let units = tokio::time::timeout(PATIENCE, read).await.map_err(|_| RecordError::TimedOut)??;
        self.lock().entry(place.clone()).or_default().recorded = Some(units);
        Ok(())
    }

    /// Adds what is pending, reads what was asked for, and forgets what is over.
    async fn write(&self) {
        let _one_at_a_time = self.writing.lock().await;
        let now = self.clock.wall();
        let places: Vec<Place> = {
            let mut counts = self.lock();
            let is_over = |place: &Place| place.begins < place.period.begins(now);
            counts.retain(|place, count| count.pending != 0 || !is_over(place));
            if counts.len() > self.max_owners.saturating_mul(PERIODS.len()) {
                counts.retain(|_, count| count.pending != 0);
            }
            let due = |(_, count): &(&Place, &Count)| count.pending != 0 || count.asked || count.recorded.is_none();
            counts.iter().filter(due).map(|(place, _)| place.clone()).collect()
        };
        for place in places {
            if let Err(error) = self.settle(&place).await {
                // The next ones would wait in vain, too.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "usage is not written down; it is tried again"
                );
                return;
            }
        }
    }

    async fn settle(&self, place: &Place) -> Result<(), RecordError> {
        let units = {
            let mut counts = self.lock();
            let count = counts.entry(place.clone()).or_default();
            count.asked = false;
            count.under_way = std::mem::take(&mut count.pending);
            count.under_way
        };
        if units != 0
            && let Err(error) = self.add(place, units).await
        {
            let mut counts = self.lock();
            let count = counts.entry(place.clone()).or_default();
            count.pending = count.pending.saturating_add(std::mem::take(&mut count.under_way));
            return Err(error);
        }
        {
            // What was added counts as recorded until the record itself has said how much all have.
            let mut counts = self.lock();
            let count = counts.entry(place.clone()).or_default();
            let added = std::mem::take(&mut count.under_way);
            count.recorded = count.recorded.map(|recorded| recorded.saturating_add(added));
        }
        self.read(place).await
    }

    async fn add(&self, place: &Place, units: i64) -> Result<(), RecordError> {
        let mut connection = self.database.connection().await?;
        let add = sqlx::query(ADD).bind(&place.owner).bind(place.period.name()).bind(place.begins.to_string());
        add.bind(units).execute(&mut *connection).await?;
        Ok(())
    }
}
