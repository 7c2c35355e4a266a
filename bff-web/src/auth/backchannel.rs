//! `POST /api/auth/backchannel-logout`: the provider says that a session of its own has ended (OpenID Connect Back-Channel
//! Logout 1.0). It calls any replica, whichever one the session was born on.

use std::time::Duration;

use actix_web::{HttpResponse, http::StatusCode, post, web};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use shared_lib::{
    context::RequestContext,
    jwt::{Algorithm, Compact, TokenError},
    problem::{Problem, ProblemKind, ProblemView},
};
use url::form_urlencoded;

use super::{
    WorkerAuth,
    session_ends::EndReason,
    session_store::{Group, SessionId, StoreError},
};

/// The member of `events` that makes a logout token one (section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How far the provider's clock may be from ours.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// The longest life of a logout token, which also bounds how long its id is remembered (section 2.7 recommends two
/// minutes).
const MAX_LIFETIME: Duration = Duration::from_secs(600);

/// The longest subject, session id and token id.
const MAX_NAME_BYTES: usize = 255;

/// Bad request: no session was ended. Section 2.8 has this status for every failure.
pub static LOGOUT_REFUSED: ProblemKind = ProblemKind {
    code: "logout-refused",
    status: StatusCode::BAD_REQUEST,
    title: "The logout token is not believed, or the sessions could not be ended",
    remedy: "Send a logout token for this client, once. If it was right, send a fresh one later.",
};

