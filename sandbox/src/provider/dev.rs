//! What only a development provider offers: tokens without a login, key rotation and the end of sessions by request.
//!
//! Nobody authenticates here. Web pages of other origins are kept out, because a developer's browser reaches this
//! address, too.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{Either, HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::Provider;
use super::handle::SessionSelector;
use super::refusal::Refusal;
use super::scopes::{SERVICES, Scopes};
use super::state::Acr;
use super::tokens::Confirmation;
use super::users::User;

/// The longest lifetime that can be asked for, in seconds.
const LONGEST_LIFETIME: u64 = 24 * 3600;

/// What token is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenParams {
    user: String,
    #[serde(default = "mobile_app")]
    client_id: String,
    /// Default: the client's own.
    audience: Option<String>,
    /// Default: all that there are.
    scope: Option<String>,
    lifetime_seconds: Option<u64>,
    acr: Option<String>,
    dpop_jkt: Option<String>,
}

fn mobile_app() -> String {
    "mobile-app".to_owned()
}

/// Whose sessions are to end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndSessionParams {
    /// Username or subject.
    user: Option<String>,
    sid: Option<String>,
}

/// Gives an access token for a user without a login.
pub(crate) async fn post_token(
    request: HttpRequest,
    params: Either<web::Json<TokenParams>, web::Form<TokenParams>>,
    provider: web::Data<Provider>,
) -> Result<HttpResponse, Refusal> {
    refuse_other_origins(&provider, &request)?;
    let params = either(params);
    let user = User::find(&params.user).ok_or_else(|| Refusal::invalid_request("there is no such user"))?;
    let client =
        provider.client(&params.client_id).ok_or_else(|| Refusal::invalid_request("there is no such client"))?;
    let scopes = match &params.scope {
        Some(scope) => Scopes::parse(scope)?,
        None => Scopes::of(&["openid", "profile", "email"].into_iter().chain(SERVICES).collect::<Vec<_>>()),
    };
    let acr = match &params.acr {
        Some(name) => Acr::from_name(name).ok_or_else(|| Refusal::invalid_request("the acr is not known"))?,
        None => Acr::Password,
    };
    let audience = params.audience.as_deref().unwrap_or(&client.audience);
    let mut claims = provider.access_claims(&client.id, &user.sub, audience, &scopes)?;
    if let Some(seconds) = params.lifetime_seconds {
        claims.exp = claims.iat + Duration::from_secs(seconds.min(LONGEST_LIFETIME)).as_secs();
    }
    claims.auth_time = Some(claims.iat);
    claims.acr = Some(acr.name().to_owned());
    let token_type = if params.dpop_jkt.is_some() { "DPoP" } else { "Bearer" };
    claims.cnf = params.dpop_jkt.map(|jkt| Confirmation { jkt });
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(json!({
        "access_token": provider.sign_access_token(&claims)?,
        "token_type": token_type,
        "expires_in": claims.exp.saturating_sub(claims.iat),
        "scope": claims.scope,
    })))
}

/// Rotates the signing key.
pub(crate) async fn post_rotate_keys(
    request: HttpRequest,
    provider: web::Data<Provider>,
) -> Result<HttpResponse, Refusal> {
    refuse_other_origins(&provider, &request)?;
    let kid = provider.handle().rotate_keys()?;
    Ok(HttpResponse::Ok().json(json!({ "kid": kid })))
}

/// Ends sessions and tells their clients; answers when they were told.
pub(crate) async fn post_end_session(
    request: HttpRequest,
    params: Either<web::Json<EndSessionParams>, web::Form<EndSessionParams>>,
    provider: web::Data<Provider>,
) -> Result<HttpResponse, Refusal> {
    refuse_other_origins(&provider, &request)?;
    let selector = match either(params) {
        EndSessionParams { user: Some(user), sid: None } => SessionSelector::Subject(
            User::find(&user).ok_or_else(|| Refusal::invalid_request("there is no such user"))?.sub,
        ),
        EndSessionParams { user: None, sid: Some(sid) } => SessionSelector::Sid(sid),
        EndSessionParams { .. } => return Err(Refusal::invalid_request("either user or sid is needed")),
    };
    let (ended, deliveries) = provider.handle().end_session(&selector).await;
    Ok(HttpResponse::Ok().json(json!({ "ended": ended, "deliveries": deliveries })))
}

/// Lists the sessions that have not ended.
pub(crate) async fn get_sessions(provider: web::Data<Provider>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(provider.handle().sessions())
}

/// Tells what happened so far.
pub(crate) async fn get_counters(provider: web::Data<Provider>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(provider.handle().counters())
}

fn either<T>(params: Either<web::Json<T>, web::Form<T>>) -> T {
    match params {
        Either::Left(json) => json.into_inner(),
        Either::Right(form) => form.into_inner(),
    }
}

/// Browsers name the origin of every POST; programs do not.
fn refuse_other_origins(provider: &Provider, request: &HttpRequest) -> Result<(), Refusal> {
    let issuer = provider.issuer();
    match request.headers().get(header::ORIGIN) {
        Some(origin) if origin.as_bytes() != issuer.as_bytes() => {
            Err(Refusal::forbidden("this is not for web pages of other origins"))
        }
        _ => Ok(()),
    }
}
