//! Starts a BFF: listeners first, so that a port in use is found before anything else, then its state, then its
//! workers; and stops it in the opposite order.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{App, dev::ServerHandle, middleware::from_fn};
use futures_util::future::BoxFuture;

use super::{Bff, ServiceSettings, Start, admin::Admin, breaker_watch::BreakerWatch};
use crate::{
    clock::Clock,
    downstream::{Registry, RegistryError},
    problem::RenderProblems,
    server::{
        AdaptiveLimit, BindError, InfoSource, Management, Part, Readiness, ResponseHeaders, bind,
        give_up_on_silent_peers, limit_head, serve_http1, serve_management,
    },
    settings::{Environment, Settings},
    telemetry::{
        ServiceIdentity, TelemetryGuard,
        metrics::{self, MetricsError},
        request_id::TrustedCallers,
        request_span::RequestSpan,
    },
};

/// Why a BFF did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port could not be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The downstreams could not be set up.
    #[error(transparent)]
    Downstreams(#[from] RegistryError),
    /// The BFF's own state could not be built.
    #[error("{0:#}")]
    State(anyhow::Error),
    /// Metrics could not be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A listener could not be used.
    #[error("the server could not be started")]
    Server(#[from] io::Error),
}

/// A BFF that is running.
pub struct Running {
    /// Where clients reach it.
    pub public: SocketAddr,
    /// Where operators reach it.
    pub management: SocketAddr,
    readiness: Readiness,
    public_handle: ServerHandle,
    management_handle: ServerHandle,
    drain_delay: Duration,
    end_streams: Box<dyn FnOnce() + Send>,
    close: Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>,
    _breaker_watch: BreakerWatch,
}

/// Starts a BFF within the present actix system. With `telemetry`, operators can set the log level.
///
/// # Errors
/// [`StartError`]. A downstream that is away is none.
pub async fn launch<B: Bff>(
    settings: Arc<B::Settings>,
    clock: Clock,
    telemetry: Option<TelemetryGuard>,
) -> Result<Running, StartError> {
    metrics::install(ServiceIdentity { name: B::NAME, version: B::VERSION })?;
    let (server, management) = (settings.server(), settings.management());
    let part = |section| Part { service: B::NAME, section, prefix: B::Settings::PREFIX };
    let public_listener = bind(&server.host, server.port, part("server"))?;
    let management_listener = bind(&management.host, management.port, part("management"))?;
    give_up_on_silent_peers(&public_listener, server.unacknowledged_timeout());
    let (public, management_address) = (public_listener.local_addr()?, management_listener.local_addr()?);

    let registry = Registry::new(&settings.downstreams(), &clock)?;
    registry.require(B::DOWNSTREAMS)?;
    registry.keep_resolving();
    let log_clock = clock.clone();
    let limit = AdaptiveLimit::new(&server.adaptive_limit, B::routes_of(&settings).routes(), clock.clone());
    let start = Start { settings: Arc::clone(&settings), registry: registry.clone(), clock };
    let state = B::start(start).await.map_err(StartError::State)?;

    let readiness = Readiness::new();
    let production = settings.environment() == Environment::Production;
    let management_server = {
        let mut info: Vec<InfoSource> = downstreams_info(&registry);
        info.extend(B::info(&state));
        let admin_state = state.clone();
        let admin = Admin { registry: registry.clone(), telemetry };
        serve_management(
            management_listener,
            Management {
                name: B::NAME,
                version: B::VERSION,
                environment: if production { "production" } else { "development" },
                readiness: readiness.clone(),
                info,
                operator_token: management.operator_token.clone(),
                admin: Arc::new(move |config| {
                    admin.configure(config);
                    B::admin(&admin_state, config);
                }),
            },
        )?
    };
    let headers = ResponseHeaders::new(production, readiness.clone());
    let max_header_bytes = server.max_header_bytes;
    let trusted_callers =
        TrustedCallers::new(&server.trusted_proxies).continuing_traces_of(settings.telemetry().continue_traces_of);
    let (ending, closing) = (state.clone(), state.clone());
    let public_server = serve_http1(public_listener, server, move || {
        App::new()
            .wrap(limit.clone())
            .wrap(from_fn(move |request, next| limit_head(max_header_bytes, request, next)))
            .wrap(RenderProblems)
            .wrap(headers.clone())
            .wrap(RequestSpan::new(log_clock.clone()))
            .app_data(trusted_callers.clone())
            .configure(|config| B::configure(&state, config))
    })?;

    let running = Running {
        public,
        management: management_address,
        readiness,
        public_handle: public_server.handle(),
        management_handle: management_server.handle(),
        drain_delay: server.drain_delay(),
        end_streams: Box::new(move || B::drain(&ending)),
        close: Box::new(move || Box::pin(async move { B::close(&closing).await })),
        _breaker_watch: BreakerWatch::start(registry),
    };
    actix_web::rt::spawn(public_server);
    actix_web::rt::spawn(management_server);
    Ok(running)
}

impl Running {
    /// Leaves in order: not ready, a while for load balancers to notice, no new connections, streams end with a time to
    /// come back, requests in flight finish (bounded by `drain_timeout_ms`), what must last is written down, and the
    /// probes end last.
    pub async fn drain(self) {
        self.readiness.drain();
        tokio::time::sleep(self.drain_delay).await;
        // The command is sent when the future is made, so that who is sent away does not find this instance again.
        let stopped = self.public_handle.stop(true);
        (self.end_streams)();
        stopped.await;
        (self.close)().await;
        self.management_handle.stop(true).await;
    }

    /// Whether it is on its way out.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }
}

/// The breakers and the instances of the downstreams.
fn downstreams_info(registry: &Registry) -> Vec<InfoSource> {
    let (breakers, instances) = (registry.clone(), registry.clone());
    vec![
        Arc::new(move || ("circuitBreakers", serde_json::to_value(breakers.breakers()).unwrap_or_default())),
        Arc::new(move || ("instances", serde_json::to_value(instances.balancers()).unwrap_or_default())),
    ]
}
