//! Tokens are in no log, no span and no metric: with all that this service can say of itself turned on, through sign-in,
//! refresh, failure and sign-out, looking for exactly the tokens that the provider gave.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use sandbox::chaos::{Fault, Rule};
use shared_lib::testing::{eventually, otlp::OtlpReceiver, receive};

use crate::harness::{PATIENCE, fleet::Fleet};

const ORDERS: &str = "/api/v2/orders?size=1";

/// The values of a member in JSON texts.
fn values(texts: &str, member: &str) -> Vec<String> {
    let begin = format!("\"{member}\":\"");
    texts.split(&begin).skip(1).filter_map(|rest| rest.split_once('"')).map(|(value, _)| value.to_owned()).collect()
}

/// Shows: W5, S8
#[actix_web::test]
async fn no_token_is_in_a_log_a_span_or_a_metric() {
    let collector = OtlpReceiver::start();
    let endpoint = collector.endpoint().to_string();
    let fleet = Fleet::start(&[
        ("BFF_WEB__TELEMETRY__OTLP_ENDPOINT", endpoint.as_str()),
        ("BFF_WEB__TELEMETRY__EXPORT_INTERVAL_MS", "50"),
        ("BFF_WEB__TELEMETRY__LOG_LEVEL", "debug,bff_web=trace,shared_lib=trace"),
    ])
    .await;
    fleet.access_tokens_live(Duration::from_secs(4));
    let mut alice = fleet.replicas[0].process.signed_in("alice").await;
    let refreshed = eventually(PATIENCE, || {
        let (mut alice, fleet) = (alice.clone(), &fleet);
        async move {
            assert_eq!(alice.get(ORDERS).await.status, StatusCode::OK);
            fleet.refreshes().0 >= 1
        }
    });
    assert!(refreshed.await, "the access token is refreshed");
    // A refresh whose answer breaks off in the middle of a token is told in the log.
    let broken = Rule::fault(Fault::ResetMidBody).on("/token").times(1);
    fleet.sandbox.chaos().set("provider", vec![broken]).expect("the rule is valid");
    assert_eq!(alice.fetch(Method::POST, "/api/auth/renew").await.status, StatusCode::OK);
    let cookies: Vec<String> = alice.jar.iter().map(|cookie| cookie.value.clone()).collect();
    assert_eq!(alice.fetch(Method::POST, "/api/auth/logout").await.status, StatusCode::OK);

    let given = fleet.replicas[0].provider.heard();
    let mut secrets = cookies;
    for member in ["access_token", "refresh_token", "id_token"] {
        let found = values(&given, member);
        assert!(found.len() >= 2, "{member}: at sign-in and at the refresh");
        // The part of each that nobody can guess.
        secrets.extend(found.iter().filter_map(|token| token.rsplit('.').next().map(str::to_owned)));
    }
    secrets.extend(alice.visited.iter().flat_map(|url| {
        let pairs = url.query_pairs().filter(|(name, _)| matches!(&**name, "code" | "state" | "ticket"));
        pairs.map(|(_, value)| value.into_owned()).collect::<Vec<_>>()
    }));
    assert!(secrets.iter().all(|secret| secret.len() >= 20), "{secrets:?}");

    let spans = collector.wait_for(|spans| spans.iter().any(|span| span.name.contains("/api/auth/logout")), PATIENCE);
    let spans = format!("{:?}", spans.await.expect("all spans up to the last request's"));
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    let metrics =
        receive(client.get(format!("{}/metrics", fleet.replicas[0].process.management())).send()).await.text();
    let log = fleet.replicas[0].process.log();
    assert!(log.contains("an access token could not be refreshed") && spans.contains("/api/auth/callback"));
    assert!(metrics.contains("http_client_request_duration"), "{metrics}");
    for (what, text) in [("the log", &log), ("the spans", &spans), ("the metrics", &metrics)] {
        for secret in &secrets {
            let place = text.find(secret.as_str()).map(|at| &text[at.saturating_sub(200)..at]);
            assert_eq!(place, None, "{secret} in {what}");
        }
        assert!(!text.contains("eyJ"), "a JWT in {what}");
    }
}
