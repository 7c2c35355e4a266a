//! `/api/auth/sessions`: where a user is signed in, and the end of it.
//!
//! A session that is ended from another one loses its record. Its refresh token stays valid at the provider until it
//! expires there: it is sealed under a key that only the browser of that session has, so nobody here can revoke it.

use actix_session::Session;
use actix_web::{HttpResponse, delete, get, web};
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    pagination::{
        Direction, FromQuery, PageParams, PageRequest, PageResponse, PageSpec, Query, QueryReader, UnknownSort,
    },
    problem::{Problem, ProblemView, kinds},
};
use utoipa::ToSchema;

use super::{
    WorkerAuth,
    session_ends::EndReason,
    session_store::{Group, KnownSession},
};

/// A session of the user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnSessionView {
    /// Names it, to end it.
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// What the browser said that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// When the user signed in.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used, to a few minutes.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// When it ends if no request comes.
    #[schema(value_type = String, format = DateTime)]
    pub idle_ends_at: Timestamp,
    /// When it ends in any case.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
}

/// How many sessions have ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndedView {
    /// The number.
    pub ended: usize,
}

/// What the list of sessions allows.
pub(crate) const PAGE: PageSpec =
    PageSpec { default_size: 20, sorts: &["createdAt,desc", "createdAt,asc"], unknown_sort: UnknownSort::Refuse };

/// Which part of the list.
#[derive(Debug, Clone)]
pub struct OwnSessionsParams {
    page: PageRequest,
}

impl FromQuery for OwnSessionsParams {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        Self { page: query.page(&PAGE) }
    }
}

/// Where I am signed in
///
/// Asking does not prolong the session.
#[utoipa::path(
    tag = "sign-in",
    params(PageParams),
    responses(
        (status = 200, description = "The sessions of the user", body = PageResponse<OwnSessionView>),
        (status = 400, description = "Parameters that are not valid", body = ProblemView, content_type = "application/problem+json"),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "Sessions cannot be looked up", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/sessions")]
pub async fn list_sessions(
    session: Session,
    auth: web::Data<WorkerAuth>,
    Query(params): Query<OwnSessionsParams>,
) -> Result<web::Json<PageResponse<OwnSessionView>>, Problem> {
    let current = auth.require_session(&session)?;
    let mut known = auth.sessions.of_group(&Group::of_subject(&current.identity.subject)).await?;
    if params.page.sort.direction == Direction::Asc {
        known.reverse();
    }
    let total = known.len() as u64;
    let view = |known: KnownSession| OwnSessionView {
        current: known.id == current.id,
        id: known.identity.handle,
        device: known.identity.device,
        created_at: known.identity.signed_in_at,
        last_seen_at: auth.sessions.last_seen(&known.ends),
        idle_ends_at: known.ends.first(),
        ends_at: known.ends.absolute,
    };
    let offset = usize::try_from(params.page.offset()).unwrap_or(usize::MAX);
    let content = known.into_iter().skip(offset).take(params.page.size as usize).map(view).collect();
    Ok(web::Json(PageResponse::new(content, &params.page, total)))
}

/// End one of my sessions
#[utoipa::path(
    tag = "sign-in",
    params(("id" = String, Path, description = "From the list")),
    responses(
        (status = 204, description = "It has ended"),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 403, description = "The CSRF token is missing or wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "The user has no such session", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "Sessions cannot be looked up", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[delete("/sessions/{id}")]
pub async fn end_own_session(
    session: Session,
    auth: web::Data<WorkerAuth>,
    handle: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let current = auth.require_session(&session)?;
    let known = auth.sessions.of_group(&Group::of_subject(&current.identity.subject)).await?;
    let meant = known.into_iter().find(|known| known.identity.handle == *handle);
    let meant = meant.ok_or_else(|| Problem::new(&kinds::NOT_FOUND))?;
    auth.sessions.end(&meant.id, EndReason::EndedByUser).await?;
    if meant.id == current.id {
        session.purge();
        auth.revoke_later(None, &current.tokens);
        return Ok(HttpResponse::NoContent().cookie(auth.csrf_cookie(None)).finish());
    }
    Ok(HttpResponse::NoContent().finish())
}

/// End all my other sessions
#[utoipa::path(
    tag = "sign-in",
    responses(
        (status = 200, description = "They have ended", body = EndedView),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 403, description = "The CSRF token is missing or wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "Sessions cannot be looked up", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[delete("/sessions")]
pub async fn end_other_sessions(
    session: Session,
    auth: web::Data<WorkerAuth>,
) -> Result<web::Json<EndedView>, Problem> {
    let current = auth.require_session(&session)?;
    let group = Group::of_subject(&current.identity.subject);
    let ended = auth.sessions.end_group(&group, Some(&current.id), EndReason::EndedByUser).await?;
    Ok(web::Json(EndedView { ended }))
}