/// Why no session was ended. Says nothing of the token's content.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogoutError {
    #[error("there is not exactly one logout_token")]
    Form,
    #[error("the logout token is not valid")]
    Token(#[source] TokenError),
    #[error("the logout token's {0} is not as it must be")]
    Claim(&'static str),
    #[error("the logout token was used before")]
    Replayed,
    #[error("the sessions could not be ended")]
    Store(#[source] StoreError),
}

/// What a logout token that is believed says.
#[derive(Debug, PartialEq, Eq)]
struct LogoutToken {
    subject: Option<String>,
    provider_session: Option<String>,
    id: String,
    expires_at: Timestamp,
}

/// The provider signs out
///
/// For the provider, not for browsers.
#[utoipa::path(
    tag = "sign-in",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "`logout_token`"),
    responses(
        (status = 200, description = "The sessions have ended"),
        (status = 400, description = "The token is not believed, or the sessions could not be ended", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[post("/backchannel-logout")]
pub async fn end_sessions_of_provider(
    ctx: RequestContext,
    auth: web::Data<WorkerAuth>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    match auth.log_out_by_provider(&ctx, &body).await {
        Ok(ended) => {
            tracing::info!(ended, "the provider has ended sessions");
            Ok(HttpResponse::Ok().finish())
        }
        Err(error) => Err(Problem::new(&LOGOUT_REFUSED).caused_by(error)),
    }
}

impl WorkerAuth {
    async fn log_out_by_provider(&self, ctx: &RequestContext, body: &[u8]) -> Result<usize, LogoutError> {
        let mut given = form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token");
        let (Some((_, token)), None) = (given.next(), given.next()) else { return Err(LogoutError::Form) };
        let now = self.clock.wall();
        let claims = self.logout_claims(ctx, &token).await?;
        let oidc = &self.settings.oidc;
        let token = LogoutToken::believe(&claims, &oidc.issuer, &oidc.client_id, now)?;
        let left = token.expires_at.duration_since(now).unsigned_abs() + CLOCK_SKEW;
        let name = format!("logout-token:{}", SessionId::of(&token.id));
        if !self.sessions.claim(&name, left).await.map_err(LogoutError::Store)? {
            return Err(LogoutError::Replayed);
        }
        self.end_sessions_of(&token).await.map_err(LogoutError::Store)
    }

    /// The claims of a token whose signature and type are right.
    async fn logout_claims(&self, ctx: &RequestContext, token: &str) -> Result<Map<String, Value>, LogoutError> {
        let header = Compact::parse(token).and_then(|token| token.header()).map_err(LogoutError::Token)?;
        // `typ` is recommended only, but a token that says to be of another type is of that.
        if !matches!(header.typ.as_deref(), None | Some("logout+jwt" | "jwt")) {
            return Err(LogoutError::Token(TokenError::Type));
        }
        let verified = self.provider.keys().verify(ctx, token, &Algorithm::ALL).await.map_err(LogoutError::Token)?;
        Ok(verified.claims)
    }

    async fn end_sessions_of(&self, token: &LogoutToken) -> Result<usize, StoreError> {
        let reason = EndReason::SignedOutAtProvider;
        let group = match (&token.provider_session, &token.subject) {
            (Some(session), _) => Group::of_provider_session(session),
            (None, Some(subject)) => Group::of_subject(subject),
            (None, None) => return Ok(0),
        };
        let mut ended = 0;
        for known in self.sessions.of_group(&group).await? {
            // With both, both must fit.
            let fits = token.subject.as_ref().is_none_or(|subject| *subject == known.identity.subject);
            if fits && self.sessions.end(&known.id, reason).await? {
                ended += 1;
            }
        }
        Ok(ended)
    }
}

impl LogoutToken {
    /// Checks claims (section 2.6).
    fn believe(claims: &Map<String, Value>, issuer: &str, client: &str, now: Timestamp) -> Result<Self, LogoutError> {
        let text = |name: &'static str| match claims.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() && text.len() <= MAX_NAME_BYTES => Ok(Some(text.clone())),
            Some(_) => Err(LogoutError::Claim(name)),
        };
        let moment = |name: &'static str| {
            let seconds = claims.get(name).and_then(Value::as_i64).filter(|seconds| *seconds >= 0);
            seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).ok_or(LogoutError::Claim(name))
        };
        let require = |holds: bool, name| if holds { Ok(()) } else { Err(LogoutError::Claim(name)) };

        require(claims.get("iss").and_then(Value::as_str) == Some(issuer), "iss")?;
        let is_ours = match claims.get("aud") {
            Some(Value::String(audience)) => audience == client,
            Some(Value::Array(audiences)) => {
                audiences.iter().all(Value::is_string) && audiences.iter().any(|audience| audience == client)
            }
            _ => false,
        };
        require(is_ours, "aud")?;
        let (issued_at, expires_at) = (moment("iat")?, moment("exp")?);
        let skew = SignedDuration::try_from(CLOCK_SKEW).unwrap_or_default();
        let longest = SignedDuration::try_from(MAX_LIFETIME).unwrap_or_default();
        require(issued_at.duration_since(now) <= skew, "iat")?;
        require(now.duration_since(expires_at) < skew, "exp")?;
        require(expires_at.duration_since(issued_at) <= longest, "exp")?;
        let event = claims.get("events").and_then(Value::as_object).and_then(|events| events.get(EVENT));
        require(event.is_some_and(Value::is_object), "events")?;
        // An ID token has one; this must not be taken for one, nor one for this.
        require(!claims.contains_key("nonce"), "nonce")?;
        let (subject, provider_session) = (text("sub")?, text("sid")?);
        require(subject.is_some() || provider_session.is_some(), "sub")?;
        let id = text("jti")?.ok_or(LogoutError::Claim("jti"))?;
        Ok(Self { subject, provider_session, id, expires_at })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn claims() -> Map<String, Value> {
        let claims = json!({
            "iss": "https://id.example", "aud": "bff-web", "iat": NOW, "exp": NOW + 120, "jti": "j1",
            "sub": "usr_alice", "sid": "s1", "events": { EVENT: {} },
        });
        claims.as_object().cloned().unwrap_or_default()
    }

    fn believed(claims: &Map<String, Value>) -> Result<LogoutToken, LogoutError> {
        let now = Timestamp::from_second(NOW).expect("a moment");
        LogoutToken::believe(claims, "https://id.example", "bff-web", now)
    }

    /// Shows: W10
    #[test]
    fn a_right_token_is_believed() {
        let token = believed(&claims()).expect("it is right");
        assert_eq!((token.subject.as_deref(), token.provider_session.as_deref()), (Some("usr_alice"), Some("s1")));
        for (name, value) in [("sub", None), ("sid", None), ("aud", Some(json!(["other", "bff-web"])))] {
            let mut changed = claims();
            match value {
                Some(value) => drop(changed.insert(name.to_owned(), value)),
                None => drop(changed.remove(name)),
            }
            assert!(believed(&changed).is_ok(), "{name}");
        }
    }

    /// Shows: W10
    #[test]
    fn a_claim_that_is_missing_wrong_or_of_another_type_is_refused() {
        let wrong = |name: &str, value: Option<Value>| {
            let mut changed = claims();
            changed.remove(name);
            changed.extend(value.clone().map(|value| (name.to_owned(), value)));
            assert!(believed(&changed).is_err(), "{name}: {value:?}");
        };
        for name in ["iss", "aud", "iat", "exp", "jti", "events"] {
            for value in [None, Some(json!(null)), Some(json!(true)), Some(json!({})), Some(json!([])), Some(json!(""))]
            {
                wrong(name, value);
            }
        }
        wrong("iss", Some(json!("https://id.example/")));
        wrong("aud", Some(json!("bff-webx")));
        wrong("aud", Some(json!(["bff-web", 1])));
        wrong("iat", Some(json!(NOW + 31)));
        wrong("exp", Some(json!(NOW - 30)));
        wrong("exp", Some(json!(NOW + 601)));
        wrong("events", Some(json!({ EVENT: "" })));
        wrong("events", Some(json!({ "http://schemas.openid.net/event/other": {} })));
        wrong("nonce", Some(json!("n")));
        wrong("sub", Some(json!(7)));
        wrong("sid", Some(json!(["s1"])));
        wrong("jti", Some(json!("j".repeat(256))));
    }

    proptest::proptest! {
        /// Shows: W10
        #[test]
        fn random_claims_never_panic_and_are_never_believed(name in "iss|aud|iat|exp|jti|events", number: i64, text in "\\PC{0,20}") {
            let values = [json!(number), json!(number as f64 / 3.0), json!([text.clone()]), json!({ text.clone(): number })];
            for value in values {
                let mut changed = claims();
                changed.insert(name.clone(), value.clone());
                let bounds = NOW - 30..=NOW + 601;
                if !(matches!(name.as_str(), "iat" | "exp") && value.as_i64().is_some_and(|moment| bounds.contains(&moment))) {
                    proptest::prop_assert!(believed(&changed).is_err());
                }
            }
        }
    }

    #[test]
    fn a_token_about_nobody_is_refused() {
        let mut changed = claims();
        changed.remove("sub");
        changed.remove("sid");
        assert!(matches!(believed(&changed), Err(LogoutError::Claim("sub"))));
    }
}
