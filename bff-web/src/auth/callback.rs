//! `GET /api/auth/callback`: the way back from the provider.
//!
//! The browser comes here by a redirect of another site, so requests that a redirect of ours would lead to carry no Strict
//! cookie. The answer is therefore a page of this origin that goes on from here: that navigation is our own.
//!
//! Whoever comes here is a person in a navigation, so what goes wrong is said on a page as well.

use actix_session::{Session, SessionInsertError};
use actix_web::{
    HttpRequest, HttpResponse,
    cookie::Cookie,
    get,
    http::{StatusCode, header::USER_AGENT},
    web,
};
use shared_lib::{
    context::RequestContext,
    jwt::TokenError,
    oauth::{OAuthError, ResponseIssuerError},
};
use url::form_urlencoded;
use utoipa::IntoParams;

use super::{
    WorkerAuth, random,
    return_to::ReturnTo,
    session_store::{Identity, SESSIONS_UNAVAILABLE, Sessions, StoreError},
    tokens::Tokens,
    transaction::Transaction,
};
use crate::html;

/// The longest description of a browser that is kept.
const MAX_DEVICE_CHARS: usize = 200;

/// The longest code that is sent to the provider.
const MAX_CODE_BYTES: usize = 4096;

/// What the provider answers (RFC 6749 section 4.1.2, RFC 9207 section 2).
#[derive(Default)]
struct Answer {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    issuer: Option<String>,
}

/// The parameters, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct CallbackQuery {
    /// Names the attempt.
    state: Option<String>,
    /// The authorization code.
    code: Option<String>,
    /// Why there is none.
    error: Option<String>,
    /// The issuer that answers.
    iss: Option<String>,
}

impl Answer {
    /// A provider may add parameters of its own, which are ignored; one of these given twice makes all of it void
    /// (RFC 6749 section 3.1).
    fn parse(query: &str) -> Self {
        let mut answer = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "state" => &mut answer.state,
                "code" => &mut answer.code,
                "error" => &mut answer.error,
                "iss" => &mut answer.issuer,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Self::default();
            }
        }
        answer
    }
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    #[error("this browser has no sign-in under way with that state, or it took too long")]
    UnknownAttempt,
    #[error("it is not certain that the provider answered")]
    Issuer(#[source] ResponseIssuerError),
    #[error("the user chose not to sign in")]
    Declined,
    #[error("the provider refused: {0}")]
    Refused(String),
    #[error("the provider does not take the code")]
    Code(#[source] OAuthError),
    #[error("the provider's answer cannot be used")]
    Provider(#[source] OAuthError),
    #[error("the ID token is not valid")]
    IdToken(#[source] TokenError),
    #[error("there is no ID token")]
    NoIdToken,
    #[error("the sign-in is not as strong or as recent as was asked for")]
    TooWeak,
    #[error("somebody else signed in than the user who was asked to")]
    OtherUser,
    #[error("the session cannot be written")]
    Session(#[source] SessionInsertError),
    #[error("there is nowhere to keep the session")]
    Store(#[source] StoreError),
}

impl LoginError {
    /// Status, stable code, and what the person reads.
    fn told(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::UnknownAttempt => (
                StatusCode::BAD_REQUEST,
                "login-expired",
                "This sign-in took too long, or was begun in another browser.",
            ),
            Self::Declined => (StatusCode::BAD_REQUEST, "login-declined", "You chose not to sign in."),
            Self::Issuer(_) | Self::Refused(_) | Self::Code(_) => {
                (StatusCode::BAD_REQUEST, "login-refused", "The sign-in service did not let you in.")
            }
            Self::TooWeak => (
                StatusCode::BAD_REQUEST,
                "login-too-weak",
                "What you wanted to do needs a stronger or more recent sign-in than this one.",
            ),
            Self::OtherUser => (
                StatusCode::BAD_REQUEST,
                "login-other-user",
                "Somebody else is signed in here, and was asked to confirm it.",
            ),
            Self::Provider(_) | Self::IdToken(_) | Self::NoIdToken => {
                (StatusCode::BAD_GATEWAY, "login-failed", "The sign-in service did not answer as it should.")
            }
            Self::Session(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "login-failed", "Something went wrong on our side.")
            }
            Self::Store(_) => (
                SESSIONS_UNAVAILABLE.status,
                SESSIONS_UNAVAILABLE.code,
                "Nobody can sign in for the moment. Try again shortly.",
            ),
        }
    }
}

/// Finish signing in
///
/// Where the provider sends the browser; not for script. The answer is a page that goes on to `returnTo`.
#[utoipa::path(
    tag = "sign-in",
    params(CallbackQuery),
    responses(
        (status = 200, description = "Signed in; a page that goes on", content_type = "text/html"),
        (status = 400, description = "Not signed in; a page that says why", content_type = "text/html"),
        (status = 502, description = "The provider failed; a page that says so", content_type = "text/html"),
        (status = 503, description = "Sessions cannot be kept for the moment; a page that says so", content_type = "text/html"),
    )
)]
#[get("/callback")]
pub async fn finish_login(
    ctx: RequestContext,
    request: HttpRequest,
    session: Session,
    auth: web::Data<WorkerAuth>,
) -> HttpResponse {
    let answer = Answer::parse(request.query_string());
    let state = answer.state.as_deref().unwrap_or_default();
    let Some((transaction, removal)) = auth.transactions.finish(&request, state, auth.clock.wall()) else {
        return refused(&LoginError::UnknownAttempt, &ReturnTo::default(), None);
    };
    match sign_in(&ctx, &request, &session, &auth, &answer, &transaction).await {
        Ok(identity) => go_on(&transaction.return_to, [removal, auth.csrf_cookie(Some(&identity))]),
        Err(error) => refused(&error, &transaction.return_to, Some(removal)),
    }
}

async fn sign_in(
    ctx: &RequestContext,
    request: &HttpRequest,
    session: &Session,
    auth: &WorkerAuth,
    answer: &Answer,
    transaction: &Transaction,
) -> Result<Identity, LoginError> {
    auth.check_issuer(ctx, answer.issuer.as_deref()).await?;
    let code = match (&answer.code, answer.error.as_deref()) {
        (_, Some("access_denied")) => return Err(LoginError::Declined),
        (Some(code), None) if (1..=MAX_CODE_BYTES).contains(&code.len()) => code,
        (_, error) => return Err(LoginError::Refused(printable(error.unwrap_or("neither a code nor an error")))),
    };
    // A code is good for one exchange, so what comes of it must have somewhere to go.
    auth.sessions.check().await.map_err(LoginError::Store)?;
    let (answer, claims) = auth.exchange_code(ctx, code, transaction).await?;
    let tokens = Tokens::from_answer(&answer, None, auth.clock.wall(), auth.settings.oidc.refresh_lead());
    let identity = Identity {
        handle: random::token(),
        name: claims.text("name").or_else(|| claims.text("preferred_username")).map(str::to_owned),
        provider_session: claims.session_id.clone(),
        subject: claims.subject,
        signed_in_at: auth.clock.wall(),
        device: request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()).and_then(device),
    };
    let current = auth.sessions.current(session).map_err(LoginError::Store)?;
    let replaced = current.map(|current| current.secret).or_else(|| transaction.replaces.clone());
    Sessions::sign_in(session, &identity, &tokens).map_err(LoginError::Session)?;
    if let Some(replaced) = replaced {
        auth.end_replaced(ctx, &replaced).await.map_err(LoginError::Store)?;
    }
    Ok(identity)
}

