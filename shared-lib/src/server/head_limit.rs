//! Refuses requests whose head is larger than the settings allow.
//!
//! The parser has limits of its own that no setting reaches: 128 KiB for the whole head and 96 headers. They keep memory
//! bounded; this one keeps what is passed on to logs, guards and downstreams small.

use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};

use crate::problem::{Problem, kinds};

/// Lets a request pass whose target, header names and header values are no more than `max_bytes` together.
///
/// # Errors
/// Those of the services further in.
pub(crate) async fn limit_head<B: MessageBody + 'static>(
    max_bytes: usize,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if head_bytes(&request) > max_bytes {
        let problem =
            Problem::new(&kinds::HEADERS_TOO_LARGE).detail(format!("At most {max_bytes} bytes are accepted."));
        return Ok(request.error_response(problem).map_into_right_body());
    }
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

fn head_bytes(request: &ServiceRequest) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    target + headers.sum::<usize>()
}
