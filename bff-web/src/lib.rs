//! `bff-web`: the backend-for-frontend of the Angular single-page application.
//!
//! It signs people in at an OpenID provider, keeps their tokens to itself, and gives the browser one call for each
//! screen. `views::routes` is the API at a glance; `auth` is how people get in; `services` is what it calls.

pub mod answer;
mod api_docs;
pub mod auth;
mod body;
pub mod chat;
mod html;
mod links;
pub mod live;
pub mod money;
mod openapi;
pub mod product_list;
pub mod proxy;
mod representation;
pub mod services;
pub mod settings;
mod spa;
mod start_page;
mod views;

use std::{path::PathBuf, rc::Rc, sync::Arc};

use actix_web::{
    middleware::{Condition, from_fn},
    web::{self, ServiceConfig},
};
use anyhow::Context;
use clap::Subcommand;
use shared_lib::{
    downstream::{Registry, Tokens},
    server::{InfoSource, RouteTable},
    service::{Bff, ServiceSettings, Start},
    versioning::{Lifecycle, Versioned},
};
use utoipa::openapi::OpenApi;

use crate::{
    answer::Answers,
    api_docs::ApiDocs,
    auth::{Auth, WorkerAuth, guard, operators, service_tokens::ServiceTokens, step_up::offer_login},
    live::Live,
    representation::Representation,
    services::Services,
    settings::{PROVIDER, WebSettings},
    spa::{RenderedPages, Renderer, Spa},
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
    spa: web::Data<Spa>,
    api_docs: web::Data<Option<ApiDocs>>,
    rendered: RenderedPages,
    v1: Lifecycle,
}

/// What it does beside serving.
#[derive(Debug, Clone, Subcommand)]
pub enum WebCommand {
    /// Print the content security policy by hashes for the application's index.html, for a CDN that serves it.
    SpaPolicy {
        /// The folder with the built application; [spa] folder unless given.
        folder: Option<PathBuf>,
    },
}

/// What the paths of version 1 begin with.
const V1: &str = "/api/v1/";

impl Bff for BffWeb {
    const NAME: &'static str = "bff-web";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DOWNSTREAMS: &'static [&'static str] = &[
        "users",
        "orders",
        "accounts",
        "notifications",
        "catalog",
        "categories",
        "promotions",
        "cart",
        "support",
        PROVIDER,
    ];
    type Settings = WebSettings;
    type State = WebState;
    type Command = WebCommand;

    fn routes() -> RouteTable {
        views::routes()
    }

    fn routes_of(settings: &WebSettings) -> RouteTable {
        proxy::add_routes(views::routes(), &settings.proxy).default_token(guard::token_owner)
    }

    fn openapi() -> OpenApi {
        openapi::document(Self::VERSION)
    }

    async fn start(start: Start<WebSettings>) -> anyhow::Result<WebState> {
        // What a worker sets up cannot fail any more once it has succeeded here.
        Services::new(&start.registry.for_worker(), start.settings.chat.max_chats)?;
        let v1 = Lifecycle::new("v1", &start.settings.api_v1, start.clock.clone());
        let answers = web::Data::new(Answers::new(&start.settings.http_cache, start.clock.clone()));
        let live = web::Data::new(Live::new(&start.settings));
        let auth = Auth::new(Arc::clone(&start.settings), start.clock)?;
        let shows_docs = start.settings.api_docs.is_enabled(start.settings.environment);
        let api_docs = shows_docs.then(|| ApiDocs::new(&Self::openapi())).transpose()?;
        let api_docs = web::Data::new(api_docs);
        let spa = web::Data::new(Spa::start(&start.settings.spa)?);
        let rendered = RenderedPages::new(&start.settings.spa, start.settings.server().request_timeout());
        if let Some(renderer) = &start.settings.spa.render {
            start.registry.require(&[renderer])?;
        }
        let (settings, registry) = (start.settings, start.registry);
        Ok(WebState { settings, registry, auth: Arc::new(auth), answers, live, spa, api_docs, rendered, v1 })
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
        let services = match Services::new(&downstreams, state.settings.chat.max_chats) {
            Ok(services) => services,
            Err(error) => return tracing::error!(%error, "a worker has no services"),
        };
        let renderer = state.settings.spa.render.as_ref().and_then(|name| downstreams.get(name).ok());
        let renderer = renderer.map(|renderer| Renderer::new(renderer, state.rendered.clone()));
        let cors = &state.settings.cors;
        let files = state.spa.clone();
        let cookie_keys = state.auth.cookie_keys();
        let routes = Self::routes_of(&state.settings)
            .into_scope(Rc::new(guard::WebGuard::new(auth.clone())), state.settings.server().request_timeout())
            .wrap(from_fn(offer_login))
            .wrap(from_fn(live::store_away::tell_streams))
            .wrap(Representation)
            .wrap(state.auth.session_middleware())
            .wrap(from_fn(move |request, next| cookie_keys.clone().accept_former(request, next)))
            .wrap(Versioned::new(V1, state.v1.clone()))
            .wrap(Condition::new(!cors.allowed_origins.is_empty(), spa::cors(cors)))
            .wrap(from_fn(move |request, next| spa::serve_files(files.clone(), request, next)));
        config
            .app_data(web::Data::new(services))
            .app_data(web::Data::new(downstreams))
            .app_data(state.answers.clone())
            .app_data(state.live.clone())
            .app_data(web::JsonConfig::default().limit(state.settings.server().max_body_bytes))
            .app_data(auth)
            .app_data(state.spa.clone())
            .app_data(state.api_docs.clone())
            .app_data(web::Data::new(renderer))
            .service(routes)
            .default_service(web::to(spa::get_page));
    }

    fn drain(state: &WebState) {
        state.live.drain();
    }

    fn info(state: &WebState) -> Vec<InfoSource> {
        let (auth, streams, chats) = (Arc::clone(&state.auth), state.live.clone(), state.live.clone());
        vec![
            Arc::new(move || ("exchangedTokens", auth.exchanged_tokens().into())),
            Arc::new(move || ("streams", streams.notifications.streams().into())),
            Arc::new(move || ("chats", chats.chats.count().into())),
        ]
    }

    fn admin(state: &WebState, config: &mut ServiceConfig) {
        let sessions = web::Data::new(state.auth.sessions().clone());
        config.app_data(sessions).service(operators::end_sessions_of_subject);
    }

    #[expect(clippy::print_stdout, reason = "printing is what this command is for")]
    async fn run(command: WebCommand, settings: Arc<WebSettings>) -> anyhow::Result<()> {
        let WebCommand::SpaPolicy { folder } = command;
        let folder = folder.as_ref().or(settings.spa.folder.as_ref()).context("name a folder, or set [spa] folder")?;
        println!("{}", spa::policy_by_hashes(&settings.spa, folder)?);
        Ok(())
    }
}
