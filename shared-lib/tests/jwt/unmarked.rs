//! The named relaxation for providers that do not mark their access tokens: it lets those in, and still no ID token.

use serde_json::{Value, json};
use shared_lib::jwt::{AccessTokenSettings, AccessTokenVerifier, Profile, TokenError};

use super::{
    access_tokens::{claims, with},
    issuer::{AUDIENCE, ISSUER, SigningKey, World, request},
};

async fn verify(profile: Profile, header: Value, changes: Value) -> Result<Vec<String>, TokenError> {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let settings = AccessTokenSettings { profile, ..AccessTokenSettings::new(ISSUER, AUDIENCE) };
    let verifier = AccessTokenVerifier::new(settings, world.keys.clone(), world.clock.clone());
    let header = with(json!({ "alg": "ES256", "kid": "k1" }), header);
    let token = key.sign(&header, &with(claims(world.now()), changes));
    verifier.verify(&request(), &token).await.map(|claims| claims.scopes)
}

/// Shows: M1
#[actix_web::test]
async fn unmarked_access_tokens_pass_under_their_profile_only() {
    let keycloak = json!({ "client_id": null, "azp": "mobile-app", "typ": "Bearer", "scope": "openid orders:read" });
    let granted = vec!["openid".to_owned(), "orders:read".to_owned()];
    for header in [json!({ "typ": "JWT" }), json!({}), json!({ "typ": "at+jwt" })] {
        assert_eq!(verify(Profile::Unmarked, header.clone(), keycloak.clone()).await, Ok(granted.clone()), "{header}");
    }
    assert_eq!(verify(Profile::Rfc9068, json!({ "typ": "JWT" }), keycloak).await, Err(TokenError::Type));

    let list = json!({ "scope": null, "scp": ["orders:read"] });
    assert_eq!(verify(Profile::Unmarked, json!({}), list.clone()).await, Ok(vec!["orders:read".to_owned()]));
    let text = json!({ "scope": null, "scp": "orders:read a" });
    assert_eq!(verify(Profile::Unmarked, json!({}), text).await.map(|scopes| scopes.len()), Ok(2));
    let broken = json!({ "scope": null, "scp": [1] });
    assert_eq!(verify(Profile::Unmarked, json!({}), broken).await, Err(TokenError::Claim("scp")));
    assert_eq!(verify(Profile::Rfc9068, json!({ "typ": "at+jwt" }), list).await, Ok(vec![]));
}

/// Shows: M1
#[actix_web::test]
async fn an_id_token_is_refused_under_the_relaxed_profile_too() {
    use TokenError::{Missing, NotAnAccessToken, Type};
    let jwt = || json!({ "typ": "JWT" });
    for (header, changes, expected) in [
        // What only ID tokens and logout tokens have.
        (jwt(), json!({ "nonce": "n" }), NotAnAccessToken),
        (jwt(), json!({ "at_hash": "h" }), NotAnAccessToken),
        (jwt(), json!({ "c_hash": "h" }), NotAnAccessToken),
        (jwt(), json!({ "s_hash": "h" }), NotAnAccessToken),
        (jwt(), json!({ "events": {} }), NotAnAccessToken),
        // What Keycloak writes into the claims.
        (jwt(), json!({ "typ": "ID" }), NotAnAccessToken),
        (jwt(), json!({ "typ": "Refresh" }), NotAnAccessToken),
        (jwt(), json!({ "typ": "Logout" }), NotAnAccessToken),
        (jwt(), json!({ "typ": "Offline" }), NotAnAccessToken),
        // An ID token's audience is the client itself, also when that client's id is configured as the audience.
        (jwt(), json!({ "client_id": AUDIENCE }), NotAnAccessToken),
        (jwt(), json!({ "client_id": null, "azp": AUDIENCE }), NotAnAccessToken),
        (jwt(), json!({ "aud": [AUDIENCE, "mobile-app"] }), NotAnAccessToken),
        (jwt(), json!({ "client_id": null }), Missing("client_id")),
        // Other kinds of token by their header.
        (json!({ "typ": "logout+jwt" }), json!({}), Type),
        (json!({ "typ": "dpop+jwt" }), json!({}), Type),
        (json!({ "typ": "id_token+jwt" }), json!({}), Type),
    ] {
        assert_eq!(verify(Profile::Unmarked, header, changes.clone()).await, Err(expected), "{changes}");
    }
}
