//! A downstream that answers what the test says and remembers what it was asked.
//!
//! It is a real HTTP server (HTTP/1.1, and HTTP/2 with prior knowledge), so a call goes through sockets, parsers and
//! time-outs as in production. Tests of whole screens use the sandbox instead; this one is for single calls.

mod answer;

use std::{
    collections::VecDeque,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{Method, header::HeaderMap},
    web::{self, Bytes},
};
use tokio::sync::watch;

pub use answer::Answer;

/// How long [`FakeDownstream::arrived`] waits. It only ends tests that hang.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest request body that is read, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct SeenRequest {
    /// The method.
    pub method: Method,
    /// The path as sent.
    pub path: String,
    /// The query without the `?`; empty when there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl SeenRequest {
    /// The first value of a header, where it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

type Script = Box<dyn FnMut(&SeenRequest) -> Answer + Send>;

/// The server. It stops when this is dropped.
pub struct FakeDownstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    handle: ServerHandle,
}

struct Shared {
    state: Mutex<State>,
    arrived: watch::Sender<usize>,
    in_flight: watch::Sender<usize>,
    held: watch::Sender<bool>,
}

struct State {
    script: Script,
    next: VecDeque<Answer>,
    seen: Vec<SeenRequest>,
}

impl FakeDownstream {
    /// Starts one that answers every request with `answer`.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn start(answer: Answer) -> Self {
        Self::scripted(move |_| answer.clone())
    }

    /// Starts one that asks `script` for each answer.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn scripted(script: impl FnMut(&SeenRequest) -> Answer + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State { script: Box::new(script), next: VecDeque::new(), seen: Vec::new() }),
            arrived: watch::Sender::new(0),
            in_flight: watch::Sender::new(0),
            held: watch::Sender::new(false),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("some port is free");
        let address = listener.local_addr().expect("it is bound");
        let data = web::Data::from(Arc::clone(&shared));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
                .default_service(web::to(answer_request))
        })
        .workers(1)
        .tcp_nodelay(true)
        // A client that closes its connection has gone away: its request ends, which is what `in_flight` tells.
        .h1_allow_half_closed(false)
        .disable_signals()
        .listen_auto_h2c(listener)
        .expect("the listener can be used")
        .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { address, shared, handle }
    }

    /// Its address without a path and without a slash at the end, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers the next request that is not yet spoken for with `answer`, and goes on as before after it.
    pub fn push(&self, answer: Answer) {
        self.shared.state().next.push_back(answer);
    }

    /// Answers with `answer` from now on. What was [pushed](Self::push) comes first.
    pub fn answer(&self, answer: Answer) {
        self.script(move |_| answer.clone());
    }

    /// Asks `script` for each answer from now on. What was [pushed](Self::push) comes first.
    pub fn script(&self, script: impl FnMut(&SeenRequest) -> Answer + Send + 'static) {
        self.shared.state().script = Box::new(script);
    }

    /// Keeps every answer back until the [`Hold`] is released or dropped. Requests are still taken in and noted, and
    /// what each will be answered is settled when it arrives.
    #[must_use = "dropping it releases the answers"]
    pub fn hold(&self) -> Hold {
        self.shared.held.send_replace(true);
        Hold(Arc::clone(&self.shared))
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn seen(&self) -> Vec<SeenRequest> {
        self.shared.state().seen.clone()
    }

    /// How many requests have arrived.
    #[must_use]
    pub fn calls(&self) -> usize {
        *self.shared.arrived.borrow()
    }

    /// How many requests wait for their answer. One whose client went away is none of them.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        *self.shared.in_flight.borrow()
    }

    /// Waits until `count` requests have arrived in all.
    ///
    /// # Panics
    /// When they have not within ten seconds.
    pub async fn arrived(&self, count: usize) {
        let mut arrived = self.shared.arrived.subscribe();
        let waiting = tokio::time::timeout(ARRIVAL_TIMEOUT, arrived.wait_for(|arrived| *arrived >= count)).await;
        assert!(waiting.is_ok(), "{} of {count} requests arrived", self.calls());
    }

    /// Waits until no request waits for its answer any more: all are answered, or their clients went away.
    ///
    /// # Panics
    /// When some still do after ten seconds.
    pub async fn idle(&self) {
        let mut in_flight = self.shared.in_flight.subscribe();
        let waiting = tokio::time::timeout(ARRIVAL_TIMEOUT, in_flight.wait_for(|count| *count == 0)).await;
        assert!(waiting.is_ok(), "{} requests still wait for an answer", self.in_flight());
    }

    /// Stops it at once: connections break, new ones are refused.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

