//! The graph's one address. It answers in the form of GraphQL over HTTP, refusals of a document too, because that is what
//! the clients of that language read; who is not let in gets a problem, as everywhere.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{ACCEPT, CONTENT_TYPE},
    },
    post, web,
};
use shared_lib::{
    context::RequestContext,
    problem::{Problem, kinds},
};

use crate::{
    auth::{PartIdentity, TokenExchange},
    graphql::{Given, Graphql, GraphqlParams, GraphqlView},
    openapi::Refusals,
    services::Services,
};

const JSON: &str = "application/json";
const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

/// Executes one GraphQL document.
///
/// Fields that fail are null, and `errors` says why. A document that is refused is answered by 400 or 403, before any
/// service is asked; each error has a stable code in `extensions.code`.
#[utoipa::path(
    tag = "graphql",
    request_body = GraphqlParams,
    responses(
        (status = 200, description = "The document was executed; single fields may have failed", body = GraphqlView),
        (status = 415, description = "The body is not `application/json`",
            body = shared_lib::problem::ProblemView, content_type = "application/problem+json"),
        Refusals
    )
)]
#[post("/graphql")]
pub async fn post_graphql(
    request: HttpRequest,
    context: RequestContext,
    graphql: web::Data<Graphql>,
    services: web::Data<Services>,
    exchange: web::Data<TokenExchange>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    if !header(&request, CONTENT_TYPE.as_str()).is_some_and(is_json) {
        return Err(Problem::new(&kinds::UNSUPPORTED_MEDIA_TYPE));
    }
    let identity = PartIdentity::of(&request, &context)?;
    let (status, view) = match graphql.admit(&body) {
        Ok(admitted) => graphql.execute(admitted, Given { context, identity, services, exchange }).await,
        Err(problem) => Graphql::refusal(&problem, context.request_id()),
    };
    Ok(answer(&request, status, &view))
}

fn answer(request: &HttpRequest, status: StatusCode, view: &GraphqlView) -> HttpResponse {
    let understands = header(request, ACCEPT.as_str()).is_some_and(|accept| accept.contains(GRAPHQL_RESPONSE));
    HttpResponse::build(status).content_type(if understands { GRAPHQL_RESPONSE } else { JSON }).json(view)
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(JSON))
}
