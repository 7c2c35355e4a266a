//! The authorization code grant: one code, once, for the client, redirect and verifier that it was made for
//! (RFC 6749, 4.1.3; RFC 7636, 4.6).

use super::{NewRefreshToken, TokenAnswer, TokenRequest, answer_for_grant};
use crate::provider::clients::GrantType;
use crate::provider::random::{sha256, token};
use crate::provider::refusal::Refusal;
use crate::provider::state::{Code, Grant, State};
use crate::provider::{Provider, pkce};

/// Redeems a code.
///
/// # Errors
/// `invalid_grant` for a code that is unknown, expired, used, or somebody else's. A second use also revokes what
/// the first one gave (RFC 6749, 4.1.2).
pub(super) fn redeem(provider: &Provider, asked: &TokenRequest<'_>) -> Result<TokenAnswer, Refusal> {
    let code_hash = sha256(asked.params.required("code")?);
    let verifier = asked.params.required("code_verifier")?;
    let redirect_uri = asked.params.required("redirect_uri")?;
    let grant_id = token::<16>()?;
    let may_refresh = asked.client.may_use(GrantType::RefreshToken);
    let refresh_token = may_refresh.then(|| NewRefreshToken::for_grant(&grant_id)).transpose()?;
    let now = provider.clock().now();
    let lifetime = provider.settings(|settings| settings.refresh_token_lifetime);

    let (grant, nonce) = provider.state(|state| {
        let code = state
            .codes
            .get_mut(&code_hash, now)
            .filter(|code| code.request.client_id == asked.client.id)
            .ok_or_else(|| Refusal::invalid_grant("the code is not known"))?;
        if let Some(first_use) = code.redeemed.clone() {
            return Err(reused(provider, state, &first_use));
        }
        // From here on the code is spent, whatever is wrong with the rest of the request.
        code.redeemed = Some(grant_id.clone());
        if code.void || code.expires_at <= now {
            return Err(Refusal::invalid_grant("the code has expired"));
        }
        check_binding(code, redirect_uri, verifier, asked.jkt.as_deref())?;
        let grant = Grant {
            client_id: asked.client.id.clone(),
            authentication: code.authentication.clone(),
            scopes: code.request.scopes.clone(),
            // A confidential client's refresh token is bound to the client already (RFC 9449, 5).
            jkt: asked.jkt.clone().filter(|_| !asked.client.confidential),
            refresh_hash: refresh_token.as_ref().map(|new| new.hash.clone()),
            refresh_expires_at: now + lifetime,
            revoked: false,
        };
        let nonce = code.request.nonce.clone();
        let kept_until = now + lifetime + provider.settings(|settings| settings.access_token_lifetime);
        state.grants.insert(grant_id.clone(), grant.clone(), kept_until, now);
        Ok((grant, nonce))
    })?;
    let refresh_token = refresh_token.map(|new| new.text);
    let answer = answer_for_grant(provider, asked, &grant_id, &grant, &grant.scopes, nonce.as_deref(), refresh_token)?;
    Ok(answer)
}

fn reused(provider: &Provider, state: &mut State, first_use: &str) -> Refusal {
    provider.counters().code_reuses.count();
    state.revoke_grant(first_use, provider.clock().now());
    Refusal::invalid_grant("the code was used before")
}

fn check_binding(code: &Code, redirect_uri: &str, verifier: &str, jkt: Option<&str>) -> Result<(), Refusal> {
    if code.request.redirect_uri != redirect_uri {
        return Err(Refusal::invalid_grant("the redirect_uri is not the one of the authorization request"));
    }
    if !pkce::verifies(verifier, &code.request.code_challenge) {
        return Err(Refusal::invalid_grant("the code_verifier does not belong to the code_challenge"));
    }
    if code.request.dpop_jkt.is_some() && code.request.dpop_jkt.as_deref() != jkt {
        return Err(Refusal::invalid_grant("the code is bound to another key"));
    }
    Ok(())
}
