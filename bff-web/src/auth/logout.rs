//! `POST /api/auth/logout` ends the session here, and `GET /api/auth/logout` goes on to end it at the provider.
//!
//! Script cannot follow a redirect to another origin, so the first one answers an address of this origin to navigate to
//! (OpenID Connect RP-Initiated Logout 1.0). The session is gone by then; what the provider has to be told travels in a
//! sealed ticket in that address. It is the provider's own name of the session, never a token.

use actix_session::Session;
use actix_web::{HttpResponse, get, http::header::LOCATION, post, web};
use serde::{Deserialize, Serialize};
use shared_lib::{
    context::RequestContext,
    pagination::{FromQuery, Query, QueryReader},
    problem::{Problem, ProblemView},
};
use utoipa::{IntoParams, ToSchema};

use super::{WorkerAuth, seal::Seal, session_ends::EndReason};

/// What a ticket is sealed for.
const CONTEXT: &str = "logout";

/// Where the session ends at the provider.
#[derive(Serialize, Deserialize)]
pub(super) struct Ticket {
    /// The provider's name of the session, or of the user where it has none.
    pub(super) hint: String,
}

/// Seals tickets.
pub(super) type Tickets = Seal<Ticket>;

/// The session has ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogoutView {
    /// Where to navigate to, so that the session at the provider ends as well; of this origin.
    #[schema(example = "/api/auth/logout?ticket=…")]
    pub logout_url: String,
}

/// Sign out
///
/// Ends the session at once. Then navigate to `logoutUrl`.
#[utoipa::path(
    tag = "sign-in",
    responses(
        (status = 200, description = "The session has ended", body = LogoutView),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 403, description = "The CSRF token is missing or wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "Sessions cannot be looked up", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[post("/logout")]
pub async fn end_session(
    ctx: RequestContext,
    session: Session,
    auth: web::Data<WorkerAuth>,
) -> Result<HttpResponse, Problem> {
    let current = auth.require_session(&session)?;
    auth.sessions.end(&current.id, EndReason::SignedOut).await?;
    session.purge();
    auth.revoke_later(Some(&ctx), &current.tokens);
    let hint = current.identity.provider_session.unwrap_or(current.identity.subject);
    let ticket = auth.logout_tickets.seal(Ticket { hint }, CONTEXT, auth.clock.wall());
    let logout_url = ticket.map_or_else(|| "/".to_owned(), |ticket| format!("/api/auth/logout?ticket={ticket}"));
    Ok(HttpResponse::Ok().cookie(auth.csrf_cookie(None)).json(LogoutView { logout_url }))
}

/// What leads on to the provider.
#[derive(Debug, Clone)]
pub struct LeaveParams {
    ticket: Option<String>,
}

/// The parameters, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct LeaveQuery {
    /// From `logoutUrl`.
    ticket: Option<String>,
}

impl FromQuery for LeaveParams {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        Self { ticket: query.text("ticket") }
    }
}

/// Sign out at the provider
///
/// For navigations, not for script: the answer leads to the provider and from there to the start page. Where that is not
/// possible, it leads to the start page at once.
#[utoipa::path(
    tag = "sign-in",
    params(LeaveQuery),
    responses(
        (status = 303, description = "On to the provider"),
        (status = 400, description = "A parameter is wrong", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/logout")]
pub async fn leave_provider(
    ctx: RequestContext,
    auth: web::Data<WorkerAuth>,
    Query(params): Query<LeaveParams>,
) -> HttpResponse {
    let ticket = params.ticket.and_then(|ticket| auth.logout_tickets.open(&ticket, CONTEXT, auth.clock.wall()));
    let url = match ticket {
        Some((ticket, _)) => auth.end_session_url(&ctx, &ticket.hint).await,
        None => None,
    };
    let location = url.map_or_else(|| "/".to_owned(), String::from);
    HttpResponse::SeeOther().insert_header((LOCATION, location)).finish()
}
