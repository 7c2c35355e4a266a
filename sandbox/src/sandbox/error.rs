//! Why a sandbox does not start.

use std::{io, net::SocketAddr};

use crate::{part::UnknownPart, provider::ProviderError};

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// One of the names is not the name of a part.
    #[error(transparent)]
    UnknownPart(#[from] UnknownPart),
    /// Another process listens on the port.
    #[error(
        "port {port} for the {listener} is in use; choose another with --{}-port or SANDBOX_{}_PORT",
        listener.name(),
        listener.name().to_uppercase()
    )]
    PortInUse {
        /// The port.
        port: u16,
        /// What was to listen there.
        listener: Listener,
    },
    /// The operating system refuses the address.
    #[error("cannot listen on {address} for the {listener}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What was to listen there.
        listener: Listener,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The provider cannot be set up.
    #[error("the provider cannot be set up")]
    Provider(#[from] ProviderError),
    /// A server or a thread cannot be started.
    #[error("a server cannot be started")]
    Server(#[source] io::Error),
}

/// The three addresses on which a sandbox listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// The OpenID provider.
    Provider,
    /// The REST and WebSocket services.
    Services,
    /// The gRPC notifications.
    Grpc,
}

impl Listener {
    fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Services => "services",
            Self::Grpc => "grpc",
        }
    }
}

impl std::fmt::Display for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Provider => "provider",
            Self::Services => "services",
            Self::Grpc => "gRPC notifications",
        })
    }
}
