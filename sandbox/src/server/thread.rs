//! A server on a thread of its own, which ends when its handle is dropped.

use std::{
    io,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use actix_web::{
    dev::{Server, ServerHandle},
    rt::System,
};
use tokio::sync::oneshot;

/// The longest wait for a server to end.
const STOP_WITHIN: Duration = Duration::from_millis(800);

/// A server that runs. Dropping it stops the server at once, open connections included.
#[derive(Debug)]
pub(crate) struct Running {
    stop: Option<Stop>,
    /// Its sender lives as long as the thread.
    ended: Receiver<()>,
}

#[derive(Debug)]
enum Stop {
    Http(ServerHandle),
    Grpc(oneshot::Sender<()>),
}

impl Running {
    /// Runs an HTTP server that is built on its thread.
    ///
    /// # Errors
    /// When the thread cannot be started or the server cannot be built.
    pub(crate) async fn http(
        name: &str,
        build: impl FnOnce() -> io::Result<Server> + Send + 'static,
    ) -> io::Result<Self> {
        let (alive, ended) = mpsc::channel();
        let (built, outcome) = oneshot::channel();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _alive: mpsc::Sender<()> = alive;
            System::new().block_on(async move {
                match build() {
                    Ok(server) => {
                        // The starter has gone: the handle comes back, and dropping it lets the server run for nobody.
                        if built.send(Ok(server.handle())).is_ok()
                            && let Err(error) = server.await
                        {
                            tracing::error!(%error, "an HTTP server has failed");
                        }
                    }
                    Err(error) => {
                        let _ = built.send(Err(error));
                    }
                }
            });
        })?;
        let handle = outcome.await.map_err(|_| io::Error::other("the server's thread has ended"))??;
        Ok(Self { stop: Some(Stop::Http(handle)), ended })
    }

    /// Runs a gRPC server, which is a future on a Tokio runtime that ends with it.
    ///
    /// # Errors
    /// When the runtime or the thread cannot be started.
    pub(crate) fn grpc<F>(name: &str, build: impl FnOnce() -> F + Send + 'static) -> io::Result<Self>
    where
        F: Future<Output = ()>,
    {
        let (alive, ended) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _alive: mpsc::Sender<()> = alive;
            runtime.block_on(async move {
                // A sender that was dropped means the same as one that was used.
                tokio::select! {
                    () = build() => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { stop: Some(Stop::Grpc(stop)), ended })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        match self.stop.take() {
            // The command is sent when the future is made; what it would wait for is waited for below.
            Some(Stop::Http(handle)) => drop(handle.stop(false)),
            Some(Stop::Grpc(stop)) => drop(stop),
            None => {}
        }
        // Ends with an error as soon as the thread drops the sender, which is what is waited for.
        let _ = self.ended.recv_timeout(STOP_WITHIN);
    }
}
