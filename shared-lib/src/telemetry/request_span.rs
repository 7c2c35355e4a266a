//! The middleware that runs each request within its span.
//!
//! The span ends with the last byte of the answer, with one exception: an answer that goes on for as long as its client
//! likes ([`LongAnswer`]), whose span ends with the head. Else it would be exported after hours, if the process lives that
//! long, and be held in memory all the while. Its line in the log is still written at its end, with the same ids.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpResponse,
    body::{BodySize, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    web::Bytes,
};
use pin_project_lite::pin_project;
use tracing::Span;

use super::root_span;

/// Marks an answer that goes on for as long as its client likes.
#[derive(Debug, Clone, Copy)]
pub struct LongAnswer;

impl LongAnswer {
    /// Marks the answer.
    pub fn mark<B>(response: &mut HttpResponse<B>) {
        response.extensions_mut().insert(Self);
    }

    pub(super) fn is<B>(response: &ServiceResponse<B>) -> bool {
        response.response().extensions().contains::<Self>()
    }
}

/// Opens and ends request spans: `App::wrap(RequestSpan)`, as the outermost middleware.
#[derive(Debug, Clone, Copy)]
pub struct RequestSpan;

impl<S, B> Transform<S, ServiceRequest> for RequestSpan
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<SpannedBody<B>>;
    type Error = Error;
    type Transform = RequestSpanService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RequestSpanService { service }))
    }
}

/// See [`RequestSpan`].
#[derive(Debug)]
pub struct RequestSpanService<S> {
    service: S,
}

impl<S, B> Service<ServiceRequest> for RequestSpanService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<SpannedBody<B>>;
    type Error = Error;
    type Future = SpannedResponse<S::Future>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let span = root_span::begin(&request);
        let future = span.in_scope(|| self.service.call(request));
        SpannedResponse { future, span }
    }
}

pin_project! {
    /// The answer in the making.
    pub struct SpannedResponse<F> {
        #[pin]
        future: F,
        span: Span,
    }
}

impl<F, B> Future for SpannedResponse<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Result<ServiceResponse<SpannedBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let span = std::mem::replace(this.span, Span::none());
        let Poll::Ready(outcome) = span.in_scope(|| this.future.poll(context)) else {
            *this.span = span;
            return Poll::Pending;
        };
        root_span::record_status(
            &span,
            match &outcome {
                Ok(response) => response.status(),
                Err(error) => error.as_response_error().status_code(),
            },
        );
        Poll::Ready(outcome.map(|response| {
            let span = if LongAnswer::is(&response) { Span::none() } else { span };
            response.map_body(|_, body| SpannedBody { body, span })
        }))
    }
}

pin_project! {
    /// A body that is made within the request's span.
    pub struct SpannedBody<B> {
        #[pin]
        body: B,
        span: Span,
    }
}

impl<B: MessageBody> MessageBody for SpannedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        let this = self.project();
        this.span.in_scope(|| this.body.poll_next(context))
    }
}
