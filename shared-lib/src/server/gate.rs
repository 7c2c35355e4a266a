//! The gate between the edge and the handlers: finds the route's policy, has the BFF's [`Guard`] decide, and makes the
//! request's context.

use std::{any::Any, collections::HashMap, future::Ready, future::ready, rc::Rc, time::Duration};

use actix_web::{
    HttpMessage,
    body::EitherBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::{
        Method,
        header::{ACCEPT_LANGUAGE, ALLOW, HeaderName, HeaderValue},
    },
};
use futures_util::future::LocalBoxFuture;
use opentelemetry::Context;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::routes::Route;
use crate::{
    context::{Caller, Credentials, RequestContext},
    downstream::budget::RequestBudget,
    problem::{Problem, kinds},
    telemetry::request_id::RequestId,
};

/// How long after its deadline a handler is cut off. Calls to downstreams end at the deadline by themselves; this is
/// for what does not, such as a client that sends its body drop by drop.
const GRACE: Duration = Duration::from_millis(250);

/// The longest `Accept-Language` that is passed on, in bytes.
const MAX_LOCALE_BYTES: usize = 128;

/// How a BFF lets requests in. One for each worker.
pub trait Guard {
    /// Authenticates the request and decides by the route's policy.
    ///
    /// Implementations refuse whatever they do not understand. A route with [`Access::Public`](super::Access::Public)
    /// is let in without credentials, but wrong ones may still be refused.
    ///
    /// # Errors
    /// The problem to answer with.
    fn admit<'a>(
        &'a self,
        request: &'a ServiceRequest,
        route: &'a Route,
    ) -> LocalBoxFuture<'a, Result<Admission, Problem>>;
}

/// A request that is let in.
#[derive(Default)]
pub struct Admission {
    /// Who makes it.
    pub caller: Option<Caller>,
    /// Whose token its calls carry, where the route's policy says so.
    pub credentials: Option<Credentials>,
    /// Headers for the answer, whatever it is, such as the state of a rate limit.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Kept until the answer's head is ready, such as a place in a concurrency limit.
    pub hold: Option<Box<dyn Any>>,
}

/// The middleware.
pub(super) struct Gate {
    shared: Rc<Shared>,
}

struct Shared {
    routes: HashMap<String, Vec<Route>>,
    guard: Rc<dyn Guard>,
    request_timeout: Duration,
}

/// What the table knows of a request's path and method.
enum Found<'a> {
    Route(&'a Route),
    /// The path is there; these are its methods.
    OtherMethods(&'a [Route]),
    Nothing,
}

impl Shared {
    fn find(&self, request: &ServiceRequest) -> Found<'_> {
        let Some(routes) = request.match_pattern().and_then(|pattern| self.routes.get(&pattern)) else {
            return Found::Nothing;
        };
        let by = |method: &Method| routes.iter().find(|route| route.method == *method);
        let asked = request.method();
        // Where there is a GET there is a HEAD (RFC 9110 section 9.3.2).
        let route = by(asked).or_else(|| if *asked == Method::HEAD { by(&Method::GET) } else { None });
        route.map_or(Found::OtherMethods(routes), Found::Route)
    }
}

/// The methods of a path, as `Allow` lists them (RFC 9110 section 10.2.1).
fn allow(routes: &[Route]) -> Result<HeaderValue, Problem> {
    let mut methods: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    let value = HeaderValue::from_str(&methods.join(", "));
    value.map_err(|error| Problem::new(&kinds::INTERNAL_ERROR).caused_by(error))
}

impl Gate {
    pub(super) fn new(routes: HashMap<String, Vec<Route>>, guard: Rc<dyn Guard>, request_timeout: Duration) -> Self {
        Self { shared: Rc::new(Shared { routes, guard, request_timeout }) }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Gate
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = GateService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(GateService { service: Rc::new(service), shared: Rc::clone(&self.shared) }))
    }
}

pub(super) struct GateService<S> {
    service: Rc<S>,
    shared: Rc<Shared>,
}

