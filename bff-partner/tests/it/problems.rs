//! What all errors have in common.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use awc::{ClientRequest, http::Method};
use bff_partner::{keys::NewKey, problem_kinds};
use sandbox::chaos::Rule;
use serde_json::Value;
use shared_lib::testing::{Received, eventually, receive};

use crate::{
    harness::{ORDER, Stage, new_key},
    process::Process,
};

/// Shows: P8
#[actix_web::test]
async fn every_problem_has_the_id_of_its_request_and_its_code_is_on_the_page() {
    let stage = Stage::with(&[
        ("BFF_PARTNER__DOWNSTREAMS__ORDERS__RETRY__MAX_ATTEMPTS", "1"),
        ("BFF_PARTNER__KEYS__MAX_REFUSED_PER_MINUTE", "2"),
    ])
    .await;
    let page = stage.service.get("/docs").await.text();
    let reader = NewKey { scopes: vec!["products:read".to_owned()], ..new_key("acme") };
    let reader = stage.another_key(reader).await.key.expose().to_owned();
    let elsewhere = NewKey { networks: vec!["192.0.2.0/24".parse().expect("a network")], ..new_key("acme") };
    let elsewhere = stage.another_key(elsewhere).await.key.expose().to_owned();
    let free = NewKey { plan: "free".to_owned(), ..new_key("acme") };
    let free = stage.another_key(free).await.key.expose().to_owned();
    let key = stage.key.as_str();
    let call = |method: Method, path: &str| stage.service.client().request(method, stage.service.url(path));
    let get = |path: &str, key: &str| call(Method::GET, path).bearer_auth(key);
    let post = |path: &str| call(Method::POST, path).bearer_auth(key).content_type("application/json");
    let named = |request: ClientRequest, name: &str| request.insert_header(("idempotency-key", name));
    let mut seen = BTreeMap::new();
    let mut check = |answer: Received, status: u16, code: &str| {
        let body = answer.json();
        assert_eq!((answer.status.as_u16(), body["code"].as_str()), (status, Some(code)), "{body}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{code}");
        let id = body["requestId"].as_str().expect("every problem has an id").to_owned();
        assert_eq!(Some(id.as_str()), answer.header("x-request-id"), "{code}");
        assert!(page.contains(&format!("<code id=\"{code}\">")), "{code} is not on the page");
        assert_eq!(seen.insert(id, code.to_owned()), None, "each request has its own");
    };

    check(receive(call(Method::GET, "/v1/orders").send()).await, 401, "unauthenticated");
    check(receive(get("/v1/orders", "tfp_test_x").send()).await, 401, "invalid-api-key");
    check(receive(get("/v1/orders", "tfp_test_x").send()).await, 429, "too-many-invalid-keys");
    check(receive(get("/v1/orders", key).insert_header(("x-api-key", key)).send()).await, 400, "invalid-credentials");
    check(receive(get("/v1/orders", &reader).send()).await, 403, "insufficient-scope");
    check(receive(get("/v1/orders", &elsewhere).send()).await, 403, "address-not-allowed");
    check(receive(get("/v1/nothing", key).send()).await, 404, "not-found");
    check(receive(get("/nothing", key).send()).await, 404, "not-found");
    check(receive(get("/v1/orders/ord_0", key).send()).await, 404, "not-found");
    check(receive(call(Method::DELETE, "/v1/orders").send()).await, 405, "method-not-allowed");
    check(receive(get("/v1/orders?size=0", key).send()).await, 400, "validation-failed");
    check(receive(get("/v1/orders?cursor=x", key).send()).await, 400, "cursor-malformed");
    check(receive(named(post("/v1/orders"), "a").send_body("{")).await, 400, "malformed-body");
    check(receive(named(post("/v1/orders"), "a").send_body(vec![b' '; 300_000])).await, 413, "payload-too-large");
    let text = named(post("/v1/orders"), "a").content_type("text/plain");
    check(receive(text.send_body(ORDER)).await, 415, "unsupported-media-type");
    check(receive(post("/v1/orders").send_body(ORDER)).await, 400, "idempotency-key-missing");
    check(receive(named(post("/v1/orders"), "\"").send_body(ORDER)).await, 400, "idempotency-key-invalid");
    assert_eq!(stage.place_with(key, "k", ORDER).await.status, 201);
    let other = ORDER.replace('2', "3");
    check(receive(named(post("/v1/orders"), "k").send_body(other)).await, 422, "idempotency-key-reused");
    let unknown = ORDER.replace("SKU-00001", "SKU-99999");
    check(receive(named(post("/v1/orders"), "u").send_body(unknown)).await, 422, "order-not-accepted");
    let one =
        |number: u32| format!(r#"{{"idempotencyKey":"{number}","lines":[{{"productId":"SKU-00001","quantity":1}}]}}"#);
    let three = format!(r#"{{"orders":[{}]}}"#, [1, 2, 3].map(one).join(","));
    let heavy = call(Method::POST, "/v1/orders/bulk").bearer_auth(&free).content_type("application/json");
    check(receive(heavy.send_body(three)).await, 422, "too-heavy-for-plan");
    stage.disturb("orders", Rule::status(500));
    check(receive(get("/v1/orders", key).send()).await, 502, "downstream-error");
    let limited = async || receive(get("/v1/products?size=1", &free).send()).await;
    let mut answer = limited().await;
    for _ in 0..200 {
        if answer.status == 429 {
            break;
        }
        answer = limited().await;
    }
    check(answer, 429, "rate-limited");
}

/// Shows: P8
#[actix_web::test]
async fn support_finds_an_error_in_the_log_by_its_id_with_what_the_partner_was_not_told() {
    let stage = Stage::new().await;
    let quick = [("BFF_PARTNER__DOWNSTREAMS__ORDERS__RETRY__MAX_ATTEMPTS", "1")];
    let process = Process::start(&stage.sandbox, &stage.database_url, &quick).await;
    let client = awc::Client::builder().timeout(Duration::from_secs(10)).disable_redirects().finish();
    stage.disturb("orders", Rule::status(500));
    let failed = receive(client.get(process.url("/v1/orders")).bearer_auth(&stage.key).send()).await;
    let bulk = r#"{"orders":[{"idempotencyKey":"b","lines":[{"productId":"SKU-00001","quantity":1}]}]}"#;
    let bulk = client
        .post(process.url("/v1/orders/bulk"))
        .bearer_auth(&stage.key)
        .content_type("application/json")
        .send_body(bulk);
    let within = receive(bulk).await.json()["results"][0]["problem"].clone();
    let refused = receive(client.get(process.url("/v1/orders")).send()).await;
    let id = |problem: &Value| problem["requestId"].as_str().expect("an id").to_owned();
    let lines_of = |id: &str| process.log().into_iter().filter(|line| line["request_id"] == id).collect::<Vec<_>>();

    for problem in [failed.json(), within] {
        assert_eq!(problem["code"], "downstream-error", "{problem}");
        let id = id(&problem);
        let told = || async { lines_of(&id).iter().any(|line| line["level"] == "ERROR") };
        assert!(eventually(Duration::from_secs(10), told).await, "{:#?}", lines_of(&id));
        let lines = lines_of(&id);
        let error = lines.iter().find(|line| line["level"] == "ERROR").expect("it is told").to_string();
        assert!(error.contains("downstream-error") && error.contains("orders") && error.contains("500"), "{error}");
        assert!(!error.contains(&stage.key), "no key is in a log");
    }
    let id = id(&refused.json());
    let told = || async { lines_of(&id).iter().any(|line| line.to_string().contains("401")) };
    assert!(eventually(Duration::from_secs(10), told).await, "a refusal is found, too: {:#?}", lines_of(&id));
}

/// Shows: P8
#[test]
fn every_code_that_the_sources_have_is_on_the_page() {
    let known: BTreeSet<&str> = problem_kinds().iter().map(|kind| kind.code).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root.join("bff-partner/src"), root.join("shared-lib/src")];
    let mut codes = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("sources can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(path).expect("sources are text");
            for kind in text.split(": ProblemKind = ProblemKind {").skip(1) {
                let code = kind.split("code: \"").nth(1).and_then(|rest| rest.split('"').next());
                codes.insert(code.expect("a code").to_owned());
            }
        }
    }
    assert!(codes.len() > 20, "{codes:?}");
    let missing: Vec<&String> = codes.iter().filter(|code| !known.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
