//! The public listener: actix's workers and its HTTP/1.1 connections, without the room for HTTP/2.
//!
//! `actix_web::HttpServer` makes each connection's task as large as the largest protocol that it might speak, and here that
//! is HTTP/2 whether it is spoken or not, because the client of the same family needs that feature. TLS and HTTP/2 end at
//! the edge proxy; what arrives is HTTP/1.1, often on connections that live for hours and do nothing. So this puts the same
//! parts together without that protocol, and in a box: the worker's task holds room for what it runs twice, once for what
//! it is given and once for what it waits for.

use std::{cell::Cell, fmt, future::ready, io, net::TcpListener, rc::Rc, time::Duration};

use actix_http::{HttpService, Request, Response, error::DispatchError};
use actix_server::{GracefulShutdownSignal, Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, boxed, fn_service, map_config};
use actix_web::{body::MessageBody, dev::AppConfig};
use tokio::{net::TcpStream, sync::Notify};

use crate::settings::ServerSettings;

/// How long the end of a connection may take that is asked to close.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves the application that each worker makes for itself, until the server is stopped by its handle.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) fn serve_http1<F, I, S, B>(
    listener: TcpListener,
    settings: &ServerSettings,
    application: F,
) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let address = listener.local_addr()?;
    let (keep_alive, header_timeout) = (settings.keep_alive(), settings.header_timeout());
    let builder = ServerBuilder::new()
        .workers(settings.worker_count())
        .max_concurrent_connections(settings.max_connections.div_ceil(settings.worker_count()))
        .disable_signals()
        .shutdown_timeout(settings.drain_timeout().as_secs().max(1));
    let leaving = builder.graceful_shutdown_signal();
    let builder = builder.listen("public", listener, move || {
        let leaving = Leaving::on_this_worker(leaving.clone());
        let application = application().into_factory().map_err(|error| error.into().error_response());
        let connections = HttpService::build()
            .graceful_shutdown_signal(move || {
                let leaving = leaving.clone();
                async move { leaving.begins().await }
            })
            .keep_alive(keep_alive)
            .client_request_timeout(header_timeout)
            .client_disconnect_timeout(CLOSING_TIMEOUT)
            // A client that closes its side has left: its request is dropped, and with it the calls that it waits for.
            .h1_allow_half_closed(false)
            .local_addr(address)
            .h1(map_config(application, |()| AppConfig::default()));
        let prepared = fn_service(|socket: TcpStream| {
            // An answer is written whole, so waiting for more would only delay it. A socket that refuses is about to fail.
            let _ = socket.set_nodelay(true);
            let peer = socket.peer_addr().ok();
            ready(Ok::<_, DispatchError>((socket, peer)))
        });
        boxed::factory(prepared.and_then(connections))
    })?;
    Ok(builder.run())
}

/// That the process leaves, as the connections of one worker learn of it. Each waits for it for as long as it lives, which
/// takes 112 bytes, and with actix-server's own signal 176: of 10,000 idle streams that is more than half a mebibyte.
#[derive(Clone, Default)]
struct Leaving(Rc<(Cell<bool>, Notify)>);

impl Leaving {
    fn on_this_worker(signal: GracefulShutdownSignal) -> Self {
        let leaving = Self::default();
        let told = leaving.clone();
        actix_web::rt::spawn(async move {
            signal.notified().await;
            let (begun, waiting) = &*told.0;
            begun.set(true);
            waiting.notify_waiters();
        });
        leaving
    }

    async fn begins(&self) {
        let (begun, waiting) = &*self.0;
        while !begun.get() {
            waiting.notified().await;
        }
    }
}
