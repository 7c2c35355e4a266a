//! The client credentials grant: a token for the client itself (RFC 6749, 4.4).

use super::{TokenAnswer, TokenRequest, token_type};
use crate::provider::Provider;
use crate::provider::refusal::Refusal;
use crate::provider::scopes::Scopes;
use crate::provider::tokens::Confirmation;

/// Gives the client a token of its own. Its subject is the client (RFC 9068, 2.2).
///
/// # Errors
/// `unauthorized_client` for a public client, `invalid_scope`, or `invalid_target` for an audience that is not its.
pub(super) fn grant(provider: &Provider, asked: &TokenRequest<'_>) -> Result<TokenAnswer, Refusal> {
    let client = asked.client;
    if !client.confidential {
        return Err(Refusal::unauthorized_client("a public client has no credentials"));
    }
    let wanted = asked.params.get("audience").or(asked.params.get("resource"));
    if wanted.is_some_and(|audience| audience != client.audience) {
        return Err(Refusal::invalid_target("the client may not have a token for this audience"));
    }
    let scopes = Scopes::parse(asked.params.get("scope").unwrap_or_default())?;
    if scopes != scopes.without_identity() {
        return Err(Refusal::invalid_scope("there is no user whose identity could be told"));
    }
    let mut claims = provider.access_claims(&client.id, &client.id, &client.audience, &scopes)?;
    claims.cnf = asked.jkt.clone().map(|jkt| Confirmation { jkt });
    provider.counters().client_credentials.count();
    Ok(TokenAnswer {
        access_token: provider.sign_access_token(&claims)?,
        token_type: token_type(asked),
        expires_in: claims.exp.saturating_sub(claims.iat),
        refresh_token: None,
        id_token: None,
        scope: claims.scope,
        issued_token_type: None,
    })
}
