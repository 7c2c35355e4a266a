//! Our own tokens: one request to the provider for all who need one, in the whole process.

use std::{
    sync::{Arc, Barrier},
    time::Duration,
};

use futures_util::{
    future::{Either, join_all, select},
    pin_mut,
};
use sandbox::chaos::{Fault, Rule};
use shared_lib::{
    clock::Clock,
    oauth::{ClientAuth, ErrorCode, OAuthError, ProviderClient},
    settings::Secret,
};

use super::harness::{calls, client, downstream, faults, provider, registry, request, shared};

fn scopes(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Shows: W13, S13
#[actix_web::test]
async fn a_service_token_is_kept_until_shortly_before_it_ends() {
    let sandbox = provider().await;
    let (clock, hand) = Clock::manual();
    let client = client(&sandbox, "bff-partner", clock);
    let token = async || client.client_credentials(&request(), None, &[]).await.expect("a token").expose().to_owned();
    let first = token().await;
    // The provider's tokens live for 300 seconds.
    hand.advance(Duration::from_secs(269));
    assert_eq!(token().await, first);
    hand.advance(Duration::from_secs(1));
    let second = token().await;
    assert_ne!(second, first);
    assert_eq!(sandbox.provider().counters().client_credentials, 2);
    client.forget_client_credentials(None, &[]);
    assert_ne!(token().await, second);
}

/// Shows: W13
#[actix_web::test]
async fn each_audience_and_set_of_scopes_has_its_own_token() {
    let sandbox = provider().await;
    let client = client(&sandbox, "bff-partner", Clock::system());
    let token = async |audience, names: &[&str]| {
        client.client_credentials(&request(), audience, &scopes(names)).await.expect("a token").expose().to_owned()
    };
    let plain = token(None, &[]).await;
    assert_ne!(token(Some("trifront-services"), &[]).await, plain);
    let known = client.metadata(&request()).await.expect("metadata");
    assert!(known.token_endpoint.is_some());
    assert_eq!(token(None, &[]).await, plain);
    let refused = client.client_credentials(&request(), Some("elsewhere"), &[]).await.expect_err("not its audience");
    assert_eq!(refused.code().map(ErrorCode::name), Some("invalid_target"));
}

/// Shows: W13
#[actix_web::test]
async fn many_requests_on_many_workers_make_one_request_to_the_provider() {
    let sandbox = provider().await;
    let secret = Secret::from("dev-only-bff-partner-secret");
    let shared = shared(&sandbox, "bff-partner", ClientAuth::SecretBasic(secret), Clock::system());
    let registry = registry(&sandbox);
    let together = Arc::new(Barrier::new(4));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (shared, registry, together) = (shared.clone(), registry.clone(), Arc::clone(&together));
            std::thread::spawn(move || {
                actix_rt::System::new().block_on(async {
                    let client = ProviderClient::new(shared, downstream(&registry));
                    let contexts: Vec<_> = (0..25).map(|_| request()).collect();
                    together.wait();
                    let tokens = contexts.iter().map(|context| client.client_credentials(context, None, &[]));
                    let tokens: Vec<_> = join_all(tokens).await;
                    tokens.into_iter().map(|token| token.map(|token| token.expose().to_owned())).collect::<Vec<_>>()
                })
            })
        })
        .collect();
    let tokens: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect();
    assert_eq!(tokens.len(), 100);
    let first = tokens[0].as_ref().expect("a token").clone();
    assert!(tokens.iter().all(|token| token.as_ref().is_ok_and(|token| *token == first)));
    assert_eq!((calls(&sandbox, "/token"), calls(&sandbox, "/.well-known")), (1, 1));
}

/// Shows: W13
#[actix_web::test]
async fn when_the_request_that_asks_is_dropped_another_takes_over() {
    let sandbox = provider().await;
    let client = client(&sandbox, "bff-partner", Clock::system());
    client.metadata(&request()).await.expect("metadata");
    faults(&sandbox, vec![Rule::fault(Fault::Hang).on("/token").times(1)]);
    let (first_context, second_context) = (request(), request());
    let second = client.client_credentials(&second_context, None, &[]);
    pin_mut!(second);
    {
        let first = client.client_credentials(&first_context, None, &[]);
        let hangs = async {
            while calls(&sandbox, "/token") == 0 {
                tokio::task::yield_now().await;
            }
        };
        pin_mut!(first);
        pin_mut!(hangs);
        let Either::Right(_) = select(first.as_mut(), hangs).await else { panic!("the first request should hang") };
        let waits = tokio::task::yield_now();
        pin_mut!(waits);
        let Either::Right(_) = select(second.as_mut(), waits).await else { panic!("the second should wait") };
        assert_eq!(calls(&sandbox, "/token"), 1);
    }
    second.await.expect("a token");
    assert_eq!(calls(&sandbox, "/token"), 2);
}

/// Shows: W13
#[actix_web::test]
async fn a_refusal_is_shared_by_those_who_wait_and_not_kept() {
    let sandbox = provider().await;
    let client = client(&sandbox, "bff-partner", Clock::system());
    client.metadata(&request()).await.expect("metadata");
    faults(&sandbox, vec![Rule::status(503).on("/token").times(1)]);
    let contexts: Vec<_> = (0..10).map(|_| request()).collect();
    let results = join_all(contexts.iter().map(|context| client.client_credentials(context, None, &[]))).await;
    assert!(results.iter().all(|result| matches!(result, Err(OAuthError::Downstream(_)))));
    assert_eq!(calls(&sandbox, "/token"), 1);
    client.client_credentials(&request(), None, &[]).await.expect("a token");
}
