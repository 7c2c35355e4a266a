//! What a partner has used, and what is left.

use actix_web::{get, web};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::Serialize;
use shared_lib::{
    problem::Problem,
    rate_limit::{Measure, Period},
    versioning::VersionSettings,
};
use utoipa::ToSchema;

use crate::{
    auth::{AdmittedCall, AdmittedKey},
    keys::KeyRecord,
    limits::Limits,
    openapi::Refusals,
    versions::Versions,
};

/// What you have used, and what is left.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    #[schema(example = "acme")]
    partner: String,
    /// `live` or `test`; each counts for itself.
    #[schema(example = "test")]
    environment: String,
    /// The plan of this key.
    #[schema(example = "silver")]
    plan: String,
    /// What all keys of this environment have used together.
    periods: Vec<PeriodUsageView>,
    /// The limits that this call was held to, as in `RateLimit-Policy` and `RateLimit`.
    policies: Vec<PolicyUsageView>,
    /// The versions of the API, and how often keys of this environment call them.
    versions: Vec<VersionUsageView>,
}

/// A version of the API: its end, as far as it is known, and how often you call it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionUsageView {
    /// As in the path.
    #[schema(example = "v1")]
    version: String,
    /// Since when it is deprecated; absent when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    deprecated_at: Option<Timestamp>,
    /// From when on it may stop answering; absent when that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    sunset_at: Option<Timestamp>,
    /// Calls in this day of UTC; absent while the record cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_today: Option<u64>,
    /// Calls in this month of UTC; absent while the record cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_this_month: Option<u64>,
}

/// Units of a day or a month of UTC.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeriodUsageView {
    /// `day` or `month`.
    #[schema(example = "day")]
    period: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    begins_at: Timestamp,
    /// When the next one begins.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    used: u64,
    /// The quota; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<u64>,
    /// What is left of it; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<u64>,
}

/// Where one limit stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyUsageView {
    /// Its name, as in headers and in `violated-policies`.
    #[schema(example = "burst")]
    name: String,
    /// Units that it promises.
    quota: u64,
    /// In any so many seconds; absent for what counts by the calendar or at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_seconds: Option<u64>,
    /// Units that could be had now.
    remaining: u64,
}

/// What you have used today and this month, and what is left.
///
/// Asking costs no quota. Counts of other replicas may be some seconds old where no quota is set, and those of versions are
/// always.
#[utoipa::path(
    tag = "usage",
    responses((status = 200, description = "What you have used, and what is left", body = UsageView), Refusals)
)]
#[get("/usage")]
pub async fn get_usage(
    key: AdmittedKey,
    call: AdmittedCall,
    limits: web::Data<Limits>,
    versions: web::Data<Versions>,
) -> Result<web::Json<UsageView>, Problem> {
    let record = key.record();
    let (now, used) = limits.used(record).await;
    let states = &call.decision().states;
    let period = |(period, used): (Period, u64)| {
        let state = states.iter().find(|state| state.name == period.name());
        // A quota is counted by all replicas at each call, the record a little later.
        let used = state.map_or(used, |state| state.quota.saturating_sub(state.remaining).max(used));
        let begins = period.begins(now);
        let next = begins.saturating_add(if period == Period::Day { 1.day() } else { 1.month() });
        let midnight = |date: jiff::civil::Date| date.to_zoned(TimeZone::UTC).map_or(now, |at| at.timestamp());
        PeriodUsageView {
            period: period.name().to_owned(),
            begins_at: midnight(begins),
            ends_at: midnight(next),
            used,
            quota: state.map(|state| state.quota),
            remaining: state.map(|state| state.quota.saturating_sub(used)),
        }
    };
    let policies = states.iter().map(|state| PolicyUsageView {
        name: state.name.clone(),
        quota: state.quota,
        window_seconds: match state.measure {
            Measure::Window(window) => Some(window.as_secs()),
            Measure::Calendar | Measure::Concurrent => None,
        },
        remaining: state.remaining,
    });
    Ok(web::Json(UsageView {
        partner: record.partner.clone(),
        environment: record.environment.as_str().to_owned(),
        plan: record.plan.clone(),
        periods: [Period::Day, Period::Month].into_iter().zip(used).map(period).collect(),
        policies: policies.collect(),
        versions: versions_of(&versions, record).await,
    }))
}

async fn versions_of(versions: &Versions, record: &KeyRecord) -> Vec<VersionUsageView> {
    let calls = versions.calls_of(record).await;
    if let Err(error) = &calls {
        tracing::warn!(error = error as &dyn std::error::Error, "what a partner has called is not known");
    }
    let calls = calls.ok();
    let view = |(version, settings): (&'static str, &VersionSettings)| {
        // A version of which the record says nothing was not called.
        let calls = calls.as_ref().map(|calls| {
            let own = calls.iter().find(|calls| calls.version == version);
            own.map_or((0, 0), |calls| (calls.today, calls.this_month))
        });
        VersionUsageView {
            version: version.to_owned(),
            deprecated_at: settings.deprecated_at,
            sunset_at: settings.sunset_at,
            calls_today: calls.map(|(today, _)| today),
            calls_this_month: calls.map(|(_, this_month)| this_month),
        }
    };
    versions.all().into_iter().map(view).collect()
}
