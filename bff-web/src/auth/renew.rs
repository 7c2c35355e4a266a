//! `POST /api/auth/renew`: stays signed in while no other request is made, as a page with unsaved input wants it.

use actix_session::Session;
use actix_web::{HttpResponse, post, web};
use shared_lib::problem::{Problem, ProblemView, kinds};

use super::{WorkerAuth, session_view::SessionView};

/// Stay signed in
///
/// Begins the idle time anew and has the provider renew what the session was granted. The answer brings a fresh
/// `XSRF-TOKEN` cookie. The session never lasts beyond `endsAt`.
#[utoipa::path(
    tag = "sign-in",
    responses(
        (status = 200, description = "The session as it is now", body = SessionView),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 403, description = "The CSRF token is missing or wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The provider is away, or sessions cannot be looked up", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[post("/renew")]
pub async fn renew_session(session: Session, auth: web::Data<WorkerAuth>) -> Result<HttpResponse, Problem> {
    let current = auth.require_session(&session)?;
    auth.renew_tokens(&current).await?;
    let ends = auth.sessions.renew(&current.id).await?.ok_or_else(|| Problem::new(&kinds::UNAUTHENTICATED))?;
    let cookie = auth.csrf_cookie(Some(&current.identity));
    Ok(HttpResponse::Ok().cookie(cookie).json(SessionView::of(current.identity, &ends)))
}
