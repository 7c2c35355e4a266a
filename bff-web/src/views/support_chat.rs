//! The support chat: a WebSocket that is bridged to the support service. What is said in it is between the two.

use std::time::Duration;

use actix_session::Session;
use actix_web::{
    HttpRequest, HttpResponse, get,
    http::{
        StatusCode,
        header::{HeaderMap, ORIGIN, SEC_WEBSOCKET_PROTOCOL},
    },
    rt, web,
};
use actix_ws::{AggregatedMessageStream, Session as Browser};
use shared_lib::{
    clock::Clock,
    context::{Caller, Credentials, RequestContext},
    downstream::{budget::RequestBudget, websocket::WebSocket},
    problem::{Problem, ProblemKind, ProblemView, kinds},
    telemetry::request_span::LongAnswer,
};

use crate::{
    auth::{WorkerAuth, session_ends::SessionEnd, session_store::SessionSecret},
    chat::{Bridge, ChatPlace, Ending, Sides},
    live::Live,
    services::{
        Services,
        support::{SUBPROTOCOL, Support},
    },
    settings::ChatSettings,
};

/// The time that opening the service's side may take, with all its attempts.
const OPENING_TIMEOUT: Duration = Duration::from_secs(5);

/// When to ask again for a token that could not be had for now.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Forbidden: the page that opens the WebSocket is not one of ours.
pub static ORIGIN_NOT_ALLOWED: ProblemKind = ProblemKind {
    code: "origin-not-allowed",
    status: StatusCode::FORBIDDEN,
    title: "The page is of an origin that may not open this",
    remedy: "Open it from a page of this origin; [chat] allowed_origins lists others.",
};

/// Bad request: no WebSocket of this subprotocol is asked for.
pub static WEBSOCKET_REQUIRED: ProblemKind = ProblemKind {
    code: "websocket-required",
    status: StatusCode::BAD_REQUEST,
    title: "This address is for WebSockets of another subprotocol",
    remedy: "Open a WebSocket (RFC 6455) with the subprotocol support.v1.",
};

/// Talk to support
///
/// A WebSocket (RFC 6455, version 13) with the subprotocol `support.v1`, bridged to the support service. Its `Origin` must be ours. It ends
/// with the session: close code 4001, with the reason. Other codes of the bridge: 1008 for too many messages, 1009 for one that is too
/// large, 1011 when the service fails, 1012 when this replica leaves, 1013 when there is no place or no service now; what the service
/// closes with is passed on. Neither a chat nor its messages prolong the session.
#[utoipa::path(
    tag = "screens",
    responses(
        (status = 101, description = "The WebSocket"),
        (status = 400, description = "No WebSocket of this subprotocol is asked for", body = ProblemView, content_type = "application/problem+json"),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 403, description = "The page is of another origin", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "Sessions cannot be looked up", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/support/chat")]
pub async fn open_support_chat(
    request: HttpRequest,
    body: web::Payload,
    ctx: RequestContext,
    session: Session,
    auth: web::Data<WorkerAuth>,
    services: web::Data<Services>,
    live: web::Data<Live>,
) -> Result<HttpResponse, Problem> {
    if !live.allows_origin(single(request.headers())) {
        return Err(Problem::new(&ORIGIN_NOT_ALLOWED));
    }
    let current = auth.require_session(&session)?;
    let caller = ctx.require_caller()?.clone();
    if !offers_subprotocol(request.headers()) {
        return Err(Problem::new(&WEBSOCKET_REQUIRED).detail("The subprotocol support.v1 is not offered."));
    }
    let end = auth.sessions().subscribe(&current).await?;
    let shaken = actix_ws::handle_with_protocols(&request, body, &[SUBPROTOCOL]);
    let (mut answer, browser, messages) = shaken.map_err(|_| Problem::new(&WEBSOCKET_REQUIRED))?;
    LongAnswer::mark(&mut answer);
    let settings = live.chat.clone();
    let largest = settings.max_message_bytes;
    let messages = messages.max_frame_size(largest).aggregate_continuations().max_continuation_size(largest);
    let place = live.chats.place(&caller.subject);
    let chat = Chat { auth, secret: current.secret, support: services.support.clone(), caller, settings };
    rt::spawn(async move {
        match place {
            Ok(place) => chat.run(place, browser, messages, end).await,
            // Where nobody answers a handshake, a script does not learn why: so it is answered first.
            Err(refusal) => close(browser, &Ending::NoPlace(refusal)).await,
        }
    });
    Ok(answer)
}

/// The only value of `Origin`.
fn single(headers: &HeaderMap) -> Option<&str> {
    let mut origins = headers.get_all(ORIGIN);
    origins.next().filter(|_| origins.next().is_none()).and_then(|origin| origin.to_str().ok())
}

fn offers_subprotocol(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',')).any(|offer| offer.trim() == SUBPROTOCOL)
}

async fn close(browser: Browser, ending: &Ending) {
    // One that has gone already needs not be told.
    let _ = browser.close(ending.to_browser()).await;
}

/// A chat that is about to begin.
struct Chat {
    auth: web::Data<WorkerAuth>,
    secret: SessionSecret,
    support: Support,
    /// Without a token.
    caller: Caller,
    settings: ChatSettings,
}

impl Chat {
    async fn run(self, place: ChatPlace, browser: Browser, messages: AggregatedMessageStream, mut end: SessionEnd) {
        let opened = tokio::select! {
            biased;
            reason = end.ended() => Err(Ending::Session(reason)),
            opened = self.open() => opened.map_err(|problem| {
                tracing::warn!(error = &problem as &dyn std::error::Error, "a chat could not be opened");
                Ending::ServiceUnavailable
            }),
        };
        let service = match opened {
            Ok(service) => service,
            Err(ending) => return close(browser, &ending).await,
        };
        let session = async {
            tokio::select! {
                biased;
                reason = end.ended() => Ending::Session(reason),
                never = self.keep_right() => match never {},
            }
        };
        let bridge = Bridge { settings: self.settings.clone(), place, clock: Clock::system() };
        let ending = bridge.run(Sides { browser, messages, service }, session).await;
        tracing::debug!(?ending, "a chat has ended");
    }

    async fn open(&self) -> Result<WebSocket, Problem> {
        let token = self.auth.live_token(&self.secret).await?;
        let budget = RequestBudget::starting_now(OPENING_TIMEOUT);
        let ctx = RequestContext::on_behalf_of(budget, self.caller.clone());
        let ctx = ctx.with_credentials(Credentials::User(token.user));
        Ok(self.support.open_chat(&ctx, self.settings.max_message_bytes).await?)
    }

    /// Has the token renewed when it ends. The service does not look at it again, but a session whose refresh the provider
    /// refuses ends by that, and the chat with it.
    async fn keep_right(&self) -> std::convert::Infallible {
        loop {
            match self.auth.live_token(&self.secret).await {
                Ok(token) => tokio::time::sleep(token.lasts.max(Duration::from_secs(1))).await,
                Err(problem) if *problem.kind() == kinds::UNAUTHENTICATED => std::future::pending().await,
                Err(_) => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
    }
}
