//! `bff-web`: the backend-for-frontend of the Angular single-page application.
//!
//! It signs people in at an OpenID provider, keeps their tokens to itself, and gives the browser one call for each
//! screen. `views::routes` is the API at a glance; `auth` is how people get in; `services` is what it calls.

pub mod answer;
pub mod auth;
mod body;
mod html;
mod links;
pub mod live;
pub mod money;
pub mod product_list;
pub mod proxy;
mod representation;
pub mod services;
pub mod settings;
mod start_page;
mod views;

use std::{rc::Rc, sync::Arc};

use actix_web::{
    middleware::from_fn,
    web::{self, ServiceConfig},
};
use shared_lib::{
    downstream::{Registry, Tokens},
    server::{InfoSource, RouteTable, describe},
    service::{Bff, NoCommand, ServiceSettings, Start},
    versioning::{Lifecycle, Versioned},
};
use utoipa::openapi::{
    Deprecated, Info, OpenApi,
    security::{ApiKey, ApiKeyValue, SecurityScheme},
};

use crate::{
    answer::Answers,
    auth::{Auth, WorkerAuth, guard, operators, service_tokens::ServiceTokens},
    live::Live,
    representation::Representation,
    services::Services,
    settings::{PROVIDER, WebSettings},
};

/// The service.
pub struct BffWeb;

/// What its workers share.
#[derive(Clone)]
pub struct WebState {
    settings: Arc<WebSettings>,
    registry: Registry,
    auth: Arc<Auth>,
    answers: web::Data<Answers>,
    live: web::Data<Live>,
    v1: Lifecycle,
}

/// What the paths of version 1 begin with.
const V1: &str = "/api/v1/";

impl Bff for BffWeb {
    const NAME: &'static str = "bff-web";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DOWNSTREAMS: &'static [&'static str] =
        &["users", "orders", "accounts", "notifications", "catalog", "categories", "promotions", "cart", PROVIDER];
    type Settings = WebSettings;
    type State = WebState;
    type Command = NoCommand;

    fn routes() -> RouteTable {
        views::routes()
    }

    fn routes_of(settings: &WebSettings) -> RouteTable {
        proxy::add_routes(views::routes(), &settings.proxy).default_token(guard::token_owner)
    }

    fn openapi() -> OpenApi {
        let mut info = Info::new("Trifront for the web", Self::VERSION);
        info.description = Some("The screens of the single-page application, each in one call.".to_owned());
        let mut cookie = ApiKeyValue::new("trifront-session");
        cookie.description =
            Some("The session of a signed-in user; over https its name is `__Host-trifront-session`.".to_owned());
        let schemes = vec![("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))];
        let mut document = describe(info, Self::routes(), schemes);
        let old = document.paths.paths.iter_mut().filter(|(path, _)| path.starts_with(V1)).map(|(_, item)| item);
        for operation in old.filter_map(|item| item.get.as_mut()) {
            operation.deprecated = Some(Deprecated::True);
        }
        document
    }

    async fn start(start: Start<WebSettings>) -> anyhow::Result<WebState> {
        // What a worker sets up cannot fail any more once it has succeeded here.
        Services::new(&start.registry.for_worker())?;
        let v1 = Lifecycle::new("v1", &start.settings.api_v1, start.clock.clone());
        let answers = web::Data::new(Answers::new(&start.settings.http_cache, start.clock.clone()));
        let live = web::Data::new(Live::new(&start.settings));
        let auth = Auth::new(Arc::clone(&start.settings), start.clock)?;
        Ok(WebState { settings: start.settings, registry: start.registry, auth: Arc::new(auth), answers, live, v1 })
    }

    fn configure(state: &WebState, config: &mut ServiceConfig) {
        let downstreams = state.registry.for_worker();
        let provider = match downstreams.get(PROVIDER) {
            Ok(provider) => provider,
            Err(error) => return tracing::error!(%error, "a worker has no provider"),
        };
        let auth = web::Data::new(WorkerAuth::new(Arc::clone(&state.auth), provider));
        let tokens: Rc<dyn Tokens> = Rc::new(ServiceTokens::new(auth.clone()));
        let downstreams = downstreams.with_tokens(&tokens);
        let services = match Services::new(&downstreams) {
            Ok(services) => services,
            Err(error) => return tracing::error!(%error, "a worker has no services"),
        };
        let cookie_keys = state.auth.cookie_keys();
        let routes = Self::routes_of(&state.settings)
            .into_scope(Rc::new(guard::WebGuard::new(auth.clone())), state.settings.server().request_timeout())
            .wrap(Representation)
            .wrap(state.auth.session_middleware())
            .wrap(from_fn(move |request, next| cookie_keys.clone().accept_former(request, next)))
            .wrap(Versioned::new(V1, state.v1.clone()));
        config
            .app_data(web::Data::new(services))
            .app_data(web::Data::new(downstreams))
            .app_data(state.answers.clone())
            .app_data(state.live.clone())
            .app_data(web::JsonConfig::default().limit(state.settings.server().max_body_bytes))
            .app_data(auth)
            .service(routes)
            .default_service(web::to(start_page::get_page));
    }

    fn drain(state: &WebState) {
        state.live.drain();
    }

    fn info(state: &WebState) -> Vec<InfoSource> {
        let auth = Arc::clone(&state.auth);
        vec![Arc::new(move || ("exchangedTokens", auth.exchanged_tokens().into()))]
    }

    fn admin(state: &WebState, config: &mut ServiceConfig) {
        let sessions = web::Data::new(state.auth.sessions().clone());
        config.app_data(sessions).service(operators::end_sessions_of_subject);
    }

    async fn run(command: NoCommand, _: Arc<WebSettings>) -> anyhow::Result<()> {
        match command {}
    }
}
