//! A notification service that survives its process: a log that stays, and a gRPC server in front of it that can be
//! killed and started again on its port.
//!
//! The event with the id `n` is the notification with the title `n`. Whose events they are is read from the token without a
//! check: a JWT's `sub`, or the token itself.

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::{Stream, stream};
use sandbox::notifications::proto::{
    GetUnreadCountRequest, GetUnreadCountResponse, ListNotificationsRequest, ListNotificationsResponse,
    MarkReadRequest, MarkReadResponse, Notification, NotificationEvent, WatchRequest,
    notification_event::Event,
    notification_service_server::{NotificationService, NotificationServiceServer},
};
use socket2::{Domain, Socket, Type};
use tokio::sync::{oneshot, watch};
use tonic::{
    Request, Response, Status,
    metadata::MetadataMap,
    transport::{Server, server::TcpIncoming},
};

/// Streams that a connection may have, as many servers allow.
const MAX_STREAMS: u32 = 128;

/// What stays when the server dies.
#[derive(Clone)]
struct Log {
    /// The id of each user's latest event.
    latest: Arc<Mutex<HashMap<String, watch::Sender<u64>>>>,
    watching: Arc<AtomicUsize>,
    watched: Arc<AtomicUsize>,
    /// The text of every notification.
    text: Arc<str>,
}

/// The service. Dropping it kills its server.
pub struct NotificationLog {
    log: Log,
    address: SocketAddr,
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl NotificationLog {
    /// Starts it on a free port.
    pub fn start() -> Self {
        Self::with_texts_of(0)
    }

    /// Starts it on a free port; each notification has a text of so many bytes.
    pub fn with_texts_of(bytes: usize) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let log = Log {
            latest: Arc::default(),
            watching: Arc::default(),
            watched: Arc::default(),
            text: "x".repeat(bytes).into(),
        };
        let mut service = Self { log, address: any, server: None };
        service.start_again();
        service
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts the server again, on its port.
    pub fn start_again(&mut self) {
        if self.server.is_some() {
            return;
        }
        let listener = listen(self.address);
        self.address = listener.local_addr().expect("it is bound");
        let (kill, killed) = oneshot::channel();
        let log = self.log.clone();
        let thread = std::thread::spawn(move || serve(listener, log, killed));
        self.server = Some((kill, thread));
    }

    /// Ends the server in the middle of whatever it does.
    pub fn kill(&mut self) {
        if let Some((kill, thread)) = self.server.take() {
            drop(kill);
            thread.join().expect("the server's thread does not panic");
        }
    }

    /// Makes so many events of a user happen, and gives the id of the last one.
    pub fn publish(&self, user: &str, count: u64) -> u64 {
        let mut latest = 0;
        self.log.of(user, |sender| {
            sender.send_modify(|id| *id += count);
            latest = *sender.borrow();
        });
        latest
    }

    /// Streams that are open now.
    pub fn watching(&self) -> usize {
        self.log.watching.load(Ordering::SeqCst)
    }

    /// Streams that were opened so far.
    pub fn watched(&self) -> usize {
        self.log.watched.load(Ordering::SeqCst)
    }
}

impl Drop for NotificationLog {
    fn drop(&mut self) {
        self.kill();
    }
}

fn listen(address: SocketAddr) -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("the option is known");
    socket.set_nonblocking(true).expect("the option is known");
    socket.bind(&address.into()).expect("the port is free");
    socket.listen(4096).expect("it can listen");
    socket.into()
}

fn serve(listener: TcpListener, log: Log, killed: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("it is a listener");
        let server = Server::builder()
            .max_concurrent_streams(MAX_STREAMS)
            .add_service(NotificationServiceServer::new(log))
            .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
        tokio::select! {
            _ = server => {}
            _ = killed => {}
        }
    });
    // What is still open ends with the runtime.
    runtime.shutdown_background();
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of<T>(&self, user: &str, act: impl FnOnce(&mut watch::Sender<u64>) -> T) -> T {
        act(self.lock().entry(user.to_owned()).or_insert_with(|| watch::Sender::new(0)))
    }
}

/// An open stream.
struct Watch {
    latest: watch::Receiver<u64>,
    at: u64,
    text: Arc<str>,
    watching: Arc<AtomicUsize>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watching.fetch_sub(1, Ordering::SeqCst);
    }
}

fn event(id: u64, text: &str) -> NotificationEvent {
    let notification = Notification {
        id: format!("ntf_{id}"),
        cursor: id,
        title: id.to_string(),
        body: text.to_owned(),
        ..Notification::default()
    };
    let unread_count = u32::try_from(id).unwrap_or(u32::MAX);
    NotificationEvent { cursor: id, event: Some(Event::Created(notification)), unread_count }
}

fn user(metadata: &MetadataMap) -> Result<String, Status> {
    let token = metadata.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let token = token.ok_or_else(|| Status::unauthenticated("no token"))?;
    let Some(claims) = token.split('.').nth(1) else { return Ok(token.to_owned()) };
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).map_err(|_| Status::unauthenticated("not a token"))?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap_or_default();
    claims["sub"].as_str().map(str::to_owned).ok_or_else(|| Status::unauthenticated("not a token"))
}

#[tonic::async_trait]
impl NotificationService for Log {
    async fn list_notifications(
        &self,
        _: Request<ListNotificationsRequest>,
    ) -> Result<Response<ListNotificationsResponse>, Status> {
        Err(Status::unimplemented("no test asks"))
    }

    async fn get_unread_count(
        &self,
        request: Request<GetUnreadCountRequest>,
    ) -> Result<Response<GetUnreadCountResponse>, Status> {
        let latest_cursor = self.of(&user(request.metadata())?, |sender| *sender.borrow());
        let unread_count = u32::try_from(latest_cursor).unwrap_or(u32::MAX);
        Ok(Response::new(GetUnreadCountResponse { unread_count, latest_cursor }))
    }

    async fn mark_read(&self, _: Request<MarkReadRequest>) -> Result<Response<MarkReadResponse>, Status> {
        Err(Status::unimplemented("no test asks"))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<NotificationEvent, Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let latest = self.of(&user(request.metadata())?, |sender| sender.subscribe());
        let at = request.into_inner().after_cursor;
        if at > *latest.borrow() {
            return Err(Status::out_of_range("there is no such event"));
        }
        self.watching.fetch_add(1, Ordering::SeqCst);
        self.watched.fetch_add(1, Ordering::SeqCst);
        let watch = Watch { latest, at, text: Arc::clone(&self.text), watching: Arc::clone(&self.watching) };
        let events = stream::unfold(watch, |mut watch| async move {
            let at = watch.at;
            watch.latest.wait_for(|latest| *latest > at).await.ok()?;
            watch.at += 1;
            Some((Ok(event(watch.at, &watch.text)), watch))
        });
        Ok(Response::new(Box::pin(events)))
    }
}
