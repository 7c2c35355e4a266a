//! What a partner has used, and what is left.

use actix_web::{get, web};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::Serialize;
use shared_lib::{
    problem::Problem,
    rate_limit::{Measure, Period},
};
use utoipa::ToSchema;

use crate::{
    auth::{AdmittedCall, AdmittedKey},
    limits::Limits,
    openapi::Refusals,
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
/// Asking costs no quota. Counts of other replicas may be some seconds old where no quota is set.
#[utoipa::path(
    tag = "usage",
    responses((status = 200, description = "What you have used, and what is left", body = UsageView), Refusals)
)]
#[get("/usage")]
pub async fn get_usage(
    key: AdmittedKey,
    call: AdmittedCall,
    limits: web::Data<Limits>,
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
    }))
}
