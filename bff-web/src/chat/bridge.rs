//! One chat, from its opening to its end.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_http::ws::{Frame, Message, ProtocolError};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, Session};
use bytestring::ByteString;
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use shared_lib::{clock::Clock, downstream::websocket::WebSocket};
use tokio::{
    sync::Mutex,
    time::{interval, timeout},
};

use super::{ending::Ending, places::ChatPlace, rate::Rate};
use crate::settings::ChatSettings;

/// How long a side has to take the close frame.
const CLOSING: Duration = Duration::from_secs(1);

/// The two ends of a chat.
pub struct Sides {
    /// Towards the browser.
    pub browser: Session,
    /// From the browser.
    pub messages: AggregatedMessageStream,
    /// The service.
    pub service: WebSocket,
}

/// What stands between them.
pub struct Bridge {
    /// The bounds.
    pub settings: ChatSettings,
    /// The chat's place, for as long as it lasts.
    pub place: ChatPlace,
    /// The time.
    pub clock: Clock,
}

type ToService = Rc<Mutex<SplitSink<WebSocket, Message>>>;

/// When each side last gave a sign of life.
struct Signs {
    clock: Clock,
    browser: Cell<Instant>,
    service: Cell<Instant>,
}

impl Signs {
    fn of(&self, side: &Cell<Instant>) {
        side.set(self.clock.now());
    }
}

impl Bridge {
    /// Passes messages until one side closes or something else ends it, and tells both. `session` comes when the session
    /// ends.
    pub async fn run(self, sides: Sides, session: impl Future<Output = Ending>) -> Ending {
        let Sides { browser, mut messages, service } = sides;
        let (sink, mut frames) = service.split();
        let sink: ToService = Rc::new(Mutex::new(sink));
        let now = self.clock.now();
        let signs = Signs { clock: self.clock.clone(), browser: Cell::new(now), service: Cell::new(now) };
        let ending = tokio::select! {
            biased;
            ending = session => ending,
            () = self.place.chats().drained() => Ending::Draining,
            ending = self.to_service(&mut messages, &sink, browser.clone(), &signs) => ending,
            ending = to_browser(&mut frames, browser.clone(), &sink, &signs) => ending,
            ending = self.ask_for_signs(browser.clone(), &sink, &signs) => ending,
        };
        let to_browser = browser.close(ending.to_browser());
        let to_service = async {
            let told = sink.lock().await.send(Message::Close(ending.to_service())).await;
            // Who hangs up at once may not be heard, so the service hangs up first (RFC 6455 section 7.1.1).
            let waits = told.is_ok() && !matches!(ending, Ending::ByService(_));
            while waits && !matches!(frames.next().await, Some(Ok(Frame::Close(_))) | Some(Err(_)) | None) {}
        };
        // What a side that does not read holds up is given up with it.
        let (_, _) = tokio::join!(timeout(CLOSING, to_browser), timeout(CLOSING, to_service));
        ending
    }

    /// Browser to service.
    async fn to_service(
        &self,
        messages: &mut AggregatedMessageStream,
        service: &ToService,
        mut browser: Session,
        signs: &Signs,
    ) -> Ending {
        let settings = &self.settings;
        let mut rate = Rate::new(settings.messages_per_second, settings.burst_messages, self.clock.now());
        loop {
            let message = match messages.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Ending::of_browser(&error),
                None => return Ending::BrowserGone,
            };
            signs.of(&signs.browser);
            let is_answer = matches!(message, AggregatedMessage::Pong(_) | AggregatedMessage::Close(_));
            if !is_answer && !rate.admit(self.clock.now()) {
                return Ending::TooFast;
            }
            let message = match message {
                AggregatedMessage::Text(text) => Message::Text(text),
                AggregatedMessage::Binary(bytes) => Message::Binary(bytes),
                AggregatedMessage::Close(reason) => return Ending::ByBrowser(reason),
                AggregatedMessage::Pong(_) => continue,
                AggregatedMessage::Ping(data) => {
                    if browser.pong(&data).await.is_err() {
                        return Ending::BrowserGone;
                    }
                    continue;
                }
            };
            if service.lock().await.send(message).await.is_err() {
                return Ending::ServiceFailed;
            }
        }
    }

    /// Pings both sides, and notices who is silent, or lets the other wait so long that its messages are not read.
    async fn ask_for_signs(&self, mut browser: Session, service: &ToService, signs: &Signs) -> Ending {
        let every = self.settings.ping_interval();
        let mut beat = interval(every);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        beat.tick().await;
        loop {
            beat.tick().await;
            let now = self.clock.now();
            let silent = |side: &Cell<Instant>| now.saturating_duration_since(side.get()) > 2 * every;
            if silent(&signs.browser) || silent(&signs.service) {
                return Ending::Silent;
            }
            // Where there is no room for a ping, there is something on its way that is as good as one.
            if browser.ping(b"").now_or_never().is_some_and(|sent| sent.is_err()) {
                return Ending::BrowserGone;
            }
            if let Ok(mut service) = service.try_lock() {
                let sent = timeout(every, service.send(Message::Ping(Vec::new().into()))).await;
                if matches!(sent, Ok(Err(_))) {
                    return Ending::ServiceFailed;
                }
            }
        }
    }
}

/// Service to browser.
async fn to_browser(
    frames: &mut SplitStream<WebSocket>,
    mut browser: Session,
    service: &ToService,
    signs: &Signs,
) -> Ending {
    loop {
        let frame = match frames.next().await {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return of_service(&error),
            None => return Ending::ServiceFailed,
        };
        signs.of(&signs.service);
        let sent = match frame {
            Frame::Text(bytes) => match ByteString::try_from(bytes) {
                Ok(text) => browser.text(text).await,
                Err(_) => return Ending::ServiceFailed,
            },
            Frame::Binary(bytes) => browser.binary(bytes).await,
            Frame::Continuation(item) => browser.continuation(item).await,
            Frame::Close(reason) => return Ending::ByService(reason),
            Frame::Pong(_) => Ok(()),
            Frame::Ping(data) => {
                // When the other direction is at it, the service gets something anyway; to wait for it could be for ever.
                if let Ok(mut service) = service.try_lock()
                    && service.send(Message::Pong(data)).await.is_err()
                {
                    return Ending::ServiceFailed;
                }
                Ok(())
            }
        };
        if sent.is_err() {
            return Ending::BrowserGone;
        }
    }
}

fn of_service(error: &ProtocolError) -> Ending {
    tracing::warn!(%error, "the support service broke off a chat");
    Ending::ServiceFailed
}
