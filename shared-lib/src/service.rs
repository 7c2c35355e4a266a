//! The life of a backend-for-frontend as a process: its command line, its start, its listeners, its way out.
//!
//! Each BFF implements [`Bff`] and its `main` is one line: [`main`]`::<BffWeb>()`.

mod admin;
mod breaker_watch;
mod cli;
mod launch;

use std::{future::Future, sync::Arc};

use actix_web::web::ServiceConfig;
use clap::Subcommand;
use utoipa::openapi::OpenApi;

pub use cli::{NoCommand, main};
pub use launch::{Running, StartError, launch};

use crate::{
    clock::Clock,
    downstream::{DownstreamsSettings, Registry},
    server::{InfoSource, RouteTable},
    settings::{Environment, ManagementSettings, ServerSettings, Settings, TelemetrySettings},
};

/// The settings that every BFF has.
pub trait ServiceSettings: Settings + Send + Sync + 'static {
    /// Development or production.
    fn environment(&self) -> Environment;
    /// The public listener.
    fn server(&self) -> &ServerSettings;
    /// The management listener.
    fn management(&self) -> &ManagementSettings;
    /// Logs, traces and metrics.
    fn telemetry(&self) -> &TelemetrySettings;
    /// The services behind it: `[downstreams.*]`, and those that follow from other sections, such as the provider.
    fn downstreams(&self) -> DownstreamsSettings;
}

/// What a BFF is given to start with.
pub struct Start<S> {
    /// The checked settings.
    pub settings: Arc<S>,
    /// The downstreams.
    pub registry: Registry,
    /// The time.
    pub clock: Clock,
}

/// A backend-for-frontend.
pub trait Bff: 'static {
    /// Its name, such as `bff-web`.
    const NAME: &'static str;
    /// Its version.
    const VERSION: &'static str;
    /// The downstreams that its program asks for; the configuration must have each.
    const DOWNSTREAMS: &'static [&'static str];
    /// Its settings.
    type Settings: ServiceSettings;
    /// What its workers share.
    type State: Clone + Send + Sync + 'static;
    /// Its commands beyond those of every BFF.
    type Command: Subcommand;

    /// Every route of the program with its policy.
    fn routes() -> RouteTable;

    /// The same with what the configuration adds.
    fn routes_of(_settings: &Self::Settings) -> RouteTable {
        Self::routes()
    }

    /// The contract.
    fn openapi() -> OpenApi;

    /// Builds what the workers share: stores, key sets, limiters. A service that is away must not make it fail.
    fn start(start: Start<Self::Settings>) -> impl Future<Output = anyhow::Result<Self::State>>;

    /// Sets up one worker: its services, and its routes behind its guard.
    fn configure(state: &Self::State, config: &mut ServiceConfig);

    /// Ends what would go on for as long as its client likes, such as streams: the process is on its way out, and takes
    /// no new connections from now on.
    fn drain(_state: &Self::State) {}

    /// Writes down what must outlive the process: no request comes any more. It bounds its own time.
    fn close(_state: &Self::State) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// What `/info` says beyond the common.
    fn info(_state: &Self::State) -> Vec<InfoSource> {
        Vec::new()
    }

    /// Adds what operators can do, under `/admin` of the management listener.
    fn admin(_state: &Self::State, _config: &mut ServiceConfig) {}

    /// Runs one of its own commands.
    fn run(command: Self::Command, settings: Arc<Self::Settings>) -> impl Future<Output = anyhow::Result<()>>;
}
