//! Headers that every answer carries: the request's id, and the browser's safest behaviour.
//!
//! Sources: OWASP Secure Headers Project; OWASP REST Security Cheat Sheet. A handler that knows better (an HTML page
//! with its own policy, an answer that may be cached) sets the header itself, and it is left alone.

use std::{future::Ready, future::ready, rc::Rc};

use actix_web::{
    HttpMessage,
    body::MessageBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    error::InternalError,
    http::header::{
        CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
        STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};
use futures_util::future::LocalBoxFuture;

use super::readiness::Readiness;
use crate::telemetry::request_id::{REQUEST_ID_HEADER, RequestId};

/// Set where the answer does not have the header yet.
const DEFAULTS: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // For JSON: should a browser ever render it as a page, the page can do nothing.
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Two years, as the preload lists of browsers ask.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// The middleware that adds the headers.
#[derive(Debug, Clone)]
pub struct ResponseHeaders {
    hsts: bool,
    readiness: Readiness,
}

impl ResponseHeaders {
    /// `hsts` is for production, where the public origin is https. While `readiness` says draining, answers ask the
    /// client to close its connection, so that it goes to another instance.
    #[must_use]
    pub fn new(hsts: bool, readiness: Readiness) -> Self {
        Self { hsts, readiness }
    }

    fn complete(&self, headers: &mut HeaderMap, id: Option<HeaderValue>) {
        if let Some(id) = id {
            headers.insert(REQUEST_ID_HEADER, id);
        }
        for (name, value) in DEFAULTS {
            if !headers.contains_key(&name) {
                headers.insert(name, value);
            }
        }
        if self.hsts {
            headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
        }
        if self.readiness.is_draining() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

impl<S, B> Transform<S, ServiceRequest> for ResponseHeaders
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<B>;
    type Error = actix_web::Error;
    type Transform = ResponseHeadersService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(ResponseHeadersService { service: Rc::new(service), settings: self.clone() }))
    }
}

/// The service behind [`ResponseHeaders`].
#[derive(Debug)]
pub struct ResponseHeadersService<S> {
    service: Rc<S>,
    settings: ResponseHeaders,
}

impl<S, B> Service<ServiceRequest> for ResponseHeadersService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<B>;
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        // The request itself must not be kept: routing further in needs to be its only owner.
        let id = request.extensions().get::<RequestId>().and_then(RequestId::header_value);
        let answer = self.service.call(request);
        let settings = self.settings.clone();
        Box::pin(async move {
            match answer.await {
                Ok(mut response) => {
                    settings.complete(response.headers_mut(), id);
                    Ok(response)
                }
                Err(error) => {
                    let mut response = error.error_response();
                    settings.complete(response.headers_mut(), id);
                    Err(InternalError::from_response(error, response).into())
                }
            }
        })
    }
}
