//! `GET /api/auth/login`: the way out to the provider.

use actix_session::Session;
use actix_web::{HttpRequest, HttpResponse, get, http::header::LOCATION, web};
use shared_lib::{
    context::RequestContext,
    pagination::{FromQuery, Query, QueryReader},
    problem::{Problem, ProblemView},
};
use utoipa::IntoParams;

use super::{WorkerAuth, return_to::ReturnTo, transaction::Transaction};
use crate::settings::PROVIDER;

/// What begins a sign-in.
#[derive(Debug, Clone)]
pub struct LoginParams {
    return_to: ReturnTo,
}

/// The parameters, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct LoginQuery {
    /// Where to go afterwards: a local path, perhaps with a query. The start page unless given.
    #[param(rename = "returnTo", example = "/orders?page=1", max_length = 1024)]
    return_to: Option<String>,
}

impl FromQuery for LoginParams {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        Self { return_to: ReturnTo::from_query(query) }
    }
}

/// Begin to sign in
///
/// For navigations, not for script: the answer leads to the provider.
#[utoipa::path(
    tag = "sign-in",
    params(LoginQuery),
    responses(
        (status = 303, description = "On to the provider"),
        (status = 400, description = "`returnTo` is no local path", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The provider failed", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The provider or the session store is away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The provider took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/login")]
pub async fn begin_login(
    ctx: RequestContext,
    request: HttpRequest,
    session: Session,
    auth: web::Data<WorkerAuth>,
    Query(params): Query<LoginParams>,
) -> Result<HttpResponse, Problem> {
    let replaces = auth.sessions.current(&session)?.map(|current| current.secret);
    let transaction = Transaction::begin(params.return_to, replaces);
    let url = auth.authorization_url(&ctx, &transaction).await.map_err(|error| error.into_problem(PROVIDER))?;
    let mut response = HttpResponse::SeeOther();
    response.insert_header((LOCATION, url.as_str()));
    for cookie in auth.transactions.begin(&request, transaction, auth.clock.wall()) {
        response.cookie(cookie);
    }
    Ok(response.finish())
}