impl Drop for FakeDownstream {
    fn drop(&mut self) {
        // The command is on its way as soon as the future is made.
        drop(self.handle.stop(false));
    }
}

/// Keeps the answers of a [`FakeDownstream`] back.
pub struct Hold(Arc<Shared>);

impl Hold {
    /// Lets every answer go that was kept back, and all further ones.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.held.send_replace(false);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A script that panicked has failed its test already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request while its answer is awaited, also when the client goes away.
struct InFlight(Arc<Shared>);

impl InFlight {
    fn begin(shared: &Arc<Shared>) -> Self {
        shared.in_flight.send_modify(|count| *count += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.send_modify(|count| *count -= 1);
    }
}

async fn answer_request(request: HttpRequest, body: Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let shared = shared.into_inner();
    let _in_flight = InFlight::begin(&shared);
    let seen = SeenRequest {
        method: request.method().clone(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        headers: request.headers().clone(),
        body,
    };
    let answer = {
        let mut state = shared.state();
        let answer = match state.next.pop_front() {
            Some(answer) => answer,
            None => (state.script)(&seen),
        };
        state.seen.push(seen);
        answer
    };
    shared.arrived.send_modify(|count| *count += 1);
    let mut held = shared.held.subscribe();
    // It cannot fail: the sender lives in what this handler holds.
    let _ = held.wait_for(|held| !*held).await;
    answer.into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::receive;

    fn client() -> awc::Client {
        awc::Client::builder().disable_redirects().finish()
    }

    #[actix_web::test]
    async fn pushed_answers_come_first_and_once_each() {
        let fake = FakeDownstream::start(Answer::json(&json!({"usual": true})));
        fake.push(Answer::status(503).header("retry-after", "1"));
        let first = receive(client().get(fake.url()).send()).await;
        let second = receive(client().post(format!("{}/a?b=c", fake.url())).send_body("text")).await;
        assert_eq!((first.status.as_u16(), first.header("retry-after")), (503, Some("1")));
        assert_eq!(second.json(), json!({"usual": true}));
        let seen = &fake.seen()[1];
        assert_eq!((seen.path.as_str(), seen.query.as_str(), &seen.body[..]), ("/a", "b=c", &b"text"[..]));
    }

    #[actix_web::test]
    async fn answers_are_held_until_they_are_released() {
        let fake = FakeDownstream::start(Answer::status(204));
        let hold = fake.hold();
        let call = actix_web::rt::spawn(receive(client().get(fake.url()).send()));
        fake.arrived(1).await;
        assert!(!call.is_finished());
        hold.release();
        assert_eq!(call.await.expect("the call ends").status.as_u16(), 204);
    }

    #[actix_web::test]
    async fn a_client_that_goes_away_is_no_longer_in_flight() {
        let fake = FakeDownstream::start(Answer::status(204));
        let _hold = fake.hold();
        let call = actix_web::rt::spawn(receive(client().get(fake.url()).send()));
        fake.arrived(1).await;
        assert_eq!(fake.in_flight(), 1);
        call.abort();
        fake.idle().await;
    }

    #[actix_web::test]
    async fn a_body_can_break_off() {
        let fake = FakeDownstream::start(Answer::json(&json!({"long": "enough"})).breaking_off());
        let received = receive(client().get(fake.url()).send()).await;
        // awc takes the end of the connection for the end of the body, so the lengths are what tells.
        assert_eq!((received.header("content-length"), received.body.len()), (Some("17"), 8));
    }
}
