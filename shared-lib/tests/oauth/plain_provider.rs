//! A provider that offers less: plain OAuth metadata (RFC 8414) and no pushed requests.

use std::{collections::BTreeMap, net::TcpListener, time::Duration};

use actix_web::{App, HttpServer, web};
use serde_json::{Value, json};
use shared_lib::{
    clock::Clock,
    downstream::{DownstreamSettings, Registry},
    oauth::{
        AuthorizationRequest, ClientAuth, EndSession, MetadataError, OAuthError, ProviderClient, ProviderSettings,
        ProviderShared,
    },
    settings::Secret,
};
use url::Url;

use super::harness::{CALLBACK, downstream, request};

/// Serves metadata with these further members below a path of the issuer, and a client of it.
fn client(more: &Value) -> ProviderClient {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = format!("http://{}", listener.local_addr().expect("its address"));
    let issuer = format!("{host}/tenants/shop");
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?tenant=shop"),
        "token_endpoint": format!("{issuer}/token"),
    });
    for (name, value) in more.as_object().expect("an object") {
        document[name] = value.clone();
    }
    let serve = move || {
        let document = document.clone();
        let address = "/.well-known/oauth-authorization-server/tenants/shop";
        App::new().route(address, web::get().to(move || std::future::ready(web::Json(document.clone()))))
    };
    let server = HttpServer::new(serve).workers(1).disable_signals().listen(listener).expect("a server").run();
    actix_web::rt::spawn(server);

    let settings = DownstreamSettings::for_address(&Url::parse(&host).expect("an address"));
    let registry = Registry::new(&BTreeMap::from([("provider".to_owned(), settings)]), &Clock::system());
    let settings = ProviderSettings::new(&issuer, "bff web", ClientAuth::None);
    let shared = ProviderShared::new(settings, Clock::system()).expect("good settings");
    ProviderClient::new(shared, downstream(&registry.expect("a registry")))
}

/// Shows: W1, W2
#[actix_web::test]
async fn without_pushed_requests_the_browser_carries_the_whole_request() {
    let client = client(&json!({}));
    let (scopes, acr) = (["openid", "profile"].map(str::to_owned), ["urn:mfa".to_owned()]);
    let mut asked = AuthorizationRequest::new(CALLBACK, &scopes, "s&1", "n", "challenge");
    asked.prompt = Some("login");
    asked.max_age = Some(Duration::from_secs(60));
    asked.acr_values = &acr;
    asked.login_hint = Some("alice");
    let url = client.authorization_url(&request(), &asked).await.expect("an address");
    let parameters: Vec<String> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    let redirect_uri = format!("redirect_uri={CALLBACK}");
    assert_eq!(
        parameters,
        [
            "tenant=shop",
            "client_id=bff web",
            "response_type=code",
            &redirect_uri,
            "scope=openid profile",
            "state=s&1",
            "nonce=n",
            "code_challenge=challenge",
            "code_challenge_method=S256",
            "prompt=login",
            "max_age=60",
            "acr_values=urn:mfa",
            "login_hint=alice",
        ]
    );
}

/// Shows: W2
#[actix_web::test]
async fn a_provider_that_requires_pushed_requests_and_offers_none_is_refused() {
    let client = client(&json!({ "require_pushed_authorization_requests": true }));
    let asked = AuthorizationRequest::new(CALLBACK, &[], "s", "n", "c");
    let error = client.authorization_url(&request(), &asked).await.expect_err("no such endpoint");
    assert!(matches!(error, OAuthError::Metadata(MetadataError::Missing(_))), "{error}");
}

/// Shows: W9
#[actix_web::test]
async fn a_provider_without_logout_and_revocation_ends_sessions_by_time_alone() {
    let client = client(&json!({}));
    client.revoke(&request(), &Secret::from("a refresh token")).await.expect("nothing to do");
    let nowhere = client.end_session_url(&request(), &EndSession::default()).await.expect("metadata");
    assert_eq!(nowhere, None);
}
