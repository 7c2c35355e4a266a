//! The middleware that asks the limit for each request and refuses those that are one too many.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::{StatusCode, header::CACHE_CONTROL},
};
use pin_project_lite::pin_project;

use super::handle::{AdaptiveLimit, Ending, Permit, Place};
use crate::{
    problem::{PROBLEM_JSON, Problem, kinds},
    telemetry::request_id::RequestId,
};

/// `Retry-After` spreads over this many seconds from 1, so that those who were refused do not come back all at once.
const RETRY_SPREAD_SECONDS: u64 = 3;

impl<S, B> Transform<S, ServiceRequest> for AdaptiveLimit
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = AdaptiveLimitService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(AdaptiveLimitService { service, limit: self.clone() }))
    }
}

/// The service behind [`AdaptiveLimit`].
#[derive(Debug)]
pub struct AdaptiveLimitService<S> {
    service: S,
    limit: AdaptiveLimit,
}

impl<S, B> Service<ServiceRequest> for AdaptiveLimitService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = LimitedResponse<S::Future>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let permit = match self.limit.place(request.method(), request.match_pattern().as_deref()) {
            Place::Unlimited => None,
            Place::Limited(route) => match self.limit.try_acquire(route) {
                Some(permit) => Some(permit),
                None => {
                    let refusal = Some(refuse(request, self.limit.shed_total()));
                    return LimitedResponse { admitted: None, permit: None, refusal };
                }
            },
        };
        LimitedResponse { admitted: Some(self.service.call(request)), permit, refusal: None }
    }
}

/// An answer and no error: an error would be logged, and refusing has to be cheap.
fn refuse(request: ServiceRequest, shed: u64) -> ServiceResponse {
    let id = request.extensions().get::<RequestId>().cloned();
    let problem = Problem::new(&kinds::OVERLOADED).retry_after(Duration::from_secs(1 + shed % RETRY_SPREAD_SECONDS));
    let mut response = HttpResponse::build(problem.kind().status);
    response.content_type(PROBLEM_JSON).insert_header((CACHE_CONTROL, "no-store"));
    for header in problem.headers() {
        response.append_header(header.clone());
    }
    let body = problem.to_json(id.as_ref().map(RequestId::as_str)).to_string();
    request.into_response(response.body(body))
}

pin_project! {
    /// The answer in the making: the handler's, or the refusal.
    pub struct LimitedResponse<F> {
        #[pin]
        admitted: Option<F>,
        permit: Option<Permit>,
        refusal: Option<ServiceResponse>,
    }
}

impl<F, B> Future for LimitedResponse<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(refusal) = this.refusal.take() {
            return Poll::Ready(Ok(refusal.map_into_right_body()));
        }
        let Some(future) = this.admitted.as_pin_mut() else { return Poll::Pending };
        let outcome = std::task::ready!(future.poll(context));
        let status = match &outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        if let Some(permit) = this.permit.take() {
            permit.end(ending(status));
        }
        Poll::Ready(outcome.map(ServiceResponse::map_into_left_body))
    }
}

/// Refusals and failures are quick or slow for reasons of their own; only the ends of deadlines speak of load.
fn ending(status: StatusCode) -> Ending {
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => Ending::GivenUp,
        status if status.is_client_error() || status.is_server_error() => Ending::Unrelated,
        _ => Ending::Answered,
    }
}
