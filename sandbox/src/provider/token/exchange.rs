//! Token exchange: a user's token for one audience becomes one for another (RFC 8693).
//!
//! The new token says for whom it speaks (`sub`), who got it (`client_id`) and who acts with it (`act`). It never
//! outlives the old one and never has more scopes.

use serde_json::{Value, json};

use super::{TokenAnswer, TokenRequest, token_type};
use crate::provider::Provider;
use crate::provider::clients::ExchangeRule;
use crate::provider::refusal::Refusal;
use crate::provider::scopes::Scopes;
use crate::provider::tokens::{AccessClaims, Confirmation};

/// The token type identifier of access tokens (RFC 8693, 3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Exchanges an access token.
///
/// # Errors
/// `invalid_request` for a subject token that is no good (RFC 8693, 2.2.2) or was not meant for the client,
/// `invalid_target` for an audience that it may not ask for, `invalid_scope` for more scopes than the token has.
pub(super) fn exchange(provider: &Provider, asked: &TokenRequest<'_>) -> Result<TokenAnswer, Refusal> {
    let (client, params) = (asked.client, asked.params);
    let rule = client
        .exchange
        .as_ref()
        .filter(|_| client.confidential)
        .ok_or_else(|| Refusal::unauthorized_client("the client may not exchange tokens"))?;
    if params.required("subject_token_type")? != ACCESS_TOKEN {
        return Err(Refusal::invalid_request("only access tokens can be exchanged"));
    }
    if params.get("requested_token_type").is_some_and(|wanted| wanted != ACCESS_TOKEN) {
        return Err(Refusal::invalid_request("only access tokens can be had"));
    }
    if params.get("actor_token").is_some() {
        return Err(Refusal::invalid_request("the actor is the client; an actor_token is not supported"));
    }
    let subject = provider
        .verify_access_token(params.required("subject_token")?)
        .ok_or_else(|| Refusal::invalid_request("the subject_token is not a valid access token"))?;
    if !subject.aud.contains(&rule.from) || (rule.own_tokens_only && subject.client_id != client.id) {
        return Err(Refusal::invalid_request("the subject_token was not meant for this client"));
    }
    let audience = audience(asked, rule)?;
    let scopes = scopes(asked, &subject)?;
    let mut claims = provider.access_claims(&client.id, &subject.sub, audience, &scopes)?;
    claims.exp = claims.exp.min(subject.exp);
    claims.auth_time = subject.auth_time;
    claims.acr.clone_from(&subject.acr);
    claims.cnf = asked.jkt.clone().map(|jkt| Confirmation { jkt });
    claims.act = Some(actor(&client.id, subject.act));
    let now = provider.clock().now();
    // The new token falls with the grant behind the old one.
    if let Some(grant_id) = provider.state(|state| state.access_tokens.get(&subject.jti, now).cloned()) {
        provider.remember_access_token(&claims, &grant_id);
    }
    provider.counters().token_exchanges.count();
    Ok(TokenAnswer {
        access_token: provider.sign_access_token(&claims)?,
        token_type: token_type(asked),
        expires_in: claims.exp.saturating_sub(claims.iat),
        refresh_token: None,
        id_token: None,
        scope: claims.scope,
        issued_token_type: Some(ACCESS_TOKEN),
    })
}

fn audience<'a>(asked: &'a TokenRequest<'_>, rule: &'a ExchangeRule) -> Result<&'a str, Refusal> {
    let wanted = asked.params.get("audience").or(asked.params.get("resource"));
    match (wanted, rule.to.as_slice()) {
        (Some(wanted), allowed) if allowed.iter().any(|audience| audience == wanted) => Ok(wanted),
        (None, [only]) => Ok(only),
        (None, _) => Err(Refusal::invalid_request("the parameter audience is missing")),
        (Some(_), _) => Err(Refusal::invalid_target("the client may not have a token for this audience")),
    }
}

fn scopes(asked: &TokenRequest<'_>, subject: &AccessClaims) -> Result<Scopes, Refusal> {
    let held = subject.scopes();
    let Some(wanted) = asked.params.get("scope") else {
        return Ok(held.without_identity());
    };
    let wanted = Scopes::parse(wanted)?;
    if wanted.is_within(&held) {
        Ok(wanted)
    } else {
        Err(Refusal::invalid_scope("more scopes than the subject_token has"))
    }
}

/// The client acts now; whoever acted before stays on record below it (RFC 8693, 4.1).
fn actor(client_id: &str, earlier: Option<Value>) -> Value {
    match earlier {
        None => json!({ "sub": client_id }),
        Some(earlier) => json!({ "sub": client_id, "act": earlier }),
    }
}
