//! `GET /api/auth/session`: who is signed in, and until when. Asking does not prolong the session, so a page can show a
//! countdown.

use actix_session::Session;
use actix_web::{HttpResponse, get, web};
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::problem::{Problem, ProblemView};
use utoipa::ToSchema;

use super::{
    WorkerAuth,
    session_store::{Ends, Identity},
};

/// The session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Who is signed in.
    pub user: SessionUser,
    /// When the session ends if no request comes.
    #[schema(value_type = String, format = DateTime)]
    pub idle_ends_at: Timestamp,
    /// When it ends in any case.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
}

impl SessionView {
    /// What is said of this session.
    pub(super) fn of(identity: Identity, ends: &Ends) -> Self {
        Self {
            user: SessionUser { id: identity.subject, name: identity.name },
            idle_ends_at: ends.first(),
            ends_at: ends.absolute,
        }
    }
}

/// Who is signed in, as the provider said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionUser {
    /// The stable id.
    pub id: String,
    /// The name to show, where the provider told one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Who is signed in
///
/// The answer brings a fresh `XSRF-TOKEN` cookie.
#[utoipa::path(
    tag = "sign-in",
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "Sessions cannot be looked up", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/session")]
pub async fn get_session(session: Session, auth: web::Data<WorkerAuth>) -> Result<HttpResponse, Problem> {
    let current = auth.require_session(&session)?;
    let cookie = auth.csrf_cookie(Some(&current.identity));
    Ok(HttpResponse::Ok().cookie(cookie).json(SessionView::of(current.identity, &current.ends)))
}
