//! The command line: `serve`, `healthcheck` and `token`.

mod healthcheck;
mod serve;
mod token;

use std::io;

use clap::{Parser, Subcommand};

use crate::StartError;

/// What the BFFs stand in front of, for development and tests. Never in production.
#[derive(Debug, Parser)]
#[command(name = "sandbox", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the provider and the services until it is told to stop (the default).
    Serve(serve::ServeArgs),
    /// Exits with 0 if everything that `serve` serves with the same arguments can be reached.
    Healthcheck(serve::ServeArgs),
    /// Prints an access token from a running provider.
    Token(token::TokenArgs),
}

/// Why a command fails.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The sandbox does not start.
    #[error("the sandbox does not start")]
    Start(#[from] StartError),
    /// Signals cannot be received.
    #[error("signals cannot be received")]
    Signals(#[source] io::Error),
    /// The output cannot be written.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    /// A running sandbox cannot be reached.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The provider refuses the token.
    #[error("the provider refuses the token: {error}")]
    Refused {
        /// Its error code and description.
        error: String,
    },
}

impl Cli {
    /// Runs the command; `serve` returns when SIGINT or SIGTERM arrives.
    ///
    /// # Errors
    /// What the command fails with.
    pub fn run(self) -> Result<(), CliError> {
        // Without a command the variables of `serve` count as well.
        let command = self.command.unwrap_or_else(|| Command::Serve(serve::ServeArgs::from_environment()));
        actix_web::rt::System::new().block_on(async move {
            match command {
                Command::Serve(args) => args.run().await,
                Command::Healthcheck(args) => healthcheck::run(&args).await,
                Command::Token(args) => args.run().await,
            }
        })
    }
}
