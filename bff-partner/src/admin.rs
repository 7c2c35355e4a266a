//! What operators can do to keys over HTTP, under `/admin/keys` of the management port. The operator token is asked for,
//! and each call logged, in front of this.

use std::time::Duration;

use actix_web::{
    HttpResponse, delete, get,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, HeaderValue},
    },
    post,
    web::{self, ServiceConfig},
};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared_lib::{
    clock::Clock,
    problem::{FieldError, Problem, kinds},
};

use crate::{
    body::JsonBody,
    keys::{AdminError, AuditEntry, Created, KeyAdmin, KeyEnvironment, KeyRecord, KeyState, NewKey, StoreError},
};

/// Who did it, in the audit log.
const ACTOR: &str = "operator";

/// Adds the routes; paths are relative to `/admin`.
pub fn configure(config: &mut ServiceConfig) {
    config.service(list_keys).service(create_key).service(show_key).service(rotate_key).service(revoke_key);
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyView {
    id: String,
    partner: String,
    environment: KeyEnvironment,
    plan: String,
    state: KeyState,
    scopes: Vec<String>,
    networks: Vec<IpNet>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    replaced_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Vec<AuditView>>,
}

#[derive(Serialize)]
struct AuditView {
    at: Timestamp,
    action: String,
    actor: String,
    detail: String,
}

#[derive(Serialize)]
struct CreatedView<'a> {
    /// The whole key; it is shown this once.
    key: &'a str,
    #[serde(flatten)]
    about: KeyView,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewKeyBody {
    partner: String,
    environment: String,
    plan: String,
    scopes: Vec<String>,
    #[serde(default)]
    networks: Vec<IpNet>,
    expires_in_s: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RotationBody {
    overlap_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParams {
    partner: Option<String>,
}

impl KeyView {
    fn new(record: KeyRecord, now: Timestamp) -> Self {
        Self {
            state: record.state(now),
            id: record.id,
            partner: record.partner,
            environment: record.environment,
            plan: record.plan,
            scopes: record.scopes,
            networks: record.networks,
            created_at: record.created_at,
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
            replaced_by: record.replaced_by,
            audit: None,
        }
    }
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self { at: entry.at, action: entry.action, actor: entry.actor, detail: entry.detail }
    }
}

#[get("/keys")]
async fn list_keys(
    admin: web::Data<KeyAdmin>,
    clock: web::Data<Clock>,
    params: web::Query<ListParams>,
) -> Result<web::Json<Vec<KeyView>>, Problem> {
    let keys = admin.store().list(params.partner.as_deref()).await.map_err(|error| problem(error.into()))?;
    let now = clock.wall();
    Ok(web::Json(keys.into_iter().map(|key| KeyView::new(key, now)).collect()))
}

#[post("/keys")]
async fn create_key(
    admin: web::Data<KeyAdmin>,
    clock: web::Data<Clock>,
    body: JsonBody<NewKeyBody>,
) -> Result<HttpResponse, Problem> {
    let body = body.value;
    let new = NewKey {
        partner: body.partner,
        environment: body.environment.parse().map_err(|error| problem(AdminError::Invalid(error)))?,
        plan: body.plan,
        scopes: body.scopes,
        networks: body.networks,
        expires_in: body.expires_in_s.map(Duration::from_secs),
    };
    Ok(created(admin.create(new, ACTOR).await.map_err(problem)?, &clock))
}

#[get("/keys/{id}")]
async fn show_key(
    admin: web::Data<KeyAdmin>,
    clock: web::Data<Clock>,
    id: web::Path<String>,
) -> Result<web::Json<KeyView>, Problem> {
    let key = admin.store().find(&id).await.map_err(|error| problem(error.into()))?;
    let key = key.ok_or_else(|| Problem::new(&kinds::NOT_FOUND))?;
    let audit = admin.store().audit(&id).await.map_err(|error| problem(error.into()))?;
    let audit = Some(audit.into_iter().map(AuditView::from).collect());
    Ok(web::Json(KeyView { audit, ..KeyView::new(key, clock.wall()) }))
}

#[post("/keys/{id}/rotate")]
async fn rotate_key(
    admin: web::Data<KeyAdmin>,
    clock: web::Data<Clock>,
    id: web::Path<String>,
    body: JsonBody<RotationBody>,
) -> Result<HttpResponse, Problem> {
    let overlap = Duration::from_secs(body.value.overlap_s);
    Ok(created(admin.rotate(&id, overlap, ACTOR).await.map_err(problem)?, &clock))
}

/// Ends a key. To end it again changes nothing.
#[delete("/keys/{id}")]
async fn revoke_key(admin: web::Data<KeyAdmin>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    admin.revoke(&id, ACTOR).await.map_err(problem)?;
    Ok(HttpResponse::NoContent().finish())
}

fn created(created: Created, clock: &Clock) -> HttpResponse {
    let view = CreatedView { key: created.key.expose(), about: KeyView::new(created.record, clock.wall()) };
    HttpResponse::build(StatusCode::CREATED)
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(view)
}

fn problem(error: AdminError) -> Problem {
    match error {
        AdminError::Store(StoreError::Unknown) => Problem::new(&kinds::NOT_FOUND),
        AdminError::Store(_) => Problem::new(&kinds::INTERNAL_ERROR).caused_by(error),
        AdminError::Invalid(_) | AdminError::TooFar => Problem::validation(&[FieldError::body("", error.to_string())]),
    }
}
