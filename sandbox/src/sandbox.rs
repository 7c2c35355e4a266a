//! The sandbox as a value: what runs, where it is reached, and how it is started.

mod error;

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
};

pub use self::error::{Listener, StartError};
use crate::{
    access::{Access, KeyLocation, Keys},
    chaos::Chaos,
    clock::Clock,
    notifications::{Notifications, Service},
    part::{Part, UnknownPart},
    provider::{Provider, ProviderHandle, ProviderSettings},
    seed::{DEFAULT_SEED, Seed},
    server::{self, Running},
    services::World,
};

/// The issuer that services trust when they are told of none and no provider runs beside them.
const DEFAULT_ISSUER: &str = "http://localhost:9000";

/// The ports of a sandbox; 0 lets the operating system choose.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ports {
    /// Of the OpenID provider.
    pub provider: u16,
    /// Of the REST and WebSocket services.
    pub services: u16,
    /// Of the gRPC notifications.
    pub grpc: u16,
}

/// Says what a sandbox is to be; see [`Sandbox::builder`].
#[derive(Debug, Clone)]
pub struct SandboxBuilder {
    only: Vec<String>,
    host: IpAddr,
    ports: Ports,
    seed: u64,
    issuer: Option<String>,
    provider: ProviderSettings,
    clock: Clock,
    workers: usize,
}

/// A running sandbox. Dropping it stops it, within a second, and closes its connections.
#[derive(Debug)]
pub struct Sandbox {
    parts: BTreeSet<Part>,
    issuer: String,
    provider_address: Option<SocketAddr>,
    services_address: Option<SocketAddr>,
    grpc_address: Option<SocketAddr>,
    chaos: Chaos,
    provider: Option<ProviderHandle>,
    /// Stopped one after the other when the sandbox is dropped.
    _servers: Vec<Running>,
}

impl Sandbox {
    /// A sandbox with every part, on free ports of 127.0.0.1.
    #[must_use]
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder {
            only: Vec::new(),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: Ports::default(),
            seed: DEFAULT_SEED,
            issuer: None,
            provider: ProviderSettings::default(),
            clock: Clock::system(),
            workers: 1,
        }
    }

    /// The issuer, exactly as in discovery and in tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The address of a part, without a slash at the end: of the provider its issuer, of the notifications that of gRPC, of every
    /// other service its prefix on the services port.
    ///
    /// # Panics
    /// When this sandbox does not serve such a part.
    #[must_use]
    pub fn url(&self, part: &str) -> String {
        let part = Part::parse(part).expect("the name of a part");
        assert!(self.parts.contains(&part), "this sandbox does not serve {part}");
        match part {
            Part::Provider => self.issuer.clone(),
            Part::Notifications => self.grpc_url(),
            _ => format!("{}/{part}", base(self.services_address.expect("a part on the services port"))),
        }
    }

    /// The address of the gRPC server.
    ///
    /// # Panics
    /// When this sandbox does not serve notifications.
    #[must_use]
    pub fn grpc_url(&self) -> String {
        base(self.grpc_address.expect("a sandbox with notifications"))
    }

    /// The address of the fault rules and journals.
    #[must_use]
    pub fn chaos_url(&self) -> String {
        self.services_address
            .or(self.provider_address)
            .map(|address| format!("{}/chaos", base(address)))
            .unwrap_or_default()
    }

    /// The fault rules and journals, in this process.
    #[must_use]
    pub fn chaos(&self) -> &Chaos {
        &self.chaos
    }

    /// The provider, in this process.
    ///
    /// # Panics
    /// When this sandbox does not serve the provider.
    #[must_use]
    pub fn provider(&self) -> &ProviderHandle {
        self.provider.as_ref().expect("a sandbox with the provider")
    }

    /// Every part that is served and where it is reached, for people to read.
    #[must_use]
    pub fn addresses(&self) -> Vec<(Part, String)> {
        let listening = |part: Part| match (part, self.provider_address) {
            (Part::Provider, Some(address)) => format!("{} (issuer {})", base(address), self.issuer),
            _ => self.url(part.name()),
        };
        self.parts.iter().map(|&part| (part, listening(part))).collect()
    }
}

impl SandboxBuilder {
    /// Serves these parts only, by name.
    #[must_use]
    pub fn only<S: Into<String>>(mut self, parts: impl IntoIterator<Item = S>) -> Self {
        self.only = parts.into_iter().map(Into::into).collect();
        self
    }

    /// Listens on this address.
    #[must_use]
    pub fn host(mut self, host: IpAddr) -> Self {
        self.host = host;
        self
    }

