//! What operators can do over HTTP, under `/admin` of the management port: to keys, and see who calls which version. The
//! operator token is asked for, and each call logged, in front of this.

mod versions;

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse, delete, get,
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
    auth::refusal::KEY_CHECK_UNAVAILABLE,
    body::JsonBody,
    keys::{AdminError, AuditEntry, By, Created, KeyAdmin, KeyEnvironment, KeyRecord, KeyState, NewKey, StoreError},
};

/// Who did it, in the log of changes: who holds the operator token.
const ACTOR: &str = "operator";

/// How many changes are shown where nobody says, and at most.
const CHANGES: u32 = 100;
const MAX_CHANGES: u32 = 1000;

/// Adds the routes; paths are relative to `/admin`.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_keys)
        .service(create_key)
        .service(show_key)
        .service(rotate_key)
        .service(revoke_key)
        .service(list_changes)
        .service(versions::list_versions);
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
#[serde(rename_all = "camelCase")]
struct AuditView {
    at: Timestamp,
    key_id: String,
    action: String,
    actor: String,
    source: String,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangesParams {
    limit: Option<u32>,
}

/// Where a change comes from: the other end of the connection. The management port has no proxy that is believed.
struct Source(String);

impl Source {
    fn of(request: &HttpRequest) -> Self {
        Self(request.peer_addr().map_or(String::new(), |peer| peer.ip().to_canonical().to_string()))
    }

    fn by(&self) -> By<'_> {
        By { actor: ACTOR, source: &self.0 }
    }
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
        Self {
            at: entry.at,
            key_id: entry.key_id,
            action: entry.action,
            actor: entry.actor,
            source: entry.source,
            detail: entry.detail,
        }
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
    request: HttpRequest,
    admin: web::Data<KeyAdmin>,
    clock: web::Data<Clock>,
    body: JsonBody<NewKeyBody>,
) -> Result<HttpResponse, Problem> {
    let body = body.0;
    let new = NewKey {
        partner: body.partner,
        environment: body.environment.parse().map_err(|error| problem(AdminError::Invalid(error)))?,
        plan: body.plan,
        scopes: body.scopes,
        networks: body.networks,
        expires_in: body.expires_in_s.map(Duration::from_secs),
    };
    Ok(created(admin.create(new, Source::of(&request).by()).await.map_err(problem)?, &clock))
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
    request: HttpRequest,
    admin: web::Data<KeyAdmin>,
    clock: web::Data<Clock>,
    id: web::Path<String>,
    body: JsonBody<RotationBody>,
) -> Result<HttpResponse, Problem> {
    let overlap = Duration::from_secs(body.0.overlap_s);
    Ok(created(admin.rotate(&id, overlap, Source::of(&request).by()).await.map_err(problem)?, &clock))
}

/// Ends a key. To end it again changes nothing.
#[delete("/keys/{id}")]
async fn revoke_key(
    request: HttpRequest,
    admin: web::Data<KeyAdmin>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    admin.revoke(&id, Source::of(&request).by()).await.map_err(problem)?;
    Ok(HttpResponse::NoContent().finish())
}

/// What was done to keys, newest first.
#[get("/key-changes")]
async fn list_changes(
    admin: web::Data<KeyAdmin>,
    params: web::Query<ChangesParams>,
) -> Result<web::Json<Vec<AuditView>>, Problem> {
    let limit = params.limit.unwrap_or(CHANGES);
    if !(1..=MAX_CHANGES).contains(&limit) {
        let message = format!("must be from 1 to {MAX_CHANGES}");
        return Err(Problem::validation(&[FieldError::query("limit", message)]));
    }
    let changes = admin.store().changes(limit).await.map_err(|error| problem(error.into()))?;
    Ok(web::Json(changes.into_iter().map(AuditView::from).collect()))
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
        AdminError::Store(_) => {
            Problem::new(&KEY_CHECK_UNAVAILABLE).retry_after(Duration::from_secs(1)).caused_by(error)
        }
        AdminError::Invalid(_) | AdminError::TooFar => Problem::validation(&[FieldError::body("", error.to_string())]),
    }
}
