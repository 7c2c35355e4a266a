//! Metadata: believed only from the issuer that was asked, fetched once, kept while the provider is away.

use std::time::Duration;

use futures_util::future::join_all;
use sandbox::{Sandbox, chaos::Rule};
use shared_lib::{
    clock::Clock,
    jwt::Algorithm,
    oauth::{ClientAuth, Delivery, MetadataError, OAuthError, ProviderClient, ProviderSettings, ProviderShared},
};
use url::Url;

use super::harness::{address, calls, client, downstream, faults, provider, registry, request, shared};

/// Shows: W2
#[actix_web::test]
async fn another_issuer_than_the_one_asked_for_is_not_believed() {
    let sandbox =
        Sandbox::builder().only(["provider"]).issuer("http://localhost:9000").start().await.expect("a provider");
    let settings = ProviderSettings::new(&address(&sandbox), "bff-web", ClientAuth::None);
    let shared = ProviderShared::new(settings, Clock::system()).expect("good settings");
    let client = ProviderClient::new(shared, downstream(&registry(&sandbox)));
    let error = client.metadata(&request()).await.expect_err("another issuer");
    assert!(matches!(error, OAuthError::Metadata(MetadataError::Issuer)), "{error}");
    let slash = ProviderSettings::new(&format!("{}/", sandbox.issuer()), "bff-web", ClientAuth::None);
    assert!(ProviderShared::new(slash, Clock::system()).is_ok(), "only the document can tell that the slash is wrong");
}

/// Shows: W2
#[actix_web::test]
async fn a_provider_that_is_reached_at_another_address_than_its_name_is_asked_there() {
    let issuer = "https://id.shop.test";
    let sandbox = Sandbox::builder().only(["provider"]).issuer(issuer).start().await.expect("a provider");
    let client = client(&sandbox, "bff-web", Clock::system());
    let metadata = client.metadata(&request()).await.expect("metadata from where the provider is reached");
    assert_eq!(metadata.authorization_endpoint.as_ref().map(Url::as_str), Some("https://id.shop.test/authorize"));
    client.client_credentials(&request(), None, &[]).await.expect("a token from there");
    assert_eq!(calls(&sandbox, "/token"), 1);
    let id_token =
        sandbox.provider().id_token_builder("alice", "bff-web", "s1").expect("alice").build().expect("signed");
    client.keys().verify(&request(), &id_token, &Algorithm::ALL).await.expect("keys from there");
}

/// Shows: W2
#[actix_web::test]
async fn many_requests_at_once_fetch_the_metadata_once_and_it_is_kept() {
    let sandbox = provider().await;
    let client = client(&sandbox, "bff-web", Clock::system());
    let contexts: Vec<_> = (0..20).map(|_| request()).collect();
    let results = join_all(contexts.iter().map(|context| client.metadata(context))).await;
    assert!(results.iter().all(Result::is_ok));
    client.metadata(&request()).await.expect("metadata");
    assert_eq!(calls(&sandbox, "/.well-known"), 1);
}

/// Shows: S3
#[actix_web::test]
async fn a_failed_fetch_of_metadata_is_repeated() {
    let sandbox = provider().await;
    faults(&sandbox, vec![Rule::status(503).on("/.well-known").times(1)]);
    let client = client(&sandbox, "bff-web", Clock::system());
    client.metadata(&request()).await.expect("metadata at the second attempt");
    assert_eq!(calls(&sandbox, "/.well-known"), 2);
}

/// Shows: S14
#[actix_web::test]
async fn a_provider_that_is_away_at_the_start_is_found_when_it_comes() {
    let sandbox = provider().await;
    faults(&sandbox, vec![Rule::status(503)]);
    let client = client(&sandbox, "bff-web", Clock::system());
    let error = client.client_credentials(&request(), None, &[]).await.expect_err("no provider");
    assert_eq!(error.delivery(), Delivery::NotSent, "{error}");
    assert_eq!(calls(&sandbox, "/token"), 0);
    sandbox.chaos().clear();
    client.metadata(&request()).await.expect("the provider is back");
}

/// Shows: S14
#[actix_web::test]
async fn old_metadata_serves_while_the_provider_is_away_and_is_refreshed_when_it_is_back() {
    let sandbox = provider().await;
    let (clock, hand) = Clock::manual();
    let shared = shared(&sandbox, "bff-web", ClientAuth::None, clock);
    let client = ProviderClient::new(shared, downstream(&registry(&sandbox)));
    client.metadata(&request()).await.expect("metadata");
    faults(&sandbox, vec![Rule::status(404)]);
    hand.advance(Duration::from_secs(3600));
    client.metadata(&request()).await.expect("what is kept");
    // Both addresses are tried, and then the provider is left alone for a while.
    while calls(&sandbox, "/.well-known") < 3 {
        tokio::task::yield_now().await;
    }
    client.metadata(&request()).await.expect("what is kept");
    sandbox.chaos().clear();
    hand.advance(Duration::from_secs(30));
    client.metadata(&request()).await.expect("what is kept");
    while calls(&sandbox, "/.well-known") < 4 {
        tokio::task::yield_now().await;
    }
    assert_eq!(calls(&sandbox, "/.well-known"), 4);
}
