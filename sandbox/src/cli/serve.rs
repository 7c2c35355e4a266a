//! `sandbox serve`

use std::{
    io::{self, Write},
    net::IpAddr,
    num::NonZero,
    path::PathBuf,
    thread,
};

use clap::{Args, Parser};
use tokio::signal::unix::{SignalKind, signal};

use super::CliError;
use crate::{Ports, Sandbox, part::Part, provider::ProviderSettings, seed::Seed};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Serve these parts only: provider users catalog categories promotions orders accounts notifications support devices cart.
    #[arg(long, env = "SANDBOX_ONLY", num_args = 1.., value_delimiter = ',', value_parser = part)]
    pub(super) only: Vec<String>,
    /// What the provider calls itself, and whom the services trust [default: http://localhost:<provider port>].
    #[arg(long, env = "SANDBOX_ISSUER")]
    issuer: Option<String>,
    /// The address to listen on.
    #[arg(long, env = "SANDBOX_HOST", default_value = "127.0.0.1")]
    pub(super) host: IpAddr,
    /// The provider's port; 0 lets the operating system choose.
    #[arg(long, env = "SANDBOX_PROVIDER_PORT", default_value_t = 9000)]
    pub(super) provider_port: u16,
    /// The services' port; 0 lets the operating system choose.
    #[arg(long, env = "SANDBOX_SERVICES_PORT", default_value_t = 9100)]
    pub(super) services_port: u16,
    /// The port of the gRPC notifications; 0 lets the operating system choose.
    #[arg(long, env = "SANDBOX_GRPC_PORT", default_value_t = 9200)]
    pub(super) grpc_port: u16,
    /// The number that the demo data and random choices follow from.
    #[arg(long, env = "SANDBOX_SEED", default_value_t = crate::DEFAULT_SEED)]
    seed: u64,
    /// A file with the provider's ES256 key (PKCS#8, PEM). Without it each start has a fresh key.
    #[arg(long, env = "SANDBOX_SIGNING_KEY")]
    signing_key: Option<PathBuf>,
    /// Where the provider sends logout tokens, such as `bff-web=http://localhost:8080/api/auth/backchannel-logout`.
    #[arg(long, env = "SANDBOX_BACKCHANNEL_LOGOUT_URIS", value_delimiter = ',', value_name = "CLIENT=URI", value_parser = client_uri)]
    backchannel_logout_uri: Vec<(String, String)>,
    /// Origins at which the web client lives beside the loopback ones, such as `https://shop.example`.
    #[arg(long, env = "SANDBOX_WEB_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    web_origin: Vec<String>,
}

#[derive(Debug, Parser)]
struct Environment {
    #[command(flatten)]
    serve: ServeArgs,
}

fn part(name: &str) -> Result<String, crate::part::UnknownPart> {
    Part::parse(name).map(|part| part.name().to_owned())
}

fn client_uri(text: &str) -> Result<(String, String), String> {
    let (client, uri) = text.split_once('=').ok_or("expected CLIENT=URI")?;
    url::Url::parse(uri).map_err(|error| format!("{uri} is no address: {error}"))?;
    Ok((client.to_owned(), uri.to_owned()))
}

impl ServeArgs {
    /// The defaults and the environment variables. Ends the process, as for a wrong flag, if one of these is wrong.
    pub(super) fn from_environment() -> Self {
        Environment::parse_from(["sandbox"]).serve
    }

    pub(super) async fn run(self) -> Result<(), CliError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Signals)?;
        let sandbox = self.start().await?;
        announce(&sandbox).map_err(CliError::Output)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        drop(sandbox);
        Ok(())
    }

    async fn start(self) -> Result<Sandbox, CliError> {
        let issuer = self.issuer.or_else(|| match self.provider_port {
            0 => None,
            port => Some(format!("http://localhost:{port}")),
        });
        let settings = ProviderSettings {
            signing_key_file: self.signing_key,
            backchannel_logout_uris: self.backchannel_logout_uri.into_iter().collect(),
            web_origins: self.web_origin,
            ..ProviderSettings::default()
        };
        let ports = Ports { provider: self.provider_port, services: self.services_port, grpc: self.grpc_port };
        let mut builder = Sandbox::builder()
            .only(self.only)
            .host(self.host)
            .ports(ports)
            .seed(self.seed)
            .provider(settings)
            .workers(thread::available_parallelism().map_or(1, NonZero::get));
        if let Some(issuer) = issuer {
            builder = builder.issuer(&issuer);
        }
        let sandbox = builder.start().await?;
        // Made now, so that the first call is as fast as the others.
        Seed::of(self.seed).catalog();
        Ok(sandbox)
    }
}

/// One line for each part. Lines are not buffered, so that whoever waits for them sees them.
fn announce(sandbox: &Sandbox) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (part, address) in sandbox.addresses() {
        writeln!(out, "{:<14} {address}", part.name())?;
    }
    writeln!(out, "{:<14} {}", "chaos", sandbox.chaos_url())?;
    out.flush()
}
