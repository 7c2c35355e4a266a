//! The metadata (OpenID Connect Discovery; RFC 8414) and the public keys.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::Provider;
use super::client_auth::{ASYMMETRIC, METHODS};
use super::clients::GrantType;
use super::scopes::{IDENTITY, SERVICES};
use super::state::Acr;

/// Answers both well-known addresses: the one document has the members of both.
pub(crate) async fn get_metadata(provider: web::Data<Provider>) -> HttpResponse {
    provider.counters().discovery_fetches.count();
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-cache")).json(metadata(&provider))
}

/// Answers the public keys, the signing one first.
pub(crate) async fn get_jwks(provider: web::Data<Provider>) -> HttpResponse {
    provider.counters().jwks_fetches.count();
    let keys = provider.keys(super::keys::KeyRing::published);
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "public, max-age=60"))
        .body(json!(keys).to_string())
}

fn metadata(provider: &Provider) -> Value {
    let issuer = provider.issuer();
    let at = |path: &str| format!("{issuer}{path}");
    let scopes: Vec<&str> = IDENTITY.into_iter().chain(SERVICES).collect();
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "revocation_endpoint": at("/revoke"),
        "end_session_endpoint": at("/logout"),
        "pushed_authorization_request_endpoint": at("/par"),
        "require_pushed_authorization_requests": provider.settings(|settings| settings.par_required),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GrantType::ALL.map(GrantType::name),
        "acr_values_supported": Acr::ALL.map(Acr::name),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": ASYMMETRIC,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": ASYMMETRIC,
        "dpop_signing_alg_values_supported": ASYMMETRIC,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "select_account", "consent"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash",
            "name", "given_name", "family_name", "preferred_username", "locale", "email", "email_verified",
        ],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
    });
    if !provider.settings(|settings| settings.par_offered)
        && let Some(members) = metadata.as_object_mut()
    {
        members.remove("pushed_authorization_request_endpoint");
    }
    metadata
}
