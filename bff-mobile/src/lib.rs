//! The backend-for-frontend of the mobile apps: small answers of its own shape, one call a screen, and no session: each
//! request carries a JWT access token.
//!
//! `views` is the API at a glance, [`auth`] how requests are let in and how their caller is known to the services
//! behind, [`services`] what those services are asked for.

pub mod auth;
pub mod batch;
pub mod fields;
pub mod graphql;
pub mod money;
pub mod opaque;
pub mod openapi;
pub mod representation;
pub mod rollout;
pub mod services;
pub mod settings;
mod state;
mod views;

use std::{rc::Rc, sync::Arc};

use actix_web::web::{self, ServiceConfig};
use clap::Subcommand;
use shared_lib::{
    server::{InfoSource, RouteTable},
    service::{Bff, Start},
};

pub use state::MobileState;
pub use views::KINDS as SCREEN_KINDS;

use self::{
    auth::{TokenExchange, TokenGuard},
    batch::{Given, Parts},
    graphql::Graphql,
    representation::Representation,
    services::Services,
    settings::MobileSettings,
};

/// What this BFF does beside what every BFF does.
#[derive(Debug, Clone, Subcommand)]
pub enum MobileCommand {
    /// Print the schema of the graph.
    GraphqlSchema,
}

/// The mobile apps' BFF.
pub struct BffMobile;

impl Bff for BffMobile {
    const NAME: &'static str = "bff-mobile";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DOWNSTREAMS: &'static [&'static str] = services::DOWNSTREAMS;
    type Settings = MobileSettings;
    type State = MobileState;
    type Command = MobileCommand;

    fn routes() -> RouteTable {
        views::routes()
    }

    fn openapi() -> utoipa::openapi::OpenApi {
        openapi::document(Self::VERSION)
    }

    async fn start(start: Start<MobileSettings>) -> anyhow::Result<MobileState> {
        MobileState::new(start)
    }

    fn configure(state: &MobileState, config: &mut ServiceConfig) {
        let downstreams = state.registry.for_worker();
        let services = Services::new(&downstreams).expect("the services were set up once at the start");
        let identity = state.identity(&downstreams).expect("the provider was set up once at the start");
        identity.keep_keys_fresh();
        let guard = TokenGuard::new(
            identity.verifier,
            state.dpop.clone(),
            state.settings.server.public_origin.clone(),
            state.rollout.clone(),
        );
        let server = &state.settings.server;
        let services = web::Data::new(services);
        let exchange = web::Data::new(TokenExchange::new(identity.provider, &state.settings.oidc.audience));
        let rollout = web::Data::new(state.rollout.clone());
        let parts = Parts::new(Given {
            services: services.clone(),
            exchange: exchange.clone(),
            rollout: rollout.clone(),
            max_body_bytes: server.max_body_bytes,
            timeout: server.request_timeout(),
        });
        config
            .app_data(web::JsonConfig::default().limit(server.max_body_bytes))
            .app_data(web::PayloadConfig::new(server.max_body_bytes))
            .app_data(web::Data::new(state.graphql.clone()))
            .app_data(services)
            .app_data(exchange)
            .app_data(rollout)
            .app_data(web::Data::new(parts))
            .service(views::routes().into_scope(Rc::new(guard), server.request_timeout()).wrap(Representation));
    }

    fn info(state: &MobileState) -> Vec<InfoSource> {
        let (keys, tokens) = (state.clone(), state.clone());
        vec![
            Arc::new(move || ("signingKeys", keys.signing_keys_info())),
            Arc::new(move || ("believedTokens", tokens.believed_tokens_info())),
        ]
    }

    #[expect(clippy::print_stdout, reason = "printing is what this command is for")]
    async fn run(command: MobileCommand, _: Arc<MobileSettings>) -> anyhow::Result<()> {
        match command {
            MobileCommand::GraphqlSchema => print!("{}", Graphql::sdl()),
        }
        Ok(())
    }
}
