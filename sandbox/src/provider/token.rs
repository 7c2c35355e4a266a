//! The token endpoint (RFC 6749, 3.2): one file a grant, and here what they have in common.

mod authorization_code;
mod client_credentials;
mod exchange;
mod refresh;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::clients::{Client, GrantType};
use super::params::Params;
use super::random::{sha256, token};
use super::refusal::Refusal;
use super::scopes::Scopes;
use super::state::{Authentication, Grant};
use super::tokens::Confirmation;
use super::{Provider, ProviderError};

/// A successful answer (RFC 6749, 5.1).
#[derive(Serialize)]
struct TokenAnswer {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
}

/// What every grant is handed: an authenticated client with its parameters and the key that it proved.
struct TokenRequest<'a> {
    client: &'a Client,
    params: &'a Params,
    /// The thumbprint of the key in the DPoP proof, if there was one.
    jkt: Option<String>,
}

/// Gives tokens.
pub(crate) async fn post_token(
    request: HttpRequest,
    body: web::Bytes,
    provider: web::Data<Provider>,
) -> Result<HttpResponse, Refusal> {
    provider.counters().token_calls.count();
    let params = Params::from_form(&request, &body)?;
    let client = provider.authenticate_client(&request, &params, "/token")?;
    let grant = GrantType::from_name(params.required("grant_type")?)
        .ok_or_else(|| Refusal::bad_request("unsupported_grant_type", "the grant type is not supported"))?;
    if !client.may_use(grant) {
        return Err(Refusal::unauthorized_client("the client may not use this grant type"));
    }
    let jkt = provider.check_proof(&request, "/token", None)?;
    let asked = TokenRequest { client: &client, params: &params, jkt };
    let answer = match grant {
        GrantType::AuthorizationCode => authorization_code::redeem(&provider, &asked)?,
        GrantType::RefreshToken => refresh::refresh(&provider, &asked)?,
        GrantType::ClientCredentials => client_credentials::grant(&provider, &asked)?,
        GrantType::TokenExchange => exchange::exchange(&provider, &asked)?,
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    if provider.settings(|settings| settings.dpop_nonce_required) && asked.jkt.is_some() {
        // The next proof can carry it at once (RFC 9449, 8.2).
        response.insert_header(("DPoP-Nonce", provider.nonces().current(provider.clock().unix_seconds())));
    }
    Ok(response.json(answer))
}

/// A refresh token that was just made, and the hash under which it is remembered.
struct NewRefreshToken {
    text: String,
    hash: String,
}

impl NewRefreshToken {
    /// For the grant with that id: the id is in the token, so that an old token still names its family.
    fn for_grant(grant_id: &str) -> Result<Self, ProviderError> {
        let text = format!("{grant_id}.{}", token::<32>()?);
        Ok(Self { hash: sha256(&text), text })
    }
}

/// The tokens of a user's grant: what the code and the refresh token are exchanged for.
fn answer_for_grant(
    provider: &Provider,
    asked: &TokenRequest<'_>,
    grant_id: &str,
    grant: &Grant,
    scopes: &Scopes,
    nonce: Option<&str>,
    refresh_token: Option<String>,
) -> Result<TokenAnswer, ProviderError> {
    let client = asked.client;
    let authentication: &Authentication = &grant.authentication;
    let mut claims = provider.access_claims(&client.id, &authentication.sub, &client.audience, scopes)?;
    claims.auth_time = Some(authentication.auth_time);
    claims.acr = Some(authentication.acr.name().to_owned());
    claims.cnf = asked.jkt.clone().map(|jkt| Confirmation { jkt });
    let access_token = provider.sign_access_token(&claims)?;
    provider.remember_access_token(&claims, grant_id);
    let id_token = scopes
        .contains("openid")
        .then(|| provider.sign_id_token(client, authentication, scopes, nonce, &access_token))
        .transpose()?;
    Ok(TokenAnswer {
        access_token,
        token_type: token_type(asked),
        expires_in: claims.exp.saturating_sub(claims.iat),
        refresh_token,
        id_token,
        scope: claims.scope,
        issued_token_type: None,
    })
}

fn token_type(asked: &TokenRequest<'_>) -> &'static str {
    if asked.jkt.is_some() { "DPoP" } else { "Bearer" }
}