    /// Listens on these ports.
    #[must_use]
    pub fn ports(mut self, ports: Ports) -> Self {
        self.ports = ports;
        self
    }

    /// Makes the demo data from this number.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The issuer: what the provider calls itself, and whom the services trust.
    /// Default: the address of the provider in this sandbox; without one, `http://localhost:9000`.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.trim_end_matches('/').to_owned());
        self
    }

    /// Sets up the provider like this.
    #[must_use]
    pub fn provider(mut self, settings: ProviderSettings) -> Self {
        self.provider = settings;
        self
    }

    /// Tells the time by this clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Serves HTTP with this many threads for each port. Default: 1.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Starts it. Needs no particular runtime.
    ///
    /// # Errors
    /// Unknown parts, ports in use, and what the operating system refuses.
    pub async fn start(self) -> Result<Sandbox, StartError> {
        let parts = self.parts()?;
        let serves_http = parts.iter().any(|&part| part != Part::Provider);
        let provider_listener =
            self.listen(parts.contains(&Part::Provider), Listener::Provider, self.ports.provider)?;
        let services_listener = self.listen(serves_http, Listener::Services, self.ports.services)?;
        let grpc_listener = self.listen(parts.contains(&Part::Notifications), Listener::Grpc, self.ports.grpc)?;
        let provider_address = provider_listener.as_ref().map(|(_, address)| *address);
        let services_address = services_listener.as_ref().map(|(_, address)| *address);
        let grpc_address = grpc_listener.as_ref().map(|(_, address)| *address);

        let chaos = Chaos::new(self.seed, self.clock.clone());
        let mut settings = self.provider;
        settings.issuer = self.issuer.or(settings.issuer);
        let mut issuer = settings.issuer.clone().unwrap_or_else(|| DEFAULT_ISSUER.to_owned());
        let mut servers = Vec::new();
        let mut handle = None;
        if let Some((listener, address)) = provider_listener {
            let provider = Provider::new(settings, self.clock.clone())?;
            provider.set_issuer(&base(address));
            issuer = provider.issuer();
            handle = Some(provider.handle());
            let (workers, chaos) = (self.workers, chaos.clone());
            let build = move || server::serve_provider(listener, workers, provider, chaos);
            servers.push(Running::http("sandbox-provider", build).await.map_err(StartError::Server)?);
        }
        if let Some((listener, _)) = services_listener {
            let location = provider_address.map_or_else(
                || KeyLocation::Discovery(issuer.clone()),
                |address| KeyLocation::Jwks(format!("{}/jwks", base(address))),
            );
            let keys = Keys::new(location).map_err(StartError::Server)?;
            let access = Access::new(&issuer, keys, self.clock.clone());
            let seed = Seed::of(self.seed);
            let notifications = Arc::new(Notifications::new(Arc::clone(&seed), self.clock.clone()));
            if let Some((listener, _)) = grpc_listener {
                let service = Service::new(Arc::clone(&notifications), access.clone());
                let chaos = chaos.clone();
                let build = move || server::serve_notifications(listener, service, chaos);
                servers.push(Running::grpc("sandbox-grpc", build).map_err(StartError::Server)?);
            }
            let world = World::new(seed, self.clock, access, notifications);
            let (workers, parts, chaos) = (self.workers, parts.clone(), chaos.clone());
            let build = move || server::serve_services(listener, workers, parts, world, chaos);
            servers.push(Running::http("sandbox-services", build).await.map_err(StartError::Server)?);
        }
        Ok(Sandbox {
            parts,
            issuer,
            provider_address,
            services_address,
            grpc_address,
            chaos,
            provider: handle,
            _servers: servers,
        })
    }

    fn parts(&self) -> Result<BTreeSet<Part>, UnknownPart> {
        if self.only.is_empty() {
            return Ok(Part::ALL.into());
        }
        self.only.iter().map(|name| Part::parse(name)).collect()
    }

    fn listen(
        &self,
        wanted: bool,
        listener: Listener,
        port: u16,
    ) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
        if !wanted {
            return Ok(None);
        }
        let address = SocketAddr::new(self.host, port);
        let bound = server::bind(address).and_then(|socket| {
            let address = socket.local_addr()?;
            Ok((socket, address))
        });
        match bound {
            Ok(bound) => Ok(Some(bound)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(StartError::PortInUse { port, listener }),
            Err(source) => Err(StartError::Bind { address, listener, source }),
        }
    }
}

/// The base address for clients on this machine.
fn base(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    format!("http://{address}")
}
