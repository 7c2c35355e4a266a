//! Against the real provider: what it gives is believed, and its forgeries are not.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use sandbox::{
    Sandbox,
    provider::{JwtBuilder, SigningChoice},
};
use serde_json::json;
use shared_lib::{
    clock::Clock,
    downstream::{DownstreamSettings, Registry},
    jwt::{
        AccessTokenSettings, AccessTokenVerifier, IdTokenExpectations, IdTokenSettings, IdTokenVerifier, JwksUrl,
        KeySet, KeySetSettings, Keys, TokenError,
    },
};
use url::Url;

use super::issuer::request;

async fn provider() -> Sandbox {
    Sandbox::builder().only(["provider"]).start().await.expect("a provider")
}

fn keys(sandbox: &Sandbox) -> Keys {
    let issuer = Url::parse(sandbox.issuer()).expect("an address");
    let settings = BTreeMap::from([("provider".to_owned(), DownstreamSettings::for_address(&issuer))]);
    let registry = Registry::new(&settings, &Clock::system()).expect("a registry");
    let downstream = registry.for_worker().get("provider").expect("the provider");
    let source = JwksUrl::new(downstream, issuer.join("/jwks").expect("an address"));
    Keys::new(KeySet::new(KeySetSettings::default(), Clock::system()), Rc::new(source))
}

fn access_tokens(sandbox: &Sandbox) -> AccessTokenVerifier {
    AccessTokenVerifier::new(AccessTokenSettings::new(sandbox.issuer(), "bff-mobile"), keys(sandbox), Clock::system())
}

fn alice(sandbox: &Sandbox) -> JwtBuilder {
    let lifetime = Duration::from_secs(300);
    sandbox
        .provider()
        .access_token_builder("alice", "mobile-app", "bff-mobile", &["orders:read"], lifetime)
        .expect("a builder")
}

/// Shows: M1, M2
#[actix_web::test]
async fn the_providers_tokens_are_believed_across_rotations() {
    let sandbox = provider().await;
    let verifier = access_tokens(&sandbox);
    for rotation in 0..3_u64 {
        let token = alice(&sandbox).build().expect("a token");
        let claims = verifier.verify(&request(), &token).await.expect("a good token");
        assert_eq!((claims.subject.as_str(), claims.client_id.as_str()), ("usr_alice", "mobile-app"));
        assert_eq!(sandbox.provider().counters().jwks_fetches, rotation + 1);
        sandbox.provider().rotate_keys().expect("a new key");
    }
}

/// Shows: M1
#[actix_web::test]
async fn the_providers_forgeries_are_refused() {
    let sandbox = provider().await;
    let verifier = access_tokens(&sandbox);
    for (token, expected) in [
        (alice(&sandbox).signed_by(SigningChoice::UnknownKey), TokenError::UnknownKey),
        (alice(&sandbox).signed_by(SigningChoice::ForgedKeyId), TokenError::Signature),
        (alice(&sandbox).signed_by(SigningChoice::HmacOfPublicKey), TokenError::Algorithm),
        (alice(&sandbox).signed_by(SigningChoice::Unsigned), TokenError::Algorithm),
        (alice(&sandbox).aged(Duration::from_secs(400)), TokenError::Expired),
        (alice(&sandbox).header("typ", json!("JWT")), TokenError::Type),
        (alice(&sandbox).claim("aud", json!("trifront-services")), TokenError::Audience),
        (sandbox.provider().id_token_builder("alice", "bff-mobile", "s1").expect("an ID token"), TokenError::Type),
        (
            sandbox.provider().logout_token_builder("bff-mobile", "usr_alice", "s1").expect("a logout token"),
            TokenError::Type,
        ),
    ] {
        let token = token.build().expect("a token");
        assert_eq!(verifier.verify(&request(), &token).await.map(|_| ()), Err(expected));
    }
}

/// Shows: W3
#[actix_web::test]
async fn the_providers_id_token_is_believed_by_its_client_only() {
    let sandbox = provider().await;
    let token = sandbox.provider().id_token_builder("alice", "bff-web", "s1").expect("a builder");
    let token = token.claim("nonce", json!("n-1")).build().expect("an ID token");
    let verify = async |client: &str, nonce: &str| {
        let settings = IdTokenSettings::new(sandbox.issuer(), client);
        let verifier = IdTokenVerifier::new(settings, keys(&sandbox), Clock::system());
        let expected = IdTokenExpectations::login(nonce, "an access token");
        verifier.verify(&request(), &token, &expected).await.map(|claims| claims.session_id)
    };
    assert_eq!(verify("bff-web", "n-1").await, Ok(Some("s1".to_owned())));
    assert_eq!(verify("bff-web", "n-2").await, Err(TokenError::Nonce));
    assert_eq!(verify("bff-mobile", "n-1").await, Err(TokenError::Audience));
}
