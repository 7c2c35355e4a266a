//! Who still calls which version of the API, for operators.

use std::time::Duration;

use actix_web::{get, web};
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    problem::{Problem, kinds},
    versioning::VersionSettings,
};

use crate::versions::{PartnerCalls, Versions};

/// How long to wait when the record is away.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionView {
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecated_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sunset_at: Option<Timestamp>,
    gone_after_sunset: bool,
    callers: Vec<CallerView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallerView {
    partner: String,
    environment: String,
    calls_today: u64,
    calls_this_month: u64,
    last_day: String,
}

impl From<PartnerCalls> for CallerView {
    fn from(caller: PartnerCalls) -> Self {
        Self {
            partner: caller.partner,
            environment: caller.environment,
            calls_today: caller.calls.today,
            calls_this_month: caller.calls.this_month,
            last_day: caller.last_day,
        }
    }
}

/// Each version, its end, and the partners that have called it.
#[get("/versions")]
pub(super) async fn list_versions(versions: web::Data<Versions>) -> Result<web::Json<Vec<VersionView>>, Problem> {
    let away = |error| Problem::new(&kinds::DOWNSTREAM_UNAVAILABLE).retry_after(AFTER_FAILURE).caused_by(error);
    let callers = versions.callers().await.map_err(away)?;
    let view = |(version, settings): (&'static str, &VersionSettings)| VersionView {
        version,
        deprecated_at: settings.deprecated_at,
        sunset_at: settings.sunset_at,
        gone_after_sunset: settings.gone_after_sunset,
        callers: callers.iter().filter(|caller| caller.calls.version == version).cloned().map(Into::into).collect(),
    };
    Ok(web::Json(versions.all().into_iter().map(view).collect()))
}
