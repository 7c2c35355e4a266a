//! The parts of a batch, dispatched within the process: through the same routes with the same policies, as the caller
//! who was let in with the whole, and on the whole's budget.
//!
//! The service that answers parts is an application of its own on each worker, built when the first batch comes. Its
//! table holds the screens alone, so a part cannot be a batch. Nothing is authenticated twice: a proof of possession,
//! for one, is made for the batch's own address. What a part's route asks for is asked of the same caller.

use std::{rc::Rc, time::Duration};

use actix_http::{Payload, Request};
use actix_service::IntoServiceFactory;
use actix_web::{
    App, HttpMessage,
    body::to_bytes,
    dev::{AppConfig, Service, ServiceFactory, ServiceRequest},
    http::{
        Method, StatusCode, Uri,
        header::{ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    },
    web,
};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use shared_lib::{
    context::Caller,
    downstream::budget::RequestBudget,
    problem::{Problem, RenderProblems, kinds},
    server::{Admission, Guard, Route, RouteTable},
    telemetry::request_id::RequestId,
};
use tokio::sync::OnceCell;

use crate::{
    auth::{PartIdentity, TokenExchange, authorize},
    representation::Representation,
    rollout::Rollout,
    services::Services,
    views,
};

/// A part as the routes see it.
pub struct Part {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// The headers that are its own.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// A JSON body, or nothing.
    pub body: Bytes,
}

/// What came of a part.
pub struct PartAnswer {
    /// The status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body in no coding.
    pub body: Bytes,
}

/// As whom, and at whose expense, the parts of one batch are asked.
#[derive(Clone)]
pub struct PartsContext {
    pub(crate) identity: PartIdentity,
    pub(crate) budget: RequestBudget,
    pub(crate) request_id: RequestId,
    pub(crate) locale: Option<HeaderValue>,
}

/// What the handlers of parts are given; the same as those of whole requests.
pub struct Given {
    /// The services.
    pub services: web::Data<Services>,
    /// The exchange of tokens.
    pub exchange: web::Data<TokenExchange>,
    /// Minimum versions and flags.
    pub rollout: web::Data<Rollout>,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// The time that a part may take; the batch's own ends with it.
    pub timeout: Duration,
}

type Dispatch = Rc<dyn Fn(Request) -> LocalBoxFuture<'static, Result<PartAnswer, Problem>>>;

/// Answers parts. One for each worker.
pub struct Parts {
    given: Given,
    dispatch: OnceCell<Dispatch>,
}

impl Parts {
    /// Parts whose handlers are given this.
    #[must_use]
    pub fn new(given: Given) -> Self {
        Self { given, dispatch: OnceCell::new() }
    }

    /// Answers one part. Whatever goes wrong within it is its own answer.
    ///
    /// # Errors
    /// When there is no service for parts, which is a fault of this program.
    pub async fn answer(&self, context: &PartsContext, part: Part) -> Result<PartAnswer, Problem> {
        let dispatch = self.dispatch.get_or_try_init(|| self.build()).await?;
        let mut request = Request::with_payload(Payload::from(part.body.clone()));
        request.head_mut().method = part.method;
        request.head_mut().uri = part.uri;
        for (name, value) in part.headers {
            request.headers_mut().insert(name, value);
        }
        if let Some(locale) = &context.locale {
            request.headers_mut().insert(ACCEPT_LANGUAGE, locale.clone());
        }
        if !part.body.is_empty() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        {
            let mut extensions = request.extensions_mut();
            extensions.insert(context.identity.clone());
            extensions.insert(context.budget.clone());
            extensions.insert(context.request_id.clone());
        }
        dispatch(request).await
    }

    async fn build(&self) -> Result<Dispatch, Problem> {
        let given = &self.given;
        let scope = RouteTable::new()
            .nest("/v1", views::screens())
            .into_scope(Rc::new(PartGuard), given.timeout)
            .wrap(Representation);
        let app = App::new()
            .wrap(RenderProblems)
            .app_data(web::JsonConfig::default().limit(given.max_body_bytes))
            .app_data(given.services.clone())
            .app_data(given.exchange.clone())
            .app_data(given.rollout.clone())
            .service(scope);
        let failed = |why: &'static str| Problem::new(&kinds::INTERNAL_ERROR).caused_by(why);
        let service = app.into_factory().new_service(AppConfig::default()).await;
        let service = Rc::new(service.map_err(|()| failed("the service for parts of a batch could not be built"))?);
        Ok(Rc::new(move |request| {
            let answer = service.call(request);
            Box::pin(async move {
                let response = answer.await.map_err(|_| failed("a part of a batch failed outside its route"))?;
                let (status, headers) = (response.status(), response.headers().clone());
                let body = to_bytes(response.into_body()).await.map_err(|_| failed("the body of a part broke off"))?;
                Ok(PartAnswer { status, headers, body })
            })
        }))
    }
}

/// Lets the caller of the batch in where the part's route does.
struct PartGuard;

impl Guard for PartGuard {
    fn admit<'a>(
        &'a self,
        request: &'a ServiceRequest,
        route: &'a Route,
    ) -> LocalBoxFuture<'a, Result<Admission, Problem>> {
        Box::pin(async move {
            let identity = request.extensions().get::<PartIdentity>().cloned();
            let identity = identity
                .ok_or_else(|| Problem::new(&kinds::INTERNAL_ERROR).caused_by("a part of a batch came from nobody"))?;
            let caller: Caller = identity.caller.clone();
            authorize(&caller, route)?;
            request.extensions_mut().insert(identity.into_subject());
            Ok(Admission { caller: Some(caller), ..Admission::default() })
        })
    }
}
