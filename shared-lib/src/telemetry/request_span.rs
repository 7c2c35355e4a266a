//! The middleware that runs each request within its span, and has it logged when it is over.
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

use super::access_log::Entry;
use crate::clock::Clock;

/// Marks an answer that goes on for as long as its client likes.
#[derive(Debug, Clone, Copy)]
pub struct LongAnswer;

impl LongAnswer {
    /// Marks the answer.
    pub fn mark<B>(response: &mut HttpResponse<B>) {
        response.extensions_mut().insert(Self);
    }

    fn is<B>(response: &ServiceResponse<B>) -> bool {
        response.response().extensions().contains::<Self>()
    }
}

/// Opens and ends request spans, and logs requests: `App::wrap(RequestSpan::new(clock))`, as the outermost middleware.
#[derive(Debug, Clone)]
pub struct RequestSpan {
    clock: Clock,
}

impl RequestSpan {
    /// Measures by this clock.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

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
        ready(Ok(RequestSpanService { service, clock: self.clock.clone() }))
    }
}

/// See [`RequestSpan`].
#[derive(Debug)]
pub struct RequestSpanService<S> {
    service: S,
    clock: Clock,
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
        let entry = Entry::begin(&request, self.clock.clone());
        let future = entry.in_scope(|| self.service.call(request));
        SpannedResponse { future, entry: Some(entry) }
    }
}

pin_project! {
    /// The answer in the making.
    pub struct SpannedResponse<F> {
        #[pin]
        future: F,
        // There until the answer has it.
        entry: Option<Entry>,
    }
}

impl<F, B> Future for SpannedResponse<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Result<ServiceResponse<SpannedBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let future = this.future;
        let outcome = std::task::ready!(match this.entry.as_ref() {
            Some(entry) => entry.in_scope(|| future.poll(context)),
            None => future.poll(context),
        });
        let mut entry = this.entry.take();
        if let Some(entry) = &mut entry {
            match &outcome {
                Ok(response) => {
                    entry.answered(response.status());
                    if LongAnswer::is(response) {
                        entry.end_span(response.request());
                    }
                }
                Err(error) => entry.answered(error.as_response_error().status_code()),
            }
        }
        Poll::Ready(outcome.map(|response| response.map_body(|_, body| SpannedBody { body, entry })))
    }
}

pin_project! {
    /// A body that is made within the request's span, and whose end is the end of the request.
    pub struct SpannedBody<B> {
        #[pin]
        body: B,
        entry: Option<Entry>,
    }
}

impl<B: MessageBody> MessageBody for SpannedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        let this = self.project();
        let body = this.body;
        match this.entry.as_ref() {
            Some(entry) => entry.in_scope(|| body.poll_next(context)),
            None => body.poll_next(context),
        }
    }
}
