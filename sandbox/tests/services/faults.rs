//! Every fault as a client sees it.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use actix_web::http::{StatusCode, Version};
use awc::error::PayloadError;
use futures_util::StreamExt;
use sandbox::chaos::{Chaos, Fault, Latency, Rule};
use serde_json::json;

use crate::harness::{Harness, LONG, SHORT};

const PRODUCT: &str = "/products/SKU-00001";

async fn with(rule: Rule) -> Harness {
    let harness = Harness::with(&["catalog"]).await;
    set(harness.sandbox.chaos(), rule);
    harness
}

fn set(chaos: &Chaos, rule: Rule) {
    chaos.set("catalog", vec![rule]).expect("a valid rule");
}

/// Sends a request over a plain socket and reads until the server ends the connection, but waits no longer than that.
fn raw(harness: &Harness, patience: Duration) -> (Vec<u8>, std::io::Result<usize>) {
    let url = harness.sandbox.url("catalog");
    let host = url.trim_start_matches("http://").trim_end_matches("/catalog");
    let mut socket = TcpStream::connect(host).expect("a connection");
    socket.set_read_timeout(Some(patience)).expect("a time-out");
    write!(socket, "GET /catalog{PRODUCT} HTTP/1.1\r\nhost: {host}\r\n\r\n").expect("a sent request");
    let mut received = Vec::new();
    let end = socket.read_to_end(&mut received);
    (received, end)
}

#[actix_web::test]
async fn a_status_replaces_the_answer_in_the_services_own_error_shape() {
    let harness = with(Rule::status(503).header("retry-after", "1")).await;
    let answer = harness.get("catalog", PRODUCT, None).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    let error = json!({ "error": { "code": "service_unavailable", "message": "set by a fault rule" } });
    assert_eq!(answer.json(), error);
}

#[actix_web::test]
async fn malformed_json_says_that_it_is_json() {
    let harness = with(Rule::fault(Fault::MalformedJson)).await;
    let answer = harness.get("catalog", PRODUCT, None).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    serde_json::from_slice::<serde_json::Value>(&answer.body).expect_err("something that is not JSON");
}

#[actix_web::test]
async fn a_wrong_content_type_comes_with_the_right_body() {
    let harness = with(Rule::fault(Fault::WrongContentType)).await;
    let answer = harness.get("catalog", PRODUCT, None).await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.json()["sku"], "SKU-00001");
}

#[actix_web::test]
async fn an_oversized_body_is_valid_json_and_does_not_tell_its_length() {
    let harness = with(Rule::fault(Fault::OversizedBody)).await;
    let answer = harness.get("catalog", PRODUCT, None).await;
    assert_eq!(answer.header("content-length"), "");
    assert!(answer.body.len() > 16 * 1024 * 1024, "{}", answer.body.len());
    assert!(answer.json()["items"].is_string());
}

#[actix_web::test]
async fn an_empty_body_has_the_length_0() {
    let harness = with(Rule::fault(Fault::Empty)).await;
    let answer = harness.get("catalog", PRODUCT, None).await;
    assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (StatusCode::OK, "0", 0));
}

#[actix_web::test]
async fn a_call_that_hangs_is_not_answered_and_not_disconnected() {
    let harness = with(Rule::fault(Fault::Hang)).await;
    let (received, end) = raw(&harness, SHORT);
    assert_eq!((received.len(), end.expect_err("a time-out").kind()), (0, ErrorKind::WouldBlock));
}

#[actix_web::test]
async fn an_answer_that_hangs_after_its_head_has_no_body() {
    let harness = with(Rule::fault(Fault::HangAfterHeaders)).await;
    let mut response = harness.client.get(harness.sandbox.url("catalog") + PRODUCT).send().await.expect("a head");
    assert_eq!(response.status(), StatusCode::OK);
    tokio::time::timeout(SHORT, response.body()).await.expect_err("no body");
}

#[actix_web::test]
async fn a_slow_body_comes_byte_by_byte_and_whole() {
    let harness = with(Rule::fault(Fault::SlowDrip).on("/products")).await;
    let mut response = harness.client.get(harness.sandbox.url("catalog") + PRODUCT).send().await.expect("a head");
    let first = response.next().await.expect("a byte").expect("no error");
    assert_eq!(&first[..], b"{");
    tokio::time::timeout(SHORT, response.body()).await.expect_err("no end");
}

#[actix_web::test]
async fn a_reset_is_one_and_comes_without_a_byte_of_an_answer() {
    let harness = with(Rule::fault(Fault::Reset)).await;
    let (received, end) = raw(&harness, LONG);
    assert_eq!((received.len(), end.expect_err("a reset").kind()), (0, ErrorKind::ConnectionReset));
    harness.client.get(harness.sandbox.url("catalog") + PRODUCT).send().await.expect_err("a reset");
}

