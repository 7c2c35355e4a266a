//! The command line of every BFF.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::{Bff, ServiceSettings, launch};
use crate::{
    clock::Clock,
    settings::{self, Settings, Sources},
    telemetry::{self, ServiceIdentity},
};

/// For a BFF without commands of its own.
#[derive(Debug, Clone, Subcommand)]
pub enum NoCommand {}

#[derive(Parser)]
struct Cli<C: Subcommand> {
    /// A settings file that overrides the built-in defaults; environment variables override both.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command<C>>,
}

#[derive(Subcommand)]
enum Command<C: Subcommand> {
    /// Serve (the default).
    Serve,
    /// Check the settings and stop.
    CheckConfig,
    /// Print every route with its policy.
    Routes,
    /// Print the OpenAPI document.
    Openapi,
    /// Ask the running service whether it is ready; exits 0 when it is.
    Healthcheck,
    #[command(flatten)]
    Own(C),
}

/// Runs a BFF from the process's arguments and environment.
#[must_use]
pub fn main<B: Bff>() -> ExitCode {
    let matches = Cli::<B::Command>::command()
        .name(B::NAME)
        .version(B::VERSION)
        .about(format!("Serves {}; see its config/default.toml for every setting", B::NAME))
        .get_matches();
    let outcome = match Cli::<B::Command>::from_arg_matches(&matches) {
        Ok(cli) => run::<B>(cli),
        Err(error) => error.exit(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log may not be set up yet, and whoever starts a service looks at its output.
            eprintln!("{}: {error:#}", B::NAME);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "printing is what these commands are for")]
fn run<B: Bff>(cli: Cli<B::Command>) -> anyhow::Result<()> {
    let load = || -> anyhow::Result<Arc<B::Settings>> {
        let sources = Sources::from_process(B::Settings::PREFIX, cli.config.clone());
        Ok(Arc::new(settings::load::<B::Settings>(&sources)?))
    };
    match cli.command {
        None | Some(Command::Serve) => actix_web::rt::System::new().block_on(serve::<B>(load()?)),
        Some(Command::CheckConfig) => {
            load()?;
            println!("{}: the settings are valid", B::NAME);
            Ok(())
        }
        Some(Command::Routes) => {
            print!("{}", B::routes_of(&*load()?));
            Ok(())
        }
        Some(Command::Openapi) => {
            println!("{}", B::openapi().to_pretty_json()?);
            Ok(())
        }
        Some(Command::Healthcheck) => actix_web::rt::System::new().block_on(healthcheck(&*load()?)),
        Some(Command::Own(command)) => actix_web::rt::System::new().block_on(B::run(command, load()?)),
    }
}

async fn serve<B: Bff>(settings: Arc<B::Settings>) -> anyhow::Result<()> {
    let identity = ServiceIdentity { name: B::NAME, version: B::VERSION };
    let telemetry = telemetry::init(settings.telemetry(), identity).context("telemetry")?;
    let running = launch::<B>(Arc::clone(&settings), Clock::system(), Some(telemetry.clone())).await?;
    tracing::info!(public = %running.public, management = %running.management, "{} {} is ready", B::NAME, B::VERSION);
    let signal = termination().await.context("signals")?;
    tracing::info!(signal, "draining");
    running.drain().await;
    tracing::info!("stopped");
    telemetry.shutdown().await;
    Ok(())
}

async fn termination() -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// Asks `/readyz` of the management listener on this machine.
async fn healthcheck(settings: &impl ServiceSettings) -> anyhow::Result<()> {
    let management = settings.management();
    // A listener on every address is asked on the loopback one.
    let host = match management.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" => "[::1]",
        host => host,
    };
    let url = format!("http://{host}:{}/readyz", management.port);
    let client = awc::Client::builder().timeout(Duration::from_secs(2)).disable_redirects().finish();
    let response = client.get(url).send().await.map_err(|error| anyhow::anyhow!("{error}"))?;
    anyhow::ensure!(response.status().is_success(), "not ready: {}", response.status());
    Ok(())
}
