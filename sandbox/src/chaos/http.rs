//! Chaos in front of an HTTP service: records the call, waits, and answers as the plan says.

use std::time::Duration;

use actix_web::{
    Error, HttpResponse,
    body::{self, BodySize, BodyStream, BoxBody, MessageBody, SizedStream},
    dev::{ServiceRequest, ServiceResponse},
    error::{ErrorInternalServerError, PayloadError},
    http::{
        StatusCode, Version,
        header::{CONTENT_TYPE, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::{Bytes, Data},
};
use futures_util::{Stream, StreamExt, stream};

use super::{Chaos, Connection, Fault, Outcome, Plan, RecordedCall};
use crate::{part::Part, services};

/// Time between two bytes of a slow body.
const DRIP: Duration = Duration::from_millis(50);
/// What a body that is cut in the middle sends before, at most.
const HALF_AT_MOST: usize = 4 * 1024;
/// The pause that lets what was sent arrive: a reset throws away what is still on its way.
const BEFORE_RESET: Duration = Duration::from_millis(20);
/// Length of an oversized body, bytes.
const OVERSIZED: usize = 16 * 1024 * 1024;
const CHUNK: usize = 64 * 1024;

/// Middleware for the services port. Paths of no service pass.
///
/// # Errors
/// What the handler fails with.
pub(crate) async fn at_service(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(part) = Part::of_path(request.path()) else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    let route = request.path().trim_start_matches('/')[part.name().len()..].to_owned();
    act(part, &route, request, next).await
}

/// Middleware for the provider's port. The chaos endpoints themselves pass, and so does the key fetch of the sandbox's own
/// services: faults and records of the provider are about its clients.
///
/// # Errors
/// What the handler fails with.
pub(crate) async fn at_provider(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let own = request.headers().contains_key(crate::access::OWN_FETCH);
    if own || request.path() == "/chaos" || request.path().starts_with("/chaos/") {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    }
    let route = request.path().to_owned();
    act(Part::Provider, &route, request, next).await
}

async fn act(
    part: Part,
    route: &str,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(chaos) = request.app_data::<Data<Chaos>>().cloned() else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    let fields = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let call =
        RecordedCall::new(request.method().as_str(), request.path(), request.query_string(), fields, chaos.now());
    let mut plan = chaos.arrive(part, route, call);
    plan.wait().await;
    let mut response = match plan.outcome {
        Outcome::Answer | Outcome::GrpcStatus(_) => next.call(request).await?.map_into_boxed_body(),
        Outcome::Status(status) => {
            let response = services::failure(part, request.request(), status_code(Some(status)));
            request.into_response(response)
        }
        Outcome::Fault(fault, status) => match instead(fault, status_code(status), &request).await {
            Some(response) => request.into_response(response),
            None => spoil(fault, status, next.call(request).await?.map_into_boxed_body()).await?,
        },
    };
    add_headers(&plan, &mut response);
    Ok(response)
}

fn status_code(status: Option<u16>) -> StatusCode {
    status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK)
}

fn add_headers(plan: &Plan, response: &mut ServiceResponse<BoxBody>) {
    for (name, value) in &plan.headers {
        // Rules with fields that HTTP does not allow are not accepted in the first place.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            response.headers_mut().insert(name, value);
        }
    }
}

/// The answer of a fault that the service does not see; none for the other faults.
async fn instead(fault: Fault, status: StatusCode, request: &ServiceRequest) -> Option<HttpResponse> {
    let mut answer = HttpResponse::build(status);
    answer.content_type("application/json");
    match fault {
        Fault::MalformedJson => Some(answer.body(r#"{"items":[{"id":"1","name":"#)),
        Fault::OversizedBody => Some(answer.streaming(oversized())),
        Fault::Empty => Some(answer.body(Bytes::new())),
        Fault::Hang => std::future::pending().await,
        Fault::Reset => {
            let failing = stream::once(async { Err::<Bytes, _>(failed()) });
            reset(request.request(), true);
            Some(answer.streaming(failing))
        }
        Fault::WrongContentType | Fault::HangAfterHeaders | Fault::SlowDrip | Fault::ResetMidBody => None,
    }
}

/// The service's answer, spoiled.
async fn spoil(
    fault: Fault,
    status: Option<u16>,
    mut response: ServiceResponse<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if status.is_some() {
        *response.response_mut().status_mut() = status_code(status);
    }
    if fault == Fault::WrongContentType {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        return Ok(response);
    }
    if fault == Fault::HangAfterHeaders {
        return Ok(response.map_body(|_, body| match body.size() {
            BodySize::Sized(length) => {
                SizedStream::new(length.max(1), stream::pending::<Result<Bytes, Error>>()).boxed()
            }
            BodySize::None | BodySize::Stream => BodyStream::new(stream::pending::<Result<Bytes, Error>>()).boxed(),
        }));
    }
    let (request, response) = response.into_parts();
    let (response, whole) = response.into_parts();
    let whole = body::to_bytes(whole).await.map_err(|_| ErrorInternalServerError("a body that does not end"))?;
    let length = whole.len() as u64;
    let body = match fault {
        Fault::SlowDrip => SizedStream::new(length, drip(whole)).boxed(),
        _ => {
            reset(&request, false);
            let connection_only = request.version() == Version::HTTP_2;
            SizedStream::new(length, half(&whole, request.clone(), connection_only)).boxed()
        }
    };
    Ok(ServiceResponse::new(request, response.set_body(body)))
}

/// Prepares the connection so that its end is a reset. `now`: nothing more is to be sent on it.
fn reset(request: &actix_web::HttpRequest, now: bool) {
    let Some(connection) = request.conn_data::<Connection>() else { return };
    connection.reset_on_close();
    if now && request.version() == Version::HTTP_2 {
        connection.cut();
    }
}

fn failed() -> PayloadError {
    PayloadError::Incomplete(None)
}

fn oversized() -> impl Stream<Item = Result<Bytes, Error>> {
    let chunk = Bytes::from(vec![b'a'; CHUNK]);
    let inner = stream::iter(std::iter::repeat_n(chunk, OVERSIZED / CHUNK));
    stream::iter([Bytes::from_static(b"{\"items\":\"")])
        .chain(inner)
        .chain(stream::iter([Bytes::from_static(b"\"}")]))
        .map(Ok)
}

fn drip(whole: Bytes) -> impl Stream<Item = Result<Bytes, Error>> {
    stream::unfold(whole, |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(DRIP).await;
        let byte = rest.split_to(1);
        Some((Ok(byte), rest))
    })
}

fn half(
    whole: &Bytes,
    request: actix_web::HttpRequest,
    cut: bool,
) -> impl Stream<Item = Result<Bytes, PayloadError>> + use<> {
    let first = whole.slice(..(whole.len() / 2).min(HALF_AT_MOST));
    stream::iter([Ok(first)]).chain(stream::once(async move {
        tokio::time::sleep(BEFORE_RESET).await;
        if cut && let Some(connection) = request.conn_data::<Connection>() {
            connection.cut();
        }
        Err(failed())
    }))
}
