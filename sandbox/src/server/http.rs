//! The HTTP servers: one for the provider, one for the services.

use std::{collections::BTreeSet, io, net::TcpListener, time::Duration};

use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web};

use crate::{
    chaos::{self, Chaos},
    part::Part,
    provider::{self, Provider},
    services::{self, World},
};

/// How long an idle connection is kept. Longer than clients keep theirs, so that it is they who close.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A server for the provider and `/chaos`.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) fn serve_provider(
    listener: TcpListener,
    workers: usize,
    provider: Provider,
    chaos: Chaos,
) -> io::Result<Server> {
    let endpoints = provider::configure(provider);
    let chaos = web::Data::new(chaos);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(chaos.clone())
            .wrap(from_fn(chaos::at_provider))
            .configure(chaos::configure)
            .configure(endpoints.clone())
    })
    .on_connect(chaos::remember)
    .tcp_nodelay(true)
    .keep_alive(KEEP_ALIVE)
    .workers(workers)
    .disable_signals();
    Ok(server.listen_auto_h2c(listener)?.run())
}

/// A server for the services and `/chaos`.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) fn serve_services(
    listener: TcpListener,
    workers: usize,
    parts: BTreeSet<Part>,
    world: World,
    chaos: Chaos,
) -> io::Result<Server> {
    let chaos = web::Data::new(chaos);
    let world = web::Data::new(world);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(chaos.clone())
            .app_data(world.clone())
            // The last one wrapped is the first to see a request: faults strike and calls are recorded before tokens are checked.
            .wrap(from_fn(services::check_access))
            .wrap(from_fn(chaos::at_service))
            .configure(chaos::configure)
            .configure(|config| services::configure(config, &parts))
    })
    .on_connect(chaos::remember)
    .tcp_nodelay(true)
    .keep_alive(KEEP_ALIVE)
    .workers(workers)
    .disable_signals();
    Ok(server.listen_auto_h2c(listener)?.run())
}
