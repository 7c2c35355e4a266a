//! The middleware for the routes of an old version.

use std::{
    future::{Ready, ready},
    rc::Rc,
};

use actix_web::{
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
};
use futures_util::future::LocalBoxFuture;

use super::Lifecycle;
use crate::problem::{Problem, kinds};

/// Puts what an old version says about its end on every answer below its prefix, failures included, and answers 410 once
/// it is gone. It stands outside authentication: that something is gone needs no sign-in.
#[derive(Debug, Clone)]
pub struct Versioned {
    prefix: &'static str,
    lifecycle: Lifecycle,
}

impl Versioned {
    /// For the paths below `prefix`, such as `/api/v1/`.
    #[must_use]
    pub fn new(prefix: &'static str, lifecycle: Lifecycle) -> Self {
        Self { prefix, lifecycle }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Versioned
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = VersionedService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(VersionedService { service: Rc::new(service), versioned: self.clone() }))
    }
}

/// The service behind [`Versioned`].
#[derive(Debug)]
pub struct VersionedService<S> {
    service: Rc<S>,
    versioned: Versioned,
}

impl<S, B> Service<ServiceRequest> for VersionedService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if !request.path().starts_with(self.versioned.prefix) {
            let answer = self.service.call(request);
            return Box::pin(async move { answer.await.map(ServiceResponse::map_into_left_body) });
        }
        let lifecycle = self.versioned.lifecycle.clone();
        lifecycle.count(request.headers());
        if lifecycle.is_gone() {
            let problem = Problem::new(&kinds::GONE).detail("This version of the API has come to its end.");
            let mut response = request.error_response(problem).map_into_right_body();
            lifecycle.complete(response.headers_mut());
            return Box::pin(ready(Ok(response)));
        }
        let answer = self.service.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            lifecycle.complete(response.headers_mut());
            Ok(response.map_into_left_body())
        })
    }
}
