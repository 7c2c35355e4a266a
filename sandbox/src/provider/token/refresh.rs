//! The refresh token grant with strict rotation: each refresh token works once, and a second use of any of them
//! revokes the whole family (RFC 9700, 4.14.2).

use super::{NewRefreshToken, TokenAnswer, TokenRequest, answer_for_grant};
use crate::provider::Provider;
use crate::provider::random::{same_secret, sha256};
use crate::provider::refusal::Refusal;
use crate::provider::scopes::Scopes;

/// Exchanges a refresh token for new tokens.
///
/// # Errors
/// `invalid_grant` for a token that is unknown, expired, revoked, used before or somebody else's, or that is bound
/// to another key; `invalid_scope` when more is asked than was granted. Only success spends the token.
pub(super) fn refresh(provider: &Provider, asked: &TokenRequest<'_>) -> Result<TokenAnswer, Refusal> {
    let presented = asked.params.required("refresh_token")?;
    let (grant_id, _) = presented.split_once('.').ok_or_else(unknown)?;
    let narrowed = asked.params.get("scope").map(Scopes::parse).transpose()?;
    let next = NewRefreshToken::for_grant(grant_id)?;
    let now = provider.clock().now();
    let (lifetime, memory) = provider.settings(|settings| {
        (settings.refresh_token_lifetime, settings.refresh_token_lifetime + settings.access_token_lifetime)
    });

    let grant = provider.state(|state| {
        let grant = state
            .grants
            .get_mut(grant_id, now)
            .filter(|grant| grant.client_id == asked.client.id && !grant.revoked)
            .ok_or_else(unknown)?;
        let current = grant.refresh_hash.as_deref().ok_or_else(unknown)?;
        if !same_secret(current, &sha256(presented)) {
            provider.counters().refresh_reuses.count();
            tracing::warn!(client = %asked.client.id, "a refresh token was used again; its family is revoked");
            state.revoke_grant(grant_id, now);
            return Err(Refusal::invalid_grant("the refresh token was used before; its family is revoked"));
        }
        if grant.refresh_expires_at <= now {
            return Err(Refusal::invalid_grant("the refresh token has expired"));
        }
        if grant.jkt.is_some() && grant.jkt != asked.jkt {
            return Err(Refusal::invalid_grant("the refresh token is bound to another key"));
        }
        if narrowed.as_ref().is_some_and(|narrowed| !narrowed.is_within(&grant.scopes)) {
            return Err(Refusal::invalid_scope("more scopes than were granted"));
        }
        grant.refresh_hash = Some(next.hash.clone());
        grant.refresh_expires_at = now + lifetime;
        let grant = grant.clone();
        state.grants.prolong(grant_id, now + memory, now);
        Ok(grant)
    })?;
    provider.counters().refreshes.count();
    let scopes = narrowed.as_ref().unwrap_or(&grant.scopes);
    let answer = answer_for_grant(provider, asked, grant_id, &grant, scopes, None, Some(next.text))?;
    Ok(answer)
}

fn unknown() -> Refusal {
    Refusal::invalid_grant("the refresh token is not known or was revoked")
}
