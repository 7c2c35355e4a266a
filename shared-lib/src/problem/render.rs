//! Writes every error of the application as a problem, in one place.
//!
//! Handlers return [`Problem`]; actix itself fails with its own errors (a body that is not JSON, an unknown path, a
//! wrong method). This middleware sees both, adds the request's id, and logs each server error once, with its cause.

use std::{error::Error, rc::Rc};

use actix_web::{
    HttpMessage, HttpResponse, ResponseError,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    error::{InternalError, JsonPayloadError, PathError, PayloadError, QueryPayloadError},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
    },
};
use futures_util::future::LocalBoxFuture;

use super::{PROBLEM_JSON, Problem, kinds};
use crate::telemetry::request_id::RequestId;

/// The answer for a problem.
pub(super) fn response(problem: &Problem, request_id: Option<&str>) -> HttpResponse {
    let mut response = HttpResponse::build(problem.kind().status);
    if problem.kind().status == StatusCode::NO_CONTENT {
        // The one way to tell a browser's `EventSource` to stop, and it has no body.
        return response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store"))).finish();
    }
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON)));
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    for (name, value) in problem.headers() {
        response.append_header((name.clone(), value.clone()));
    }
    response.body(problem.to_json(request_id).to_string())
}

/// The problem that an error of actix stands for. Its text is not passed on: it can carry pieces of the input.
#[must_use]
pub fn problem_from_error(error: &actix_web::Error) -> Problem {
    if let Some(error) = error.as_error::<JsonPayloadError>() {
        return match error {
            JsonPayloadError::ContentType => Problem::new(&kinds::UNSUPPORTED_MEDIA_TYPE),
            JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
                Problem::new(&kinds::PAYLOAD_TOO_LARGE)
            }
            JsonPayloadError::Deserialize(error) => Problem::new(&kinds::MALFORMED_BODY).detail(format!(
                "The body does not fit at line {}, column {}.",
                error.line(),
                error.column()
            )),
            _ => Problem::new(&kinds::MALFORMED_BODY),
        };
    }
    if error.as_error::<QueryPayloadError>().is_some() {
        return Problem::new(&kinds::VALIDATION_FAILED).detail("The query string cannot be read.");
    }
    if error.as_error::<PathError>().is_some() {
        return Problem::new(&kinds::NOT_FOUND);
    }
    if let Some(PayloadError::Overflow) = error.as_error::<PayloadError>() {
        return Problem::new(&kinds::PAYLOAD_TOO_LARGE);
    }
    problem_from_status(error.as_response_error().status_code())
}

fn problem_from_status(status: StatusCode) -> Problem {
    let kind = kinds::ALL.iter().find(|kind| kind.status == status).copied().unwrap_or(if status.is_client_error() {
        &kinds::MALFORMED_BODY
    } else {
        &kinds::INTERNAL_ERROR
    });
    Problem::new(kind)
}

/// The middleware that renders [`Problem`]s and actix's own errors. It stands inside the trace, so that the log line
/// has the request's span, and outside everything that can fail.
#[derive(Debug, Clone, Copy, Default)]
pub struct RenderProblems;

impl<S, B> Transform<S, ServiceRequest> for RenderProblems
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = RenderProblemsService<S>;
    type InitError = ();
    type Future = std::future::Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        std::future::ready(Ok(RenderProblemsService { service: Rc::new(service) }))
    }
}

/// The service behind [`RenderProblems`].
#[derive(Debug)]
pub struct RenderProblemsService<S> {
    service: Rc<S>,
}

impl<S, B> Service<ServiceRequest> for RenderProblemsService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        // The request itself must not be kept: routing further in needs to be its only owner.
        let request_id = request.extensions().get::<RequestId>().cloned();
        let answer = self.service.call(request);
        Box::pin(async move {
            let request_id = request_id.as_ref().map(RequestId::as_str);
            // Handlers and the gate fail with a response. An error comes from middleware that has no request any more.
            let response = answer.await.map_err(|error| {
                let rendered = render_error(&error, request_id);
                InternalError::from_response(error, rendered)
            })?;
            if let Some(error) = response.response().error() {
                let rendered = render_error(error, request_id);
                return Ok(with_headers_of(response, rendered).map_into_right_body());
            }
            // An unmatched path or method is a bare status without a body.
            let status = response.status();
            let bare = response.response().body().size().is_eof();
            if bare && (status.is_client_error() || status.is_server_error()) {
                let rendered = self::response(&problem_from_status(status), request_id);
                return Ok(with_headers_of(response, rendered).map_into_right_body());
            }
            Ok(response.map_into_left_body())
        })
    }
}

/// The rendered problem with the headers that layers further in had added, such as `Allow` or a rate limit's state.
fn with_headers_of<B>(response: ServiceResponse<B>, mut rendered: HttpResponse) -> ServiceResponse {
    let of_the_problem = rendered.headers().clone();
    for (name, value) in response.headers() {
        // Every value of a name, such as each of two cookies, but none beside what the problem says itself.
        if *name != CONTENT_LENGTH && !of_the_problem.contains_key(name) {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
    }
    response.into_response(rendered)
}

fn render_error(error: &actix_web::Error, request_id: Option<&str>) -> HttpResponse {
    match error.as_error::<Problem>() {
        Some(problem) => {
            log(problem, &causes(problem));
            response(problem, request_id)
        }
        None => {
            let problem = problem_from_error(error);
            // The text of an actix error can carry pieces of the input; only a server error is worth that.
            let cause = if problem.kind().status.is_server_error() { error.to_string() } else { String::new() };
            log(&problem, &cause);
            response(&problem, request_id)
        }
    }
}

/// The chain of causes, outermost first.
fn causes(problem: &Problem) -> String {
    let mut text = String::new();
    let mut source = problem.source();
    while let Some(cause) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Logs a problem that is answered within a body and not as one, such as the failure of one field of a graph.
pub fn report(problem: &Problem) {
    log(problem, &causes(problem));
}

fn log(problem: &Problem, cause: &str) {
    let code = problem.kind().code;
    if problem.status_code().is_server_error() {
        tracing::error!(code, cause, "request failed: {problem}");
    } else {
        tracing::debug!(code, cause, "request refused: {problem}");
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        http::header::{ALLOW, SET_COOKIE},
        test::{TestRequest, call_service, init_service},
        web,
    };

    use super::*;

    #[actix_web::test]
    async fn every_value_of_a_header_stays_on_an_error() {
        let refuse = || async {
            let mut refused = HttpResponse::MethodNotAllowed();
            refused.append_header((SET_COOKIE, "a=1")).append_header((SET_COOKIE, "b=2"));
            refused.append_header((ALLOW, "GET")).append_header((CACHE_CONTROL, "private")).finish()
        };
        let app = init_service(App::new().wrap(RenderProblems).route("/", web::get().to(refuse))).await;
        let answer = call_service(&app, TestRequest::get().to_request()).await;
        let all = |name| answer.headers().get_all(name).map(HeaderValue::as_bytes).collect::<Vec<_>>();
        assert_eq!(all(SET_COOKIE), [b"a=1", b"b=2"]);
        assert_eq!(all(ALLOW), [b"GET"]);
        assert_eq!(all(CACHE_CONTROL), [b"no-store"], "what the problem says itself is said once");
        assert_eq!(all(CONTENT_TYPE), [PROBLEM_JSON.as_bytes()]);
    }
}