#[actix_web::test]
async fn a_reset_in_the_body_comes_after_half_of_it() {
    let harness = with(Rule::fault(Fault::ResetMidBody)).await;
    let (received, end) = raw(&harness, LONG);
    assert_eq!(end.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
    let text = String::from_utf8(received).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
    let stated = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    assert_eq!(body.len(), stated.parse::<usize>().expect("a number") / 2);
    let mut response = harness.client.get(harness.sandbox.url("catalog") + PRODUCT).send().await.expect("a head");
    let error = response.body().await.expect_err("half a body");
    assert!(matches!(error, PayloadError::Io(_) | PayloadError::Incomplete(_)), "{error:?}");
}

#[actix_web::test]
async fn latency_delays_the_answer_by_what_it_says() {
    let harness = with(Rule::latency(Duration::from_millis(300))).await;
    let url = harness.sandbox.url("catalog") + PRODUCT;
    tokio::time::timeout(SHORT, harness.client.get(&url).send()).await.expect_err("no answer yet");
    let answer = tokio::time::timeout(LONG, harness.client.get(&url).send()).await.expect("an answer in time");
    assert_eq!(answer.expect("an answer").status(), StatusCode::OK);
}

#[actix_web::test]
async fn a_rule_is_spent_after_its_times_and_the_next_one_acts() {
    let harness = Harness::with(&["catalog"]).await;
    let rules = vec![Rule::status(503).times(2), Rule::status(500).times(1)];
    harness.sandbox.chaos().set("catalog", rules).expect("valid rules");
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(harness.get("catalog", PRODUCT, None).await.status.as_u16());
    }
    assert_eq!(statuses, [503, 503, 500, 200]);
}

#[actix_web::test]
async fn a_rule_with_a_route_leaves_other_routes_alone() {
    let harness = with(Rule::status(503).on("/products/SKU-00001")).await;
    assert_eq!(harness.get("catalog", PRODUCT, None).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(harness.get("catalog", "/products/SKU-00010", None).await.status, StatusCode::OK);
    assert_eq!(harness.get("catalog", "/products", None).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn an_error_rate_strikes_that_share_and_the_same_calls_each_time() {
    let harness = Harness::with(&["catalog"]).await;
    let rule = Rule { error_rate: Some(0.3), status: Some(503), ..Rule::default() };
    let mut runs = Vec::new();
    for _ in 0..2 {
        set(harness.sandbox.chaos(), rule.clone());
        let mut struck = Vec::new();
        for _ in 0..200 {
            struck.push(harness.get("catalog", PRODUCT, None).await.status == StatusCode::SERVICE_UNAVAILABLE);
        }
        runs.push(struck);
    }
    let share = runs[0].iter().filter(|struck| **struck).count();
    assert!((40..=80).contains(&share), "{share} of 200");
    assert_eq!(runs[0], runs[1]);
}

#[actix_web::test]
async fn faults_can_be_set_on_the_provider_but_do_not_reach_the_services_own_key_fetch() {
    let harness = Harness::with(&["accounts"]).await;
    harness.sandbox.chaos().set("provider", vec![Rule::status(503)]).expect("a valid rule");
    let metadata = format!("{}/.well-known/openid-configuration", harness.sandbox.issuer());
    let answer = harness.client.get(metadata).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(harness.get("accounts", "/balance", Some(&harness.alice())).await.status, StatusCode::OK);
    let calls = harness.sandbox.chaos().calls("provider");
    assert_eq!(calls.iter().map(|call| call.path.as_str()).collect::<Vec<_>>(), ["/.well-known/openid-configuration"]);
}

#[actix_web::test]
async fn rules_that_mean_nothing_are_refused_and_the_old_ones_stay() {
    let harness = with(Rule::status(503)).await;
    let chaos = harness.sandbox.chaos();
    let wrong = [
        ("catalog", Rule { error_rate: Some(1.5), ..Rule::default() }),
        ("catalog", Rule::status(99)),
        ("catalog", Rule::grpc_status(14)),
        ("catalog", Rule::status(503).header("retry after", "1")),
        ("catalog", Rule { latency: Some(Latency::Quantiles { p50_ms: 20, p99_ms: 10 }), ..Rule::default() }),
        ("catalog", Rule::barrier("b", 0)),
        ("notifications", Rule::status(503)),
        ("notifications", Rule::fault(Fault::SlowDrip)),
        ("nothing", Rule::default()),
    ];
    for (service, rule) in wrong {
        chaos.set(service, vec![rule.clone()]).expect_err(&format!("{rule:?} for {service}"));
    }
    assert_eq!(harness.get("catalog", PRODUCT, None).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

/// HTTP/2 by prior knowledge: what awc speaks to `https` addresses when it has no TLS configuration.
#[actix_web::test]
async fn over_http_2_a_reset_ends_the_connection_and_a_half_body_is_an_error() {
    let harness = Harness::with(&["catalog"]).await;
    let url = (harness.sandbox.url("catalog") + PRODUCT).replace("http://", "https://");
    let first = harness.client.get(&url).send().await.expect("an answer");
    assert_eq!((first.status(), first.version()), (StatusCode::OK, Version::HTTP_2));
    drop(first);
    set(harness.sandbox.chaos(), Rule::fault(Fault::Hang).on("/products/SKU-00002"));
    let hanging = actix_web::rt::spawn(harness.client.get(url.replace("00001", "00002")).send());
    while harness.sandbox.chaos().calls("catalog").len() < 2 {
        tokio::task::yield_now().await;
    }
    set(harness.sandbox.chaos(), Rule::fault(Fault::Reset));
    harness.client.get(&url).send().await.expect_err("a reset");
    let hanging = tokio::time::timeout(LONG, hanging).await.expect("an end in time").expect("a finished call");
    hanging.expect_err("the end of the connection that both used");
    set(harness.sandbox.chaos(), Rule::fault(Fault::ResetMidBody));
    // A client of its own, because one that pools connections may offer the dead one first.
    let mut half = awc::Client::new().get(&url).send().await.expect("a head");
    half.body().await.expect_err("half a body");
}
