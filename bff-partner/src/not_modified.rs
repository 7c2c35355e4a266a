//! Entity tags, and the 304 for who has the answer already; which costs no quota.
//!
//! It stands outside the guard, so what is compared is the whole answer, and only of calls that were let in.

use actix_web::{
    HttpMessage, HttpResponse,
    body::{MessageBody, to_bytes},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{CACHE_CONTROL, ETAG, HeaderValue},
    },
    middleware::Next,
};
use shared_lib::{
    conditional::{Condition, EntityTag, NOT_MODIFIED_FIELDS},
    problem::{Problem, kinds},
};

use crate::auth::AdmittedCall;

/// The middleware.
///
/// # Errors
/// Those of what is inside, and a body that breaks off.
pub async fn answer_not_modified<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse, actix_web::Error> {
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    let condition = Condition::if_none_match(request.headers());
    let response = next.call(request).await?.map_into_boxed_body();
    // Only what a key was let in for: the rest is for everybody and says itself how it may be kept.
    let call = response.request().extensions().get::<AdmittedCall>().cloned();
    let (Some(call), true, StatusCode::OK) = (call, readable, response.status()) else {
        return Ok(response);
    };
    let (request, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|_| Problem::new(&kinds::INTERNAL_ERROR).caused_by("a body broke off"))?;
    let tag = EntityTag::weak_of(&body);
    if let Ok(value) = tag.header_value() {
        response.headers_mut().insert(ETAG, value);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    if !condition.is_some_and(|condition| condition.is_known(&tag)) {
        return Ok(ServiceResponse::new(request, response.set_body(body).map_into_boxed_body()));
    }
    call.bill().give_back().await;
    let mut unchanged = HttpResponse::NotModified().finish();
    for name in &NOT_MODIFIED_FIELDS {
        for value in response.headers().get_all(name) {
            unchanged.headers_mut().append(name.clone(), value.clone());
        }
    }
    // As it stands now that the quotas have their units back.
    for (name, value) in call.decision().without_quotas(call.bill().units()).headers() {
        unchanged.headers_mut().insert(name, value);
    }
    Ok(ServiceResponse::new(request, unchanged))
}
