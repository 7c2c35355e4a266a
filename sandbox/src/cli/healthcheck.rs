//! `sandbox healthcheck`

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::net::TcpStream;

use super::{CliError, serve::ServeArgs};
use crate::{Listener, part::Part};

const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks each address that `serve` listens on with the same flags and variables. `/chaos` answers without a token, is not recorded
/// and meets no fault.
pub(super) async fn run(args: &ServeArgs) -> Result<(), CliError> {
    let host = match args.host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    let client = awc::Client::builder().timeout(TIMEOUT).finish();
    for (listener, port) in args.listeners() {
        let address = SocketAddr::new(host, port);
        if listener == Listener::Grpc {
            connect(address).await?;
            continue;
        }
        let url = format!("http://{address}/chaos");
        let answer = client.get(&url).send().await;
        let status =
            answer.map_err(|error| CliError::Unreachable { url: url.clone(), reason: error.to_string() })?.status();
        if !status.is_success() {
            return Err(CliError::Unreachable { url, reason: format!("status {}", status.as_u16()) });
        }
    }
    Ok(())
}

async fn connect(address: SocketAddr) -> Result<(), CliError> {
    let unreachable = |reason: String| CliError::Unreachable { url: format!("http://{address}"), reason };
    match tokio::time::timeout(TIMEOUT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unreachable(error.to_string())),
        Err(_) => Err(unreachable("no connection within two seconds".to_owned())),
    }
}

impl ServeArgs {
    /// What listens with these arguments, and on which port.
    fn listeners(&self) -> Vec<(Listener, u16)> {
        let serves = |part: Part| self.only.is_empty() || self.only.iter().any(|name| name == part.name());
        let mut listeners = Vec::new();
        if serves(Part::Provider) {
            listeners.push((Listener::Provider, self.provider_port));
        }
        if Part::ALL.into_iter().any(|part| part != Part::Provider && serves(part)) {
            listeners.push((Listener::Services, self.services_port));
        }
        if serves(Part::Notifications) {
            listeners.push((Listener::Grpc, self.grpc_port));
        }
        listeners
    }
}
