//! The userinfo endpoint (OpenID Connect Core, 5.3).

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::Provider;
use super::refusal::Refusal;
use super::tokens::user_claims;
use super::users::User;

/// Tells what the scopes of the access token open about its user.
pub(crate) async fn get_userinfo(request: HttpRequest, provider: web::Data<Provider>) -> Result<HttpResponse, Refusal> {
    provider.counters().userinfo_calls.count();
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let Some(value) = headers.next() else {
        return Err(Refusal::no_credentials());
    };
    if headers.next().is_some() {
        return Err(Refusal::invalid_request("more than one Authorization header"));
    }
    let (scheme, token) =
        value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(Refusal::no_credentials)?;
    let is_dpop = scheme.eq_ignore_ascii_case("dpop");
    if !is_dpop && !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::no_credentials());
    }
    let challenge = if is_dpop { "DPoP" } else { "Bearer" };
    let invalid = |why: &str| Refusal::bad_request("invalid_token", why).at_resource(challenge);
    let claims = provider
        .verify_access_token(token)
        .ok_or_else(|| invalid("the access token is invalid, expired or revoked"))?;
    match &claims.cnf {
        None if is_dpop => return Err(invalid("the access token is not bound to a key")),
        None => {}
        Some(_) if !is_dpop => return Err(invalid("the access token is bound to a key and needs its proof")),
        Some(bound) => {
            let jkt = provider
                .check_proof(&request, "/userinfo", Some(token))
                .map_err(|refusal| refusal.at_resource(challenge))?;
            if jkt.as_deref() != Some(bound.jkt.as_str()) {
                return Err(invalid("the proof is missing or made with another key"));
            }
        }
    }
    let scopes = claims.scopes();
    if !scopes.contains("openid") {
        return Err(Refusal::insufficient_scope("openid"));
    }
    let user = User::by_sub(&claims.sub).ok_or_else(|| invalid("the token's subject is not a user"))?;
    let mut answer = user_claims(&user, &scopes);
    answer.insert("sub".into(), json!(user.sub));
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}
