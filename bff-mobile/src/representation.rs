//! What an answer costs on the wire: nothing where the app has it already, and little where it does not.
//!
//! Every successful answer to a `GET` gets an entity tag and, where the app accepts one and the answer is large enough,
//! a content coding. `If-None-Match` with that tag is answered by 304 without a body. The tag is made of the content
//! without its `receipt`, which says when and not what; it is weak for that reason, and there is one for each coding.
//!
//! It stands outside the gate: who may not have an answer does not learn whether it has changed either. It reads
//! whole bodies, which are bounded by what the services give; there are no streams on this API.

use std::{
    future::{Ready, ready},
    rc::Rc,
};

use actix_http::encoding::Encoder;
use actix_web::{
    HttpResponse,
    body::{BoxBody, MessageBody, to_bytes},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::{
        Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderMap, HeaderValue, VARY},
    },
};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;
use shared_lib::{
    conditional::{Coding, Condition, EntityTag, NOT_MODIFIED_FIELDS},
    problem::{Problem, kinds},
};

/// Below this many bytes a coding saves nothing that fits into fewer packets.
const MIN_CODED_BYTES: usize = 256;

/// The middleware. See the module.
#[derive(Debug, Clone, Copy)]
pub struct Representation;

impl<S, B> Transform<S, ServiceRequest> for Representation
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse;
    type Error = actix_web::Error;
    type Transform = RepresentationService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RepresentationService { service: Rc::new(service) }))
    }
}

/// The service behind [`Representation`].
#[derive(Debug)]
pub struct RepresentationService<S> {
    service: Rc<S>,
}

impl<S, B> Service<ServiceRequest> for RepresentationService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse;
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        // The request itself must not be kept: routing further in needs to be its only owner.
        let readable = matches!(*request.method(), Method::GET | Method::HEAD);
        let coding = Coding::negotiate(request.headers());
        let condition = Condition::if_none_match(request.headers());
        let answer = self.service.call(request);
        Box::pin(async move {
            let response = answer.await?;
            // Errors are written further out, so they are not touched here.
            if response.status() != StatusCode::OK || response.response().error().is_some() {
                return Ok(response.map_into_boxed_body());
            }
            represented(response, readable, coding, condition.as_ref()).await
        })
    }
}

async fn represented<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    readable: bool,
    coding: Option<Coding>,
    condition: Option<&Condition>,
) -> Result<ServiceResponse, actix_web::Error> {
    let (request, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|_| Problem::new(&kinds::INTERNAL_ERROR).caused_by("a body broke off"))?;
    let coding = coding.filter(|_| body.len() >= MIN_CODED_BYTES);
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    if readable {
        let tag = EntityTag::weak_of(&content(&body)).for_coding(coding);
        if let Ok(value) = tag.header_value() {
            response.headers_mut().insert(ETAG, value);
            // What has a tag may be kept by the app itself, and has to be asked about each time.
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        }
        if condition.is_some_and(|condition| condition.is_known(&tag)) {
            return Ok(ServiceResponse::new(request, not_modified(response.headers())));
        }
    }
    let Some(coding) = coding else {
        return Ok(ServiceResponse::new(request, response.set_body(BoxBody::new(body))));
    };
    response.headers_mut().remove(CONTENT_ENCODING);
    let response = response.set_body(());
    let response = response.map_body(|head, ()| BoxBody::new(Encoder::response(coding.into(), head, body)));
    Ok(ServiceResponse::new(request, response))
}

/// RFC 9110 section 15.4.5: what the 200 would have said about the representation is said again, and nothing else.
fn not_modified(headers: &HeaderMap) -> HttpResponse {
    let mut response = HttpResponse::NotModified().finish();
    for name in NOT_MODIFIED_FIELDS {
        for value in headers.get_all(&name) {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    response
}

/// What the tag speaks of: the body without its receipt.
fn content(body: &[u8]) -> Vec<u8> {
    // Lists have no receipt and are not worth reading; a list whose texts contain the word is read in vain.
    let has_receipt = body.windows(RECEIPT.len()).any(|window| window == RECEIPT);
    if has_receipt && let Ok(Value::Object(mut members)) = serde_json::from_slice(body) {
        members.remove("receipt");
        return Value::Object(members).to_string().into_bytes();
    }
    body.to_vec()
}

const RECEIPT: &[u8] = b"\"receipt\":{";

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: M5
    #[test]
    fn the_receipt_is_no_part_of_the_content() {
        let early = br#"{"name":"Alice","receipt":{"user":{"state":"live","asOf":"2026-01-01T00:00:00Z"}}}"#;
        let late = br#"{"name":"Alice","receipt":{"user":{"state":"live","asOf":"2026-01-02T00:00:00Z"}}}"#;
        let other = br#"{"name":"Bob","receipt":{"user":{"state":"live","asOf":"2026-01-01T00:00:00Z"}}}"#;
        assert_eq!(content(early), content(late));
        assert_ne!(content(early), content(other));
        assert_eq!(content(b"[1]"), b"[1]");
    }
}
