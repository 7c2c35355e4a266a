//! From the login's address to verified tokens, with each way for a client to prove itself, and out again.

use std::collections::HashMap;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sandbox::provider::ProviderSettings as SandboxSettings;
use serde_json::json;
use shared_lib::{
    clock::Clock,
    jwt::{Algorithm, IdTokenExpectations, TokenError},
    oauth::{
        AssertionAudience, AssertionKey, AuthorizationRequest, ClientAuth, CodeExchange, EndSession, ErrorCode, Pkce,
        ProviderClient, random_token,
    },
    settings::Secret,
};

use super::harness::{
    CALLBACK, browse, client, downstream, login_scopes, provider, provider_with, registry, request, shared, sign_in,
};

/// Shows: W1, W2, W3
#[actix_web::test]
async fn a_login_leads_to_tokens_that_answer_it() {
    let sandbox = provider().await;
    let client = client(&sandbox, "bff-web", Clock::system());
    let (pkce, scopes, state, nonce) = (Pkce::generate(), login_scopes(), random_token(), random_token());
    let challenge = pkce.challenge();
    let asked = AuthorizationRequest::new(CALLBACK, &scopes, &state, &nonce, &challenge);
    let url = client.authorization_url(&request(), &asked).await.expect("an address");

    // The provider takes pushed requests, so the browser carries a name and nothing else.
    let names: Vec<_> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["client_id", "request_uri"]);
    assert_eq!(sandbox.provider().counters().pushed_requests, 1);

    let answer = browse(&sandbox, &url).await;
    assert_eq!(answer.state, state);
    let metadata = client.metadata(&request()).await.expect("metadata");
    assert_eq!(metadata.check_response_issuer(answer.iss.as_deref()), Ok(()));
    assert!(metadata.check_response_issuer(None).is_err(), "this provider always names itself");

    let exchange = CodeExchange { code: &answer.code, redirect_uri: CALLBACK, pkce: &pkce };
    let tokens = client.exchange_code(&request(), &exchange).await.expect("tokens");
    let id_token = tokens.id_token.as_ref().expect("an ID token");
    let verifier = client.id_token_verifier();
    let expected = IdTokenExpectations::login(&nonce, tokens.access_token.expose());
    let claims = verifier.verify(&request(), id_token.expose(), &expected).await.expect("a good ID token");
    assert_eq!(claims.subject, "usr_alice");
    assert!(claims.session_id.is_some());
    for (other, reason) in [
        (IdTokenExpectations::login("another login", tokens.access_token.expose()), TokenError::Nonce),
        (IdTokenExpectations::login(&nonce, "another access token"), TokenError::AccessTokenHash),
        (IdTokenExpectations::refresh("usr_bob", tokens.access_token.expose()), TokenError::Subject),
    ] {
        let result = verifier.verify(&request(), id_token.expose(), &other).await.map(|_| ());
        assert_eq!(result, Err(reason));
    }
}

/// Shows: W1
#[actix_web::test]
async fn a_code_is_worth_nothing_without_the_secret_of_its_login() {
    let sandbox = provider().await;
    let client = client(&sandbox, "bff-web", Clock::system());
    let (pkce, scopes) = (Pkce::generate(), login_scopes());
    let challenge = pkce.challenge();
    let asked = AuthorizationRequest::new(CALLBACK, &scopes, "s", "n", &challenge);
    let url = client.authorization_url(&request(), &asked).await.expect("an address");
    let answer = browse(&sandbox, &url).await;
    let exchange = CodeExchange { code: &answer.code, redirect_uri: CALLBACK, pkce: &Pkce::generate() };
    let refused = client.exchange_code(&request(), &exchange).await.expect_err("another verifier");
    assert!(refused.is_invalid_grant(), "{refused}");
}

/// A private key in PEM, and the registration of its public half.
fn assertion_key() -> (Secret, SandboxSettings) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let der = pair.to_pkcs8v1().expect("the key's encoding");
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "k1", "alg": "ES256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) });
    let keys = serde_json::from_value(json!({ "keys": [jwk] })).expect("a key set");
    let settings = SandboxSettings {
        client_keys: HashMap::from([("bff-web-jwt".to_owned(), keys)]),
        ..SandboxSettings::default()
    };
    let label = "PRIVATE KEY";
    let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der.as_ref()));
    (Secret::from(pem), settings)
}

/// Shows: W2
#[actix_web::test]
async fn a_client_proves_itself_by_either_kind_of_secret_or_by_a_signed_assertion() {
    let (pem, settings) = assertion_key();
    let sandbox = provider_with(settings).await;
    let secret = || Secret::from("dev-only-bff-web-secret");
    let key = AssertionKey::from_pem(&pem, Algorithm::Es256, Some("k1")).expect("a key");
    let ways = [
        ("bff-web", ClientAuth::SecretBasic(secret())),
        ("bff-web", ClientAuth::SecretPost(secret())),
        ("bff-web-jwt", ClientAuth::PrivateKeyJwt(key.clone())),
        ("bff-web-jwt", ClientAuth::PrivateKeyJwt(key.for_audience(AssertionAudience::TokenEndpoint))),
    ];
    for (client_id, auth) in ways {
        let shown = format!("{auth:?}");
        assert!(!shown.contains("dev-only") && !shown.contains("BEGIN"), "{shown}");
        let client =
            ProviderClient::new(shared(&sandbox, client_id, auth, Clock::system()), downstream(&registry(&sandbox)));
        let tokens = sign_in(&sandbox, &client, "n").await;
        let refresh_token = tokens.refresh_token.expect("a refresh token");
        let tokens =
            client.refresh(&request(), &refresh_token).await.unwrap_or_else(|error| panic!("{shown}: {error}"));
        client.revoke(&request(), tokens.refresh_token.as_ref().expect("a refresh token")).await.expect("revoked");
    }
    let wrong = ClientAuth::SecretBasic(Secret::from("wrong"));
    let client =
        ProviderClient::new(shared(&sandbox, "bff-web", wrong, Clock::system()), downstream(&registry(&sandbox)));
    let refused = client.refresh(&request(), &Secret::from("x.y")).await.expect_err("a wrong secret");
    assert_eq!(refused.code().map(ErrorCode::name), Some("invalid_client"));
    assert!(!refused.is_invalid_grant(), "our own fault ends nobody's session");
}

/// Shows: W5, W9
#[actix_web::test]
async fn the_logout_address_hints_at_who_leaves_and_carries_no_token() {
    let sandbox = provider().await;
    let client = client(&sandbox, "bff-web", Clock::system());
    let end = EndSession {
        logout_hint: Some("s1"),
        post_logout_redirect_uri: Some("http://127.0.0.1:8080/"),
        state: Some("x"),
    };
    let url = client.end_session_url(&request(), &end).await.expect("metadata").expect("an address");
    assert!(url.as_str().starts_with(&format!("{}/logout?", sandbox.issuer())), "{url}");
    let parameters: Vec<_> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        parameters,
        ["client_id=bff-web", "logout_hint=s1", "post_logout_redirect_uri=http://127.0.0.1:8080/", "state=x"]
    );
}