impl<S, B> Service<ServiceRequest> for GateService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let service = Rc::clone(&self.service);
        let shared = Rc::clone(&self.shared);
        Box::pin(async move {
            // Nothing is registered outside the table, so what is not in it ends as not found.
            let route = match shared.find(&request) {
                Found::Route(route) => route,
                Found::OtherMethods(routes) => {
                    let problem = Problem::new(&kinds::METHOD_NOT_ALLOWED).header(ALLOW, allow(routes)?);
                    return Ok(request.error_response(problem).map_into_right_body());
                }
                Found::Nothing => return service.call(request).await.map(ServiceResponse::map_into_left_body),
            };

            let deadline = route.policy.deadline.unwrap_or(shared.request_timeout);
            let budget = budget_of(&request, deadline);
            let allowed = budget.remaining().unwrap_or_default().min(deadline);
            let admission = match shared.guard.admit(&request, route).await {
                Ok(admission) => admission,
                // A response and no error, because the layers outside have to put their headers on it.
                Err(problem) => return Ok(request.error_response(problem).map_into_right_body()),
            };
            let context = context(&request, budget, admission.caller, admission.credentials);
            request.extensions_mut().insert(context);
            // The guard saw the method that was sent, which a proof of possession names. The handler of GET answers a
            // HEAD, and the listener leaves the body out.
            if *request.method() != route.method {
                request.head_mut().method = route.method.clone();
            }

            let answer = tokio::time::timeout(allowed + GRACE, service.call(request)).await;
            drop(admission.hold);
            let mut response = answer.unwrap_or_else(|_| Err(Problem::new(&kinds::REQUEST_TIMEOUT).into()))?;
            for (name, value) in admission.headers {
                response.headers_mut().append(name, value);
            }
            Ok(response.map_into_left_body())
        })
    }
}

/// A request that this process makes to itself, such as a part of a batch, brings the budget of the request that caused
/// it, and shall not get time and attempts anew. Nothing that comes over a connection can bring one.
fn budget_of(request: &ServiceRequest, deadline: Duration) -> RequestBudget {
    let brought = request.extensions().get::<RequestBudget>().cloned();
    brought.unwrap_or_else(|| RequestBudget::starting_now(deadline))
}

fn context(
    request: &ServiceRequest,
    budget: RequestBudget,
    caller: Option<Caller>,
    credentials: Option<Credentials>,
) -> RequestContext {
    let request_id = request.extensions().get::<RequestId>().cloned().unwrap_or_else(RequestId::fresh);
    let locale = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let locale = locale.filter(|text| text.len() <= MAX_LOCALE_BYTES).map(ToOwned::to_owned);
    let trace: Context = tracing::Span::current().context();
    let context = RequestContext::new(budget, request_id, caller, locale, trace);
    match credentials {
        Some(credentials) => context.with_credentials(credentials),
        None => context,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, get, test};

    use super::*;
    use crate::{
        clock::Clock,
        server::{RouteTable, public},
    };

    struct Anyone;

    impl Guard for Anyone {
        fn admit<'a>(&'a self, _: &'a ServiceRequest, _: &'a Route) -> LocalBoxFuture<'a, Result<Admission, Problem>> {
            Box::pin(async { Ok(Admission::default()) })
        }
    }

    #[utoipa::path(responses((status = 200)))]
    #[get("/attempt")]
    async fn attempt(context: RequestContext) -> Result<String, Problem> {
        let left = context.budget().remaining().unwrap_or_default();
        context.budget().try_spend_attempt().map_err(|error| Problem::new(&kinds::INTERNAL_ERROR).caused_by(error))?;
        Ok(left.as_millis().to_string())
    }

    /// Shows: M10
    #[actix_web::test]
    async fn a_request_that_brings_a_budget_spends_that_one() {
        let table = RouteTable::new().route(attempt, public());
        let app = App::new().service(table.into_scope(Rc::new(Anyone), Duration::from_secs(60)));
        let app = test::init_service(app).await;
        let (clock, hand) = Clock::manual();
        let budget = RequestBudget::new(clock, Duration::from_secs(5), 2);
        hand.advance(Duration::from_secs(3));
        let ask = async || {
            let request = test::TestRequest::get().uri("/attempt").to_request();
            request.extensions_mut().insert(budget.clone());
            let response = test::call_service(&app, request).await;
            (response.status().as_u16(), test::read_body(response).await)
        };
        assert_eq!(ask().await, (200, "2000".into()), "what is left of its five seconds");
        assert_eq!(ask().await.0, 200);
        assert_eq!(ask().await.0, 500, "both attempts are spent");
        let request = test::TestRequest::get().uri("/attempt").to_request();
        assert_eq!(test::call_service(&app, request).await.status(), 200, "others begin anew");
        assert_eq!(budget.attempts_spent(), 2);
    }
}