/// What a browser says that it is, in a length that fits a list.
fn device(agent: &str) -> Option<String> {
    let agent: String = agent.chars().filter(|character| !character.is_control()).take(MAX_DEVICE_CHARS).collect();
    (!agent.is_empty()).then_some(agent)
}

/// What the provider says goes into the log, but not at any length and not with control characters.
fn printable(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(60).collect()
}

fn go_on(return_to: &ReturnTo, cookies: [Cookie<'static>; 2]) -> HttpResponse {
    let address = html::escape(return_to.as_str());
    let head = format!("<meta http-equiv=\"refresh\" content=\"0;url={address}\">\n");
    let body = format!(
        "<main>\n<h1>You are signed in</h1>\n<p><a class=\"button\" href=\"{address}\">Go on</a></p>\n</main>\n"
    );
    let (mut response, html) = html::page(StatusCode::OK, "Signed in", &head, &body);
    for cookie in cookies {
        response.cookie(cookie);
    }
    response.body(html)
}

fn refused(error: &LoginError, return_to: &ReturnTo, removal: Option<Cookie<'static>>) -> HttpResponse {
    let (status, code, text) = error.told();
    if status.is_server_error() {
        tracing::error!(code, cause = chain(error), "sign-in failed");
    } else {
        tracing::info!(code, cause = chain(error), "sign-in refused");
    }
    let again: String = form_urlencoded::byte_serialize(return_to.as_str().as_bytes()).collect();
    let body = format!(
        "<main>\n<h1>You are not signed in</h1>\n<p role=\"alert\">{text}</p>\n\
         <p><a class=\"button\" href=\"/api/auth/login?returnTo={again}\">Try again</a></p>\n\
         <p class=\"hint\">Code: <code>{code}</code></p>\n</main>\n"
    );
    let (mut response, html) = html::page(status, "Not signed in", "", &body);
    if let Some(removal) = removal {
        response.cookie(removal);
    }
    response.body(html)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 5] = ["state", "code", "error", "iss", "other"];

    proptest! {
        /// Shows: W1
        #[test]
        fn an_answer_is_read_as_it_was_written_and_one_that_says_a_thing_twice_says_nothing(
            pairs in prop::collection::vec((0_usize..5, "\\PC{0,12}"), 0..6),
        ) {
            let named = pairs.iter().map(|(name, value)| (NAMES[*name], value.as_str()));
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(named).finish();
            let Answer { state, code, error, issuer } = Answer::parse(&query);
            let of = |name: usize| pairs.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.clone());
            let is_void = (0..4).any(|name| of(name).count() > 1);
            for (name, read) in [state, code, error, issuer].into_iter().enumerate() {
                prop_assert_eq!(read, of(name).next().filter(|_| !is_void));
            }
        }

        /// Shows: W1
        #[test]
        fn no_query_and_no_name_of_a_browser_does_harm(text in "\\PC{0,300}|[&=%a-z0-9+\\x00-\\x1f]{0,60}") {
            drop(Answer::parse(&text));
            let told = printable(&text);
            prop_assert!(told.len() <= 60 && told.bytes().all(|byte| byte.is_ascii_graphic()), "{}", told);
            let device = device(&text).unwrap_or_default();
            prop_assert!(device.chars().count() <= MAX_DEVICE_CHARS && !device.chars().any(char::is_control));
        }
    }
}
