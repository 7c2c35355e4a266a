//! The backend-for-frontend of partner companies: a plain, stable API for other companies' servers, which authenticate
//! with API keys and are held to the limits of their plan.
//!
//! `views` is the API at a glance, [`auth`] how requests are let in, [`keys`] what API keys are and how they are
//! managed, [`limits`] how often a key may call, [`versions`] who still calls which version, [`services`] what the services behind it are asked for.

pub mod admin;
pub mod auth;
pub mod body;
pub mod database;
pub mod keys;
pub mod limits;
pub mod money;
pub mod not_modified;
pub mod openapi;
pub mod operations;
pub mod services;
pub mod settings;
mod state;
pub mod versions;
mod views;

use std::{rc::Rc, sync::Arc};

use actix_web::{
    middleware::from_fn,
    web::{self, PayloadConfig, ServiceConfig},
};
use anyhow::Context;
use futures_util::future::join;
use shared_lib::{
    clock::Clock,
    server::RouteTable,
    service::{Bff, Start},
    versioning::Versioned,
};

pub use state::PartnerState;
pub use views::{PER_ITEM, WEIGHTS, problem_kinds};

use self::{
    auth::{KeyGuard, PartnerIdentity},
    database::Database,
    keys::cli::PartnerCommand,
    services::Services,
    settings::PartnerSettings,
    versions::V1_PATHS,
    views::Contract,
};

/// The partners' BFF.
pub struct BffPartner;

impl Bff for BffPartner {
    const NAME: &'static str = "bff-partner";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DOWNSTREAMS: &'static [&'static str] = services::DOWNSTREAMS;
    type Settings = PartnerSettings;
    type State = PartnerState;
    type Command = PartnerCommand;

    fn routes() -> RouteTable {
        views::routes()
    }

    fn openapi() -> utoipa::openapi::OpenApi {
        openapi::document(Self::VERSION)
    }

    async fn start(start: Start<PartnerSettings>) -> anyhow::Result<PartnerState> {
        PartnerState::new(start).await
    }

    fn configure(state: &PartnerState, config: &mut ServiceConfig) {
        let downstreams = state.registry.for_worker();
        let services = Services::new(&downstreams).expect("the services were set up once at the start");
        let provider = state.provider(&downstreams).expect("the provider was set up once at the start");
        let guard = KeyGuard::new(
            state.ring.clone(),
            state.limits.clone(),
            state.wrong_keys.clone(),
            state.versions.clone(),
            &state.settings.server.trusted_proxies,
        );
        config
            .app_data(PayloadConfig::new(state.settings.server.max_body_bytes))
            .app_data(web::Data::new(services))
            .app_data(web::Data::new(state.idempotency.clone()))
            .app_data(web::Data::new(state.limits.clone()))
            .app_data(web::Data::new(state.versions.clone()))
            .app_data(web::Data::new(PartnerIdentity::new(provider, &state.settings.oidc.audience)))
            .app_data(web::Data::from(Arc::clone(&state.contract)))
            .app_data(web::Data::from(Arc::clone(&state.docs)))
            .service(
                views::routes()
                    .into_scope(Rc::new(guard), state.settings.server.request_timeout())
                    .wrap(from_fn(not_modified::answer_not_modified))
                    .wrap(Versioned::new(V1_PATHS, state.versions.v1())),
            );
    }

    async fn close(state: &PartnerState) {
        join(state.limits.close(), state.versions.close()).await;
    }

    fn admin(state: &PartnerState, config: &mut ServiceConfig) {
        config.app_data(web::Data::new(state.admin.clone())).app_data(web::Data::new(state.clock.clone()));
        config.app_data(web::Data::new(state.versions.clone()));
        config.configure(admin::configure);
    }

    async fn run(command: PartnerCommand, settings: Arc<PartnerSettings>) -> anyhow::Result<()> {
        let PartnerCommand::Keys(command) = command;
        let clock = Clock::system();
        let database = Database::open(&settings.keys.database_url).await.context("[keys] database_url")?;
        let admin = state::key_admin(&settings, database, clock.clone());
        let (mut out, mut notes) = (std::io::stdout(), std::io::stderr());
        keys::cli::run(&admin, command, clock.wall(), &mut out, &mut notes).await
    }
}

impl Contract {
    fn of_this_build() -> Self {
        Self::new(&BffPartner::openapi())
    }
}
