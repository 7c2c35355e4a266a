//! What a browser's `EventSource` is told while sessions cannot be looked up.
//!
//! Any answer but a 200 stops it for good, and hides from the page which answer that was (WHATWG HTML 9.2.3). So on the route
//! of a stream, and for a client that takes events, the 503 that everybody else gets becomes a stream of one event,
//! `try-later`. Nobody is let in by that: the stream holds nothing of anybody, and ends.

use actix_web::{
    Error, HttpRequest, Responder,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{ACCEPT, HeaderMap},
    middleware::Next,
    web,
};
use shared_lib::{
    problem::{Problem, report},
    stream::EventStream,
};

use super::Live;
use crate::auth::session_store::SESSIONS_UNAVAILABLE;

/// The route of the stream.
const STREAM: &str = "/api/v2/notifications/stream";

/// Whether a client takes events, as an `EventSource` says of itself.
pub(crate) fn takes_events(headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accepts.is_some_and(|accept| accept.contains("text/event-stream"))
}

/// The middleware.
///
/// # Errors
/// What the handler fails with.
pub async fn tell_streams<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let takes_events = takes_events(request.headers());
    let response = next.call(request).await?;
    let told = response.response().error().filter(|_| takes_events);
    let Some(stream) = told.and_then(|error| instead_of(response.request(), error)) else {
        return Ok(response.map_into_left_body());
    };
    let answer = stream.respond_to(response.request()).map_into_boxed_body();
    Ok(response.into_response(answer).map_into_right_body())
}

/// The stream in place of this error, where it is one that passes.
fn instead_of(request: &HttpRequest, error: &Error) -> Option<EventStream> {
    let problem = error.as_error::<Problem>().filter(|problem| *problem.kind() == SESSIONS_UNAVAILABLE)?;
    if request.match_pattern()? != STREAM {
        return None;
    }
    // It is written no more as the problem that it is, so it is logged here.
    report(problem);
    Some(request.app_data::<web::Data<Live>>()?.notifications.send_away(problem.kind().code))
}
