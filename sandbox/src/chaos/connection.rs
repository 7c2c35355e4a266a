//! Hold of the socket under a request, so that a fault can reset the connection for real.
//!
//! A TCP connection whose lingering time is 0 is reset, not finished, when its last descriptor is closed.

use std::{
    any::Any,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{dev::Extensions, rt::net::TcpStream};
use futures_util::task::AtomicWaker;
use socket2::{SockRef, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

/// The socket of an HTTP connection.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
}

/// Keeps the socket of a new connection where the requests on it find it.
pub(crate) fn remember(connection: &dyn Any, extensions: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    match SockRef::from(stream).try_clone() {
        Ok(socket) => {
            extensions.insert(Connection { socket });
        }
        Err(error) => tracing::warn!(%error, "this connection cannot be reset by a fault"),
    }
}

impl Connection {
    /// The connection is reset as soon as the server closes it.
    pub(crate) fn reset_on_close(&self) {
        if let Err(error) = self.socket.set_linger(Some(Duration::ZERO)) {
            tracing::debug!(%error, "the connection is gone before its reset");
        }
    }

    /// Ends the connection in both directions now. Needed where a failing body would end no more than one HTTP/2 stream.
    pub(crate) fn cut(&self) {
        if let Err(error) = self.socket.shutdown(std::net::Shutdown::Both) {
            tracing::debug!(%error, "the connection is gone before its end");
        }
    }
}

/// A connection of the gRPC server that a fault can reset.
#[derive(Debug)]
pub(crate) struct GrpcStream {
    stream: tokio::net::TcpStream,
    reset: GrpcConnection,
}

/// The handle by which a fault resets a gRPC connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct GrpcConnection {
    state: Arc<ResetState>,
}

#[derive(Debug, Default)]
struct ResetState {
    wanted: AtomicBool,
    reader: AtomicWaker,
}

impl GrpcConnection {
    /// Resets the connection, and with it every call on it.
    pub(super) fn reset(&self) {
        self.state.wanted.store(true, Ordering::SeqCst);
        self.state.reader.wake();
    }
}

impl GrpcStream {
    /// Wraps an accepted connection.
    pub(crate) fn new(stream: tokio::net::TcpStream) -> Self {
        Self { stream, reset: GrpcConnection::default() }
    }

    fn check(&self) -> io::Result<()> {
        if !self.reset.state.wanted.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.stream.set_zero_linger()?;
        Err(io::Error::new(io::ErrorKind::ConnectionReset, "reset by a fault"))
    }
}

impl Connected for GrpcStream {
    type ConnectInfo = GrpcConnection;

    fn connect_info(&self) -> GrpcConnection {
        self.reset.clone()
    }
}

impl AsyncRead for GrpcStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reset.state.reader.register(context.waker());
        self.check()?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for GrpcStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
