//! A support service that does what it is told in the chat, and remembers what it was told.
//!
//! | message | what it does |
//! |---|---|
//! | `close CODE REASON` | closes |
//! | `flood COUNT` | sends so many messages of a kilobyte, each with its number in front |
//! | `deaf` | reads no more until [`SupportService::hear`] |
//! | `- …` | nothing |
//! | anything else | says it back |

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
use actix_ws::{CloseCode, CloseReason, Message, MessageStream, Session};
use futures_util::StreamExt;
use rustls::ServerConfig;
use tokio::sync::watch;

/// A code and a reason, or none.
pub type Close = Option<(u16, String)>;

/// The service, for as long as the test's system lasts.
pub struct SupportService {
    url: String,
    state: State,
}

#[derive(Clone)]
struct State {
    closes: Arc<Mutex<Vec<Close>>>,
    sent: Arc<AtomicUsize>,
    heard: Arc<AtomicUsize>,
    hears: watch::Sender<bool>,
    authorizations: Arc<Mutex<Vec<String>>>,
}

impl SupportService {
    /// Starts it on a free port.
    pub fn start() -> Self {
        Self::listening(None)
    }

    /// Starts it on a free port, over TLS and nothing else. It would speak HTTP/2 as well.
    pub fn start_over_tls(config: ServerConfig) -> Self {
        Self::listening(Some(config))
    }

    fn listening(tls: Option<ServerConfig>) -> Self {
        let state = State {
            closes: Arc::default(),
            sent: Arc::default(),
            heard: Arc::default(),
            hears: watch::Sender::new(false),
            authorizations: Arc::default(),
        };
        let shared = web::Data::new(state.clone());
        let server = HttpServer::new(move || App::new().app_data(shared.clone()).route("/chat", web::get().to(open)))
            .workers(1)
            .disable_signals();
        let any = ("127.0.0.1", 0);
        let (server, scheme) = match tls {
            None => (server.bind(any), "http"),
            Some(tls) => (server.bind_rustls_0_23(any, tls), "https"),
        };
        let server = server.expect("a port is free");
        let url = format!("{scheme}://{}", server.addrs()[0]);
        rt::spawn(server.run());
        Self { url, state }
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// How chats were closed, as it was told: code and reason.
    pub fn closes(&self) -> Vec<Close> {
        self.state.closes.lock().expect("nobody panics with it").clone()
    }

    /// Messages of floods that were taken from it.
    pub fn sent(&self) -> usize {
        self.state.sent.load(Ordering::SeqCst)
    }

    /// Messages that it has read.
    pub fn heard(&self) -> usize {
        self.state.heard.load(Ordering::SeqCst)
    }

    /// Has deaf chats read on.
    pub fn hear(&self) {
        self.state.hears.send_replace(true);
    }

    /// What callers showed.
    pub fn authorizations(&self) -> Vec<String> {
        self.state.authorizations.lock().expect("nobody panics with it").clone()
    }
}

async fn open(request: HttpRequest, body: web::Payload, state: web::Data<State>) -> actix_web::Result<HttpResponse> {
    let shown = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    state.authorizations.lock().expect("nobody panics with it").push(shown.to_owned());
    let (answer, session, messages) = actix_ws::handle_with_protocols(&request, body, &["support.v1"])?;
    rt::spawn(chat(state, session, messages.max_frame_size(1 << 20)));
    Ok(answer)
}

async fn chat(state: web::Data<State>, mut session: Session, mut messages: MessageStream) {
    while let Some(Ok(message)) = messages.next().await {
        let text = match message {
            Message::Text(text) => text.to_string(),
            Message::Ping(data) => {
                let _ = session.pong(&data).await;
                continue;
            }
            Message::Close(reason) => {
                let told = reason.map(|reason| (u16::from(reason.code), reason.description.unwrap_or_default()));
                state.closes.lock().expect("nobody panics with it").push(told);
                let _ = session.close(None).await;
                return;
            }
            _ => continue,
        };
        state.heard.fetch_add(1, Ordering::SeqCst);
        let words: Vec<&str> = text.splitn(3, ' ').collect();
        match words[..] {
            ["close", code, reason] => {
                let code = CloseCode::from(code.parse::<u16>().expect("a code"));
                let _ = session.close(Some(CloseReason { code, description: Some(reason.to_owned()) })).await;
                return;
            }
            ["flood", count] => {
                let (state, mut session, count) = (state.clone(), session.clone(), count.parse().expect("a number"));
                rt::spawn(async move {
                    for number in 0..count {
                        if session.text(format!("{number} {}", "x".repeat(1_000))).await.is_err() {
                            return;
                        }
                        state.sent.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            ["deaf"] => {
                let _ = state.hears.subscribe().wait_for(|hears| *hears).await;
            }
            ["-", ..] => {}
            _ => {
                let _ = session.text(text).await;
            }
        }
    }
}
