//! Feature flags, for an app that has not signed anybody in yet too.

use std::collections::BTreeMap;

use actix_web::{get, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{openapi::Refusals, rollout::Rollout};

/// The feature flags.
#[derive(Serialize, ToSchema)]
pub struct FlagsView {
    /// Each flag by its name. One that is not there is off.
    flags: BTreeMap<String, bool>,
}

/// The feature flags in force.
#[utoipa::path(
    tag = "flags",
    responses((status = 200, description = "The feature flags", body = FlagsView), Refusals)
)]
#[get("/flags")]
pub async fn get_flags(rollout: web::Data<Rollout>) -> web::Json<FlagsView> {
    web::Json(FlagsView { flags: rollout.rules().flags.clone() })
}
