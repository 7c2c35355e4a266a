//! The smallest backend-for-frontend there can be: what every BFF has, and a route for each thing to be shown.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse, Responder,
    dev::ServiceRequest,
    get, post,
    web::{self, Data, ServiceConfig},
};
use futures_util::future::{LocalBoxFuture, ready};
use serde::Deserialize;
use serde_json::{Value, json};
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamsSettings, Registry},
    problem::Problem,
    server::{Admission, Guard, Route, RouteTable, describe, public},
    service::{Bff, NoCommand, ServiceSettings, Start},
    settings::{Environment, Findings, ManagementSettings, ServerSettings, Settings, Sources, TelemetrySettings, load},
};
use utoipa::openapi::{Info, OpenApi};

/// What operators show.
#[allow(dead_code, reason = "not every binary that includes this file has operators")]
pub const OPERATOR_TOKEN: &str = "dev-only-operator-token";

/// The BFF.
pub struct Tiny;

/// Its settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TinySettings {
    environment: Environment,
    server: ServerSettings,
    management: ManagementSettings,
    telemetry: TelemetrySettings,
    downstreams: DownstreamsSettings,
}

/// What its workers share.
#[derive(Clone)]
pub struct TinyState {
    registry: Registry,
    request_timeout: Duration,
}

/// The defaults with these variables, such as `("TINY__SERVER__WORKERS", "2")`.
pub fn settings(variables: &[(&str, &str)]) -> TinySettings {
    let env = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    match load(&Sources { file: None, env }) {
        Ok(settings) => settings,
        Err(error) => panic!("{error}"),
    }
}

impl Settings for TinySettings {
    const PREFIX: &'static str = "TINY";
    const DEFAULTS: &'static str = include_str!("tiny.toml");
    const DEFAULTS_NAME: &'static str = "tiny.toml";
    const SECRETS: &'static [&'static str] = &["management.operator_token"];

    fn audit(&self, findings: &mut Findings) {
        self.server.audit("server", findings);
    }
}

impl ServiceSettings for TinySettings {
    fn environment(&self) -> Environment {
        self.environment
    }

    fn server(&self) -> &ServerSettings {
        &self.server
    }

    fn management(&self) -> &ManagementSettings {
        &self.management
    }

    fn telemetry(&self) -> &TelemetrySettings {
        &self.telemetry
    }

    fn downstreams(&self) -> DownstreamsSettings {
        self.downstreams.clone()
    }
}

/// Lets everybody in.
struct Open;

impl Guard for Open {
    fn admit<'a>(&'a self, _: &'a ServiceRequest, _: &'a Route) -> LocalBoxFuture<'a, Result<Admission, Problem>> {
        Box::pin(ready(Ok(Admission::default())))
    }
}

impl Bff for Tiny {
    const NAME: &'static str = "tiny";
    const VERSION: &'static str = "0.0.0";
    const DOWNSTREAMS: &'static [&'static str] = &["backend"];
    type Settings = TinySettings;
    type State = TinyState;
    type Command = NoCommand;

    fn routes() -> RouteTable {
        RouteTable::new().nest(
            "/v1",
            RouteTable::new()
                .route(get_work, public())
                .route(get_poll, public().unlimited_concurrency())
                .route(get_thing, public())
                .route(post_thing, public()),
        )
    }

    fn openapi() -> OpenApi {
        describe(Info::new("tiny", Self::VERSION), Self::routes(), Vec::new())
    }

    async fn start(start: Start<TinySettings>) -> anyhow::Result<TinyState> {
        Ok(TinyState { registry: start.registry, request_timeout: start.settings.server.request_timeout() })
    }

    fn configure(state: &TinyState, config: &mut ServiceConfig) {
        let backend = state.registry.for_worker().get("backend").expect("it was required at the start");
        config.app_data(Data::new(backend)).service(Self::routes().into_scope(Rc::new(Open), state.request_timeout));
    }

    async fn run(command: NoCommand, _: Arc<TinySettings>) -> anyhow::Result<()> {
        match command {}
    }
}

/// Asks the downstream.
#[utoipa::path(responses((status = 200, description = "What it answered")))]
#[get("/work")]
async fn get_work(context: RequestContext, backend: Data<Downstream>) -> Result<impl Responder, Problem> {
    let answer = backend.get(&context, &["work"]).json::<Value>().await?;
    Ok(HttpResponse::Ok().json(answer.value))
}

/// Asks the downstream, and takes as long as it likes.
#[utoipa::path(responses((status = 200, description = "What it answered")))]
#[get("/poll")]
async fn get_poll(context: RequestContext, backend: Data<Downstream>) -> Result<impl Responder, Problem> {
    let answer = backend.get(&context, &["poll"]).json::<Value>().await?;
    Ok(HttpResponse::Ok().json(answer.value))
}

/// Answers by itself.
#[utoipa::path(responses((status = 200, description = "The id")))]
#[get("/things/{id}")]
async fn get_thing(id: web::Path<String>) -> impl Responder {
    HttpResponse::Ok().json(json!({"id": id.into_inner()}))
}

/// Answers with the body's length.
#[utoipa::path(responses((status = 200, description = "The length")))]
#[post("/things/{id}")]
async fn post_thing(body: String) -> impl Responder {
    HttpResponse::Ok().json(json!({"bytes": body.len()}))
}
