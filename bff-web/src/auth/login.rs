//! `GET /api/auth/login`: the way out to the provider.

use actix_session::Session;
use actix_web::{HttpRequest, HttpResponse, get, http::header::LOCATION, web};
use shared_lib::{
    context::RequestContext,
    pagination::{FromQuery, Query, QueryReader},
    problem::{Problem, ProblemView},
};
use utoipa::IntoParams;

use super::{WorkerAuth, return_to::ReturnTo, step_up::StepUpDemand, transaction::Transaction};
use crate::settings::PROVIDER;

/// What begins a sign-in.
#[derive(Debug, Clone)]
pub struct LoginParams {
    return_to: ReturnTo,
    step_up: StepUpDemand,
}

/// The parameters, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct LoginQuery {
    /// Where to go afterwards: a local path, perhaps with a query. The start page unless given.
    #[param(rename = "returnTo", example = "/orders?page=1", max_length = 1024)]
    return_to: Option<String>,
    /// The authentication context class references of which the sign-in must be one, separated by spaces, the preferred one
    /// first. The problem `insufficient-user-authentication` says which.
    #[param(rename = "acrValues", example = "urn:sandbox:mfa")]
    acr_values: Option<String>,
    /// How long ago the sign-in may be, in seconds.
    #[param(rename = "maxAge", example = 300, minimum = 0, maximum = 999_999_999)]
    max_age: Option<u32>,
}

impl FromQuery for LoginParams {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        Self { return_to: ReturnTo::from_query(query), step_up: StepUpDemand::from_query(query) }
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
        (status = 400, description = "A parameter is wrong, such as a `returnTo` that is no local path", body = ProblemView, content_type = "application/problem+json"),
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
    let (replaces, subject) =
        auth.sessions.current(&session)?.map(|current| (current.secret, current.identity.subject)).unzip();
    let mut transaction = Transaction::begin(params.return_to, replaces);
    if params.step_up.is_some() {
        // Who has to prove more is who was signed in: nobody else finishes what that user began.
        transaction.step_up = StepUpDemand { subject, ..params.step_up };
    }
    let url = auth.authorization_url(&ctx, &transaction).await.map_err(|error| error.into_problem(PROVIDER))?;
    let mut response = HttpResponse::SeeOther();
    response.insert_header((LOCATION, url.as_str()));
    for cookie in auth.transactions.begin(&request, transaction, auth.clock.wall()) {
        response.cookie(cookie);
    }
    Ok(response.finish())
}
