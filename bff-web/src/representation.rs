//! Which representation of an answer a client gets: plain, compressed, or none because it has it already.
//!
//! Only answers that a screen has marked as [`Negotiable`] are looked at. That is also what keeps compression from telling
//! secrets (BREACH: whoever can put text into an answer and see its length can guess what else is in it). An attacker needs
//! three things in one compressed answer: a secret, text of theirs beside it, and requests in the victim's name. Here
//! - no marked answer carries a secret: session keys, CSRF tokens and provider tokens travel in headers and cookies, which
//!   no content coding touches, and the answers under `/api/auth` and errors are never marked. A page of the application
//!   has a nonce, which is another one each time it is asked for;
//! - no marked answer of a user repeats text of the request: at most a page's number and size, which are read as numbers;
//! - another site's requests carry no session, because its cookie is SameSite.
//!
//! Each coding has a tag of its own, so a comparison is with the representation that would be sent.

use std::{
    future::{Ready, ready},
    rc::Rc,
};

use actix_http::encoding::Encoder;
use actix_web::{
    body::{self, BodySize, BoxBody, EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::{
        Method, StatusCode,
        header::{ContentEncoding, ETAG, HeaderMap, HeaderValue, VARY},
    },
};
use futures_util::future::LocalBoxFuture;
use shared_lib::conditional::{Coding, Condition, EntityTag, NOT_MODIFIED_FIELDS};

/// Answers below this many bytes fit into one packet with their headers, and are sent as they are.
const MIN_COMPRESSED_BYTES: u64 = 1_024;

/// The mark of an answer that may be compressed and need not be sent again. It has the tag of its plain form.
#[derive(Debug, Clone, Copy)]
pub struct Negotiable;

/// The middleware.
#[derive(Debug, Clone, Copy, Default)]
pub struct Representation;

impl<S, B> Transform<S, ServiceRequest> for Representation
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<Encoder<BoxBody>, B>>;
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
    type Response = ServiceResponse<EitherBody<Encoder<BoxBody>, B>>;
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        // What is needed is read now: the request must not be kept, because routing has to be its only owner.
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let wanted = Coding::negotiate(request.headers());
        let known = Condition::if_none_match(request.headers()).filter(|_| reads);
        let answer = self.service.call(request);
        Box::pin(async move {
            let response = answer.await?;
            let is_marked = response.response().extensions().get::<Negotiable>().is_some();
            if !reads || !is_marked || response.status() != StatusCode::OK {
                return Ok(response.map_body(|_, body| EitherBody::right(body)));
            }
            Ok(represent(response, wanted, known.as_ref()))
        })
    }
}

fn represent<B: MessageBody + 'static>(
    mut response: ServiceResponse<B>,
    wanted: Option<Coding>,
    known: Option<&Condition>,
) -> ServiceResponse<EitherBody<Encoder<BoxBody>, B>> {
    let is_large = match response.response().body().size() {
        BodySize::Sized(bytes) => bytes >= MIN_COMPRESSED_BYTES,
        BodySize::None | BodySize::Stream => false,
    };
    let coding = wanted.filter(|_| is_large);
    let headers = response.headers_mut();
    if !names(headers, "accept-encoding") {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    let tag = headers.get(ETAG).and_then(|value| value.to_str().ok()).and_then(EntityTag::parse);
    let tag = tag.map(|tag| tag.for_coding(coding));
    if let Some(value) = tag.as_ref().and_then(|tag| tag.header_value().ok()) {
        headers.insert(ETAG, value);
    }
    if tag.zip(known).is_some_and(|(tag, known)| known.is_known(&tag)) {
        return not_modified(response);
    }
    let coding = coding.map_or(ContentEncoding::Identity, ContentEncoding::from);
    response.map_body(|head, body| {
        // The coder names Accept-Encoding in a Vary of its own, which stands there already.
        let vary: Vec<_> = head.headers().get_all(VARY).cloned().collect();
        let body = Encoder::response(coding, head, body.boxed());
        head.headers_mut().remove(VARY);
        vary.into_iter().for_each(|value| head.headers_mut().append(VARY, value));
        EitherBody::left(body)
    })
}

/// 304 with the header fields that it repeats and no other of the content.
fn not_modified<B>(mut response: ServiceResponse<B>) -> ServiceResponse<EitherBody<Encoder<BoxBody>, B>> {
    let repeated: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| NOT_MODIFIED_FIELDS.contains(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let headers = response.headers_mut();
    headers.clear();
    repeated.into_iter().for_each(|(name, value)| headers.append(name, value));
    response.map_body(|head, _| {
        head.status = StatusCode::NOT_MODIFIED;
        EitherBody::left(Encoder::response(ContentEncoding::Identity, head, BoxBody::new(body::None::new())))
    })
}

/// Whether a `Vary` names this field.
fn names(headers: &HeaderMap, field: &str) -> bool {
    let fields = headers.get_all(VARY).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    fields.map(str::trim).any(|name| name.eq_ignore_ascii_case(field))
}
