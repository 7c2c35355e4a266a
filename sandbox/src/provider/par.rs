//! Pushed authorization requests (RFC 9126).

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::Provider;
use super::params::Params;
use super::random::token;
use super::refusal::Refusal;

/// How long a pushed request waits for its user.
const LIFETIME: Duration = Duration::from_secs(90);

/// Takes a request from a client and gives an address for it.
pub(crate) async fn post_par(
    request: HttpRequest,
    body: web::Bytes,
    provider: web::Data<Provider>,
) -> Result<HttpResponse, Refusal> {
    let params = Params::from_form(&request, &body)?;
    let client = provider.authenticate_client(&request, &params, "/par")?;
    if params.get("request_uri").is_some() {
        return Err(Refusal::invalid_request("a pushed request has no request_uri"));
    }
    if params.get("client_id").is_some_and(|id| id != client.id) {
        return Err(Refusal::invalid_request("two different client ids"));
    }
    let redirect_uri = params.required("redirect_uri")?.to_owned();
    if !client.has_redirect(&redirect_uri) {
        return Err(Refusal::invalid_request("the redirect_uri is not registered for this client"));
    }
    let reply_to = super::authorization::ReplyTo { redirect_uri, state: params.owned("state") };
    let mut asked = provider.authorization_request(&params, &client, reply_to)?;
    // A proof here binds the code to its key as the parameter dpop_jkt would (RFC 9449, 10.1).
    if let Some(jkt) = provider.check_proof(&request, "/par", None)? {
        if asked.dpop_jkt.as_ref().is_some_and(|named| *named != jkt) {
            return Err(Refusal::invalid_dpop_proof("dpop_jkt is not the key of the proof"));
        }
        asked.dpop_jkt = Some(jkt);
    }
    let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", token::<32>()?);
    asked.request_uri = Some(request_uri.clone());
    let now = provider.clock().now();
    provider.state(|state| state.pushed.insert(request_uri.clone(), asked, now + LIFETIME, now));
    provider.counters().pushed_requests.count();
    Ok(HttpResponse::Created()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({ "request_uri": request_uri, "expires_in": LIFETIME.as_secs() })))
}
