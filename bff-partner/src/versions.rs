//! The versions of the API: what the settings say of their ends, and which partners still call them.
//!
//! A call is counted when a key was let in with it: in a record that outlives the process, for the partner and for operators,
//! and as a metric.

mod metrics;
mod record;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use shared_lib::{
    clock::Clock,
    server::Route,
    versioning::{Lifecycle, VersionSettings},
};

use self::metrics::CallsMetric;
pub use self::record::{OwnCalls, PartnerCalls, RecordError};
use self::record::{Place, VersionRecord};
use crate::{database::Database, keys::KeyRecord, settings::VersionsSettings};

/// The name of the version that there is, which is the first segment of its paths.
const V1: &str = "v1";

/// What the paths of version 1 begin with.
pub const V1_PATHS: &str = "/v1/";

/// The versions and who calls them. Cheap to clone; crosses threads.
#[derive(Clone)]
pub struct Versions {
    settings: Arc<VersionsSettings>,
    record: VersionRecord,
    metric: Arc<CallsMetric>,
    clock: Clock,
}

impl Versions {
    /// The versions of these settings, with the record of calls in this database, written every `interval`. Must be called
    /// within a tokio runtime.
    #[must_use]
    pub fn new(settings: &VersionsSettings, database: Database, interval: Duration, clock: Clock) -> Self {
        Self {
            settings: Arc::new(settings.clone()),
            record: VersionRecord::start(database, interval, clock.clone()),
            metric: Arc::new(CallsMetric::new()),
            clock,
        }
    }

    /// Each version, with what the settings say of its end.
    #[must_use]
    pub fn all(&self) -> [(&'static str, &VersionSettings); 1] {
        [(V1, &self.settings.v1)]
    }

    /// Version 1 as answers tell of it.
    #[must_use]
    pub fn v1(&self) -> Lifecycle {
        Lifecycle::counted_elsewhere(V1, &self.settings.v1, self.clock.clone())
    }

    /// Counts a call that this key was let in with. What is of no version is not counted.
    pub fn count(&self, key: &KeyRecord, route: &Route) {
        let Some((version, _)) = self.all().into_iter().find(|(version, _)| is_of(&route.path, version)) else {
            return;
        };
        self.metric.count(version, key);
        self.record.count(Place::new(version, key, self.clock.wall()));
    }

    /// What a partner has called in this day and this month, in one environment.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn calls_of(&self, key: &KeyRecord) -> Result<Vec<OwnCalls>, RecordError> {
        self.record.calls_of(key, self.clock.wall()).await
    }

    /// Who calls which version.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn callers(&self) -> Result<Vec<PartnerCalls>, RecordError> {
        self.record.callers(self.clock.wall()).await
    }

    /// Writes down what was counted and is not written yet; no call comes any more.
    pub async fn close(&self) {
        self.record.close().await;
    }
}

fn is_of(path: &str, version: &str) -> bool {
    path.strip_prefix('/').and_then(|path| path.strip_prefix(version)).is_some_and(|rest| rest.starts_with('/'))
}

/// The day of a moment, in UTC.
fn day(at: Timestamp) -> jiff::civil::Date {
    shared_lib::rate_limit::Period::Day.begins(at)
}

/// The first day of the month of a moment, in UTC.
fn month(at: Timestamp) -> jiff::civil::Date {
    shared_lib::rate_limit::Period::Month.begins(at)
}
