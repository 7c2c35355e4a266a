//! Chaos in front of a gRPC service: the counterpart of `http`.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tonic::{Code, Status, body::Body, codegen::Service, server::NamedService};

use super::{Chaos, Fault, Outcome, RecordedCall, connection::GrpcConnection};
use crate::part::Part;

/// A gRPC service with chaos in front of it.
#[derive(Debug, Clone)]
pub(crate) struct Faulty<S> {
    service: S,
    chaos: Chaos,
}

impl<S> Faulty<S> {
    /// Puts the faults set for `notifications` in front of a service.
    pub(crate) fn new(service: S, chaos: Chaos) -> Self {
        Self { service, chaos }
    }
}

impl<S: NamedService> NamedService for Faulty<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Faulty<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fields = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let path = request.uri().path();
        let call = RecordedCall::new(request.method().as_str(), path, "", fields, self.chaos.now());
        let method = path.rsplit('/').next().unwrap_or_default();
        let mut plan = self.chaos.arrive(Part::Notifications, method, call);
        // The instance that was polled ready must be the one that is called.
        let fresh = self.service.clone();
        let mut service = std::mem::replace(&mut self.service, fresh);
        Box::pin(async move {
            plan.wait().await;
            match plan.outcome {
                Outcome::GrpcStatus(code) => Ok(Status::new(Code::from_i32(code), "set by a fault rule").into_http()),
                Outcome::Fault(Fault::Reset, _) => {
                    if let Some(connection) = request.extensions().get::<GrpcConnection>() {
                        connection.reset();
                    }
                    std::future::pending().await
                }
                Outcome::Fault(..) => std::future::pending().await,
                Outcome::Answer | Outcome::Status(_) => service.call(request).await,
            }
        })
    }
}
