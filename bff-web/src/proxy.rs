//! Proxied routes: addresses of the configuration that lead to a service as it is.
//!
//! For what needs no screen of ours: a download, an upload, a service whose own contract the app speaks. They are routes
//! like all others: in the table with a policy, behind the gate, with the session checked and the CSRF token asked for. What
//! is passed on is named and nothing else is: the path by its segments (`path`), header fields by a list (`headers`), the
//! answer by what it means (`answer`). Bodies pass through as they come.

mod answer;
pub(crate) mod headers;
mod path;

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode, Version,
        header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING},
    },
    web,
};
use shared_lib::{
    context::RequestContext,
    downstream::{Downstreams, ForwardError, ForwardLimits, Upload, UploadFault},
    problem::{Problem, ProblemKind, kinds},
    server::RouteTable,
};

use crate::settings::{ProxiedSettings, ProxySettings};

/// Bad request: the address cannot be passed on.
pub static UNSAFE_PATH: ProblemKind = ProblemKind {
    code: "unsafe-path",
    status: StatusCode::BAD_REQUEST,
    title: "The address cannot be passed on",
    remedy: "Send a path of plain segments: no empty ones, no dots alone, no `;`, and nothing encoded twice.",
};

/// Adds the routes of the configuration to the program's own.
#[must_use]
pub fn add_routes(table: RouteTable, settings: &ProxySettings) -> RouteTable {
    settings.values().fold(table, |table, proxied| {
        let route = Arc::new(proxied.clone());
        let handler = move |ctx, request, payload, downstreams| {
            let route = Arc::clone(&route);
            async move { forward(&route, &ctx, &request, payload, &downstreams).await }
        };
        table.subtree(&proxied.path, &proxied.parsed_methods(), proxied.policy(), handler)
    })
}

/// Passes one request on.
async fn forward(
    route: &ProxiedSettings,
    ctx: &RequestContext,
    request: &HttpRequest,
    payload: web::Payload,
    downstreams: &web::Data<Downstreams>,
) -> Result<HttpResponse, Problem> {
    let below = path::below(request.uri().path(), &route.path)
        .ok_or_else(|| Problem::new(&UNSAFE_PATH).caused_by("a path that services could read in different ways"))?;
    let rewritten = route.rewrite.split('/').filter(|segment| !segment.is_empty());
    let segments: Vec<&str> = rewritten.chain(below.iter().map(String::as_str)).collect();
    let downstream =
        downstreams.get(&route.downstream).map_err(|error| Problem::new(&kinds::INTERNAL_ERROR).caused_by(error))?;
    let call = downstream
        .call(ctx, request.method().clone(), &segments)
        .raw_query(request.uri().query())
        .headers(headers::of_request(request.headers(), &route.request_headers)?)
        .as_caller();
    let upload = upload(request, payload, route.max_request_bytes)?;
    let limits = ForwardLimits { timeout: route.timeout(), max_answer_bytes: route.max_response_bytes };
    match call.forward(upload, limits).await {
        Ok(forwarded) => answer::pass_on(route, forwarded),
        Err(ForwardError::Upload(UploadFault::TooLarge(most))) => {
            Err(Problem::new(&kinds::PAYLOAD_TOO_LARGE).detail(format!("The limit is {most} bytes.")))
        }
        Err(ForwardError::Upload(fault @ UploadFault::BrokenOff)) => {
            Err(Problem::new(&kinds::MALFORMED_BODY).caused_by(fault))
        }
        Err(ForwardError::Downstream(error)) => Err(error.into()),
    }
}

/// The request's body, where it has one. That of a `GET` has no meaning (RFC 9110 section 9.3.1) and is not passed on.
fn upload(request: &HttpRequest, payload: web::Payload, most: u64) -> Result<Option<Upload>, Problem> {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return Ok(None);
    }
    let length = content_length(request.headers())?;
    // HTTP/2 frames its bodies itself.
    let has_body = request.headers().contains_key(TRANSFER_ENCODING) || request.version() == Version::HTTP_2;
    let has_body = length.map_or(has_body, |length| length > 0);
    Ok(has_body.then(|| Upload::new(payload, length, most)))
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(CONTENT_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| Problem::new(&kinds::MALFORMED_BODY).caused_by("a length that is no number"))
}
