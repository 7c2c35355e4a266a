//! Token revocation (RFC 7009).

use std::time::{Duration, UNIX_EPOCH};

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::Provider;
use super::clients::Client;
use super::params::Params;
use super::random::{same_secret, sha256};
use super::refusal::Refusal;

/// Revokes a refresh token with its whole grant, or one access token. An unknown token is as good as revoked.
pub(crate) async fn post_revoke(
    request: HttpRequest,
    body: web::Bytes,
    provider: web::Data<Provider>,
) -> Result<HttpResponse, Refusal> {
    provider.counters().revocations.count();
    let params = Params::from_form(&request, &body)?;
    let client = provider.authenticate_client(&request, &params, "/revoke")?;
    let token = params.required("token")?;
    // The hint only says where to look first (RFC 7009, 2.1); the two kinds cannot be confused here.
    if let Some(claims) = provider.verify_access_token(token) {
        if claims.client_id != client.id {
            return Err(not_yours());
        }
        let now = provider.clock().now();
        let expires_at = UNIX_EPOCH + Duration::from_secs(claims.exp);
        provider.state(|state| state.denied.insert(claims.jti, (), expires_at, now));
    } else {
        revoke_refresh_token(&provider, &client, token)?;
    }
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}

fn revoke_refresh_token(provider: &Provider, client: &Client, token: &str) -> Result<(), Refusal> {
    let Some((grant_id, _)) = token.split_once('.') else {
        return Ok(());
    };
    let now = provider.clock().now();
    provider.state(|state| {
        let Some(grant) = state.grants.get(grant_id, now) else {
            return Ok(());
        };
        if grant.client_id != client.id {
            return Err(not_yours());
        }
        // A token that was rotated away is no longer valid, and revoking it again does nothing. That its holder
        // wants it gone is no sign of theft.
        let is_current = grant.refresh_hash.as_deref().is_some_and(|hash| same_secret(hash, &sha256(token)));
        if is_current {
            state.revoke_grant(grant_id, now);
        }
        Ok(())
    })
}

fn not_yours() -> Refusal {
    Refusal::invalid_grant("the token was issued to another client")
}
