//! The end of a version: how it is announced, what happens then, and who still calls it.

use std::time::Duration;

use actix_web::http::Method;
use bff_partner::keys::{KeyEnvironment, NewKey};
use sandbox::chaos::Rule;
use serde_json::{Value, json};
use shared_lib::{
    clock::Clock,
    testing::{Received, TestService, eventually, receive},
};

use crate::harness::{Engine, ORDER, Stage, database, new_key};

const PRODUCTS: &str = "/v1/products?size=1";
const PATIENCE: Duration = Duration::from_secs(20);

const ANNOUNCED: [(&str, &str); 4] = [
    ("BFF_PARTNER__VERSIONS__V1__DEPRECATED_AT", "2027-01-01T00:00:00Z"),
    ("BFF_PARTNER__VERSIONS__V1__SUNSET_AT", "2028-01-01T00:00:00Z"),
    ("BFF_PARTNER__VERSIONS__V1__DOCUMENTATION", "https://partner.shop.example/moving"),
    ("BFF_PARTNER__VERSIONS__V1__SUCCESSOR", "/v2"),
];

const SOON: (&str, &str) = ("BFF_PARTNER__LIMITS__RECORD_MS", "20");

fn at(time: &str) -> jiff::Timestamp {
    time.parse().expect("a time")
}

/// The fields in which an answer tells of an end.
fn told(answer: &Received) -> [Option<&str>; 3] {
    ["deprecation", "sunset", "link"].map(|name| answer.header(name))
}

async fn send(stage: &Stage, method: Method, path: &str, key: &str) -> Received {
    receive(stage.service.client().request(method, stage.service.url(path)).bearer_auth(key).send()).await
}

/// Shows: P7
#[actix_web::test]
async fn every_answer_of_a_version_whose_end_is_announced_says_it_failures_too() {
    let mut variables = ANNOUNCED.to_vec();
    variables.push(("BFF_PARTNER__PLANS__SILVER__BURST__QUOTA", "5"));
    variables.push(("BFF_PARTNER__PLANS__SILVER__BURST__WINDOW_S", "3600"));
    variables.push(("BFF_PARTNER__PLANS__SILVER__BURST__AT_ONCE", "5"));
    let (clock, _) = Clock::manual_at(at("2027-04-30T12:00:00Z"));
    let stage = Stage::on(&variables, clock).await;
    let reader = NewKey { scopes: vec!["products:read".to_owned()], plan: "silver".to_owned(), ..new_key("bolt") };
    let reader = stage.another_key(reader).await.key.expose().to_owned();
    let key = stage.key.clone();
    let answers = [
        (200, send(&stage, Method::GET, PRODUCTS, &key).await),
        (200, send(&stage, Method::GET, "/v1/usage", &key).await),
        (200, stage.service.get("/v1/openapi.json").await),
        (201, stage.place_with(&key, "k", ORDER).await),
        (400, send(&stage, Method::GET, "/v1/products?page=x", &key).await),
        (401, send(&stage, Method::GET, PRODUCTS, "nothing").await),
        (403, send(&stage, Method::GET, "/v1/orders", &reader).await),
        (404, send(&stage, Method::GET, "/v1/orders/ord_0", &key).await),
        (404, send(&stage, Method::GET, "/v1/nothing", &key).await),
        (405, send(&stage, Method::DELETE, "/v1/products", &key).await),
    ];
    let expected = [
        Some("@1798761600"),
        Some("Sat, 01 Jan 2028 00:00:00 GMT"),
        Some("<https://partner.shop.example/moving>; rel=\"deprecation\", </v2>; rel=\"successor-version\""),
    ];
    for (status, answer) in answers {
        assert_eq!((answer.status.as_u16(), told(&answer)), (status, expected), "{}", answer.text());
    }
    let tag = stage.get(PRODUCTS).await.header("etag").expect("a tag").to_owned();
    let again = stage.service.client().get(stage.service.url(PRODUCTS)).bearer_auth(&key);
    let again = receive(again.insert_header(("if-none-match", tag)).send()).await;
    assert_eq!((again.status.as_u16(), told(&again)), (304, expected));
    for _ in 0..5 {
        assert_eq!(stage.get_with(PRODUCTS, &reader).await.status, 200);
    }
    let limited = stage.get_with(PRODUCTS, &reader).await;
    assert_eq!((limited.status.as_u16(), told(&limited)), (429, expected));
    stage.disturb("catalog", Rule::status(500));
    let failed = stage.get("/v1/products?size=7").await;
    assert_eq!((failed.status.as_u16(), told(&failed)), (502, expected));
    assert_eq!(told(&stage.service.get("/docs").await), [None; 3], "what is of no version says nothing");
}

/// Shows: P7
#[actix_web::test]
async fn a_version_whose_end_is_not_announced_says_nothing() {
    let stage = Stage::new().await;
    for (path, key, status) in [(PRODUCTS, stage.key.as_str(), 200), (PRODUCTS, "nothing", 401), ("/v1/x", "", 404)] {
        let answer = stage.get_with(path, key).await;
        assert_eq!((answer.status.as_u16(), told(&answer)), (status, [None; 3]), "{path}");
    }
    let versions = stage.get("/v1/usage").await.json()["versions"].clone();
    assert_eq!(versions[0]["version"], "v1");
    assert_eq!((&versions[0]["deprecatedAt"], &versions[0]["sunsetAt"]), (&Value::Null, &Value::Null));
}

/// Shows: P7
#[actix_web::test]
async fn from_its_last_day_on_a_version_answers_410_if_that_was_configured() {
    for gone in ["true", "false"] {
        let mut variables = ANNOUNCED.to_vec();
        variables.push(("BFF_PARTNER__VERSIONS__V1__GONE_AFTER_SUNSET", gone));
        let (clock, hand) = Clock::manual_at(at("2027-12-31T23:59:59Z"));
        let stage = Stage::on(&variables, clock).await;
        assert_eq!(stage.get(PRODUCTS).await.status, 200);
        hand.advance(Duration::from_secs(1));
        let answer = stage.get("/v1/products?size=2").await;
        let asked = stage.sandbox.chaos().calls("catalog").len();
        if gone == "true" {
            assert_eq!((answer.status.as_u16(), &answer.json()["code"], asked), (410, &json!("gone"), 1));
            assert_eq!(answer.header("sunset"), Some("Sat, 01 Jan 2028 00:00:00 GMT"));
        } else {
            assert_eq!((answer.status.as_u16(), asked), (200, 2));
        }
        assert_eq!(stage.service.get("/docs").await.status, 200, "{gone}");
    }
}

async fn own_version(service: &TestService, key: &str) -> Value {
    let answer = receive(service.client().get(service.url("/v1/usage")).bearer_auth(key).send()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["versions"].clone()
}

async fn told_to_operators(service: &TestService) -> Value {
    let url = service.management_url("/admin/versions");
    let answer = receive(service.client().get(url).bearer_auth("dev-only-operator-token").send()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Shows: P7, P5
#[actix_web::test]
async fn who_calls_a_version_is_counted_for_each_partner_and_survives_the_process_in_either_engine() {
    for engine in Engine::BOTH {
        let mut variables = ANNOUNCED.to_vec();
        variables.push(SOON);
        let folder = tempfile::tempdir().expect("a folder");
        let (clock, hand) = Clock::manual_at(at("2027-04-30T12:00:00Z"));
        let stage = Stage::over(engine.address(&folder).await, folder, &variables, clock).await;
        let live = NewKey { environment: KeyEnvironment::Live, ..new_key("acme") };
        let live = stage.another_key(live).await.key.expose().to_owned();
        let bolt = stage.another_key(new_key("bolt")).await.key.expose().to_owned();
        for (calls, key) in [(3, stage.key.as_str()), (2, &live), (1, &bolt)] {
            for _ in 0..calls {
                assert_eq!(stage.get_with(PRODUCTS, key).await.status, 200);
            }
        }
        assert_eq!(stage.get_with(PRODUCTS, "nothing").await.status, 401);
        assert_eq!(stage.service.get("/docs").await.status, 200);
        let caller = |partner: &str, environment: &str, today: u64, month: u64, day: &str| {
            json!({
                "partner": partner, "environment": environment, "callsToday": today, "callsThisMonth": month,
                "lastDay": day
            })
        };
        let all = |callers: &[Value]| {
            json!([{
                "version": "v1", "deprecatedAt": "2027-01-01T00:00:00Z", "sunsetAt": "2028-01-01T00:00:00Z",
                "goneAfterSunset": false, "callers": callers
            }])
        };
        let written = all(&[
            caller("acme", "live", 2, 2, "2027-04-30"),
            caller("acme", "test", 3, 3, "2027-04-30"),
            caller("bolt", "test", 1, 1, "2027-04-30"),
        ]);
        // Another process, as it were, which knows no more than the record; its clock is the system's.
        let other = stage.another_replica(&variables).await;
        let is_written = || async { told_to_operators(&stage.service).await == written };
        assert!(eventually(PATIENCE, is_written).await, "{engine:?} {}", told_to_operators(&stage.service).await);
        let elsewhere = told_to_operators(&other).await;
        let names: Vec<_> = (elsewhere[0]["callers"].as_array().expect("a list").iter())
            .map(|caller| (caller["partner"].clone(), caller["environment"].clone(), caller["lastDay"].clone()))
            .collect();
        let name = |partner, environment| (json!(partner), json!(environment), json!("2027-04-30"));
        assert_eq!(names, [name("acme", "live"), name("acme", "test"), name("bolt", "test")], "{engine:?}");

        // The partner is told of its own, which asking for it adds to.
        let own = own_version(&stage.service, &bolt).await;
        assert_eq!(
            own,
            json!([{
                "version": "v1", "deprecatedAt": "2027-01-01T00:00:00Z", "sunsetAt": "2028-01-01T00:00:00Z",
                "callsToday": 1, "callsThisMonth": 1
            }]),
            "{engine:?}"
        );
        let is_added = || async { told_to_operators(&stage.service).await[0]["callers"][2]["callsToday"] == 2 };
        assert!(eventually(PATIENCE, is_added).await, "{engine:?}");

        hand.advance(Duration::from_secs(24 * 3600));
        assert_eq!(stage.get_with(PRODUCTS, &live).await.status, 200);
        let next = all(&[
            caller("acme", "live", 1, 1, "2027-05-01"),
            caller("acme", "test", 0, 0, "2027-04-30"),
            caller("bolt", "test", 0, 0, "2027-04-30"),
        ]);
        let is_next = || async { told_to_operators(&stage.service).await == next };
        assert!(eventually(PATIENCE, is_next).await, "{engine:?} {}", told_to_operators(&stage.service).await);

        hand.advance(Duration::from_secs(402 * 24 * 3600));
        let is_forgotten = || async { told_to_operators(&stage.service).await == all(&[]) };
        assert!(eventually(PATIENCE, is_forgotten).await, "{engine:?}: who has not called for 400 days");
    }
}

/// Shows: P7
#[actix_web::test]
async fn while_the_record_is_away_calls_are_kept_and_nobody_is_told_a_number_that_is_not_known() {
    let (clock, _) = Clock::manual_at(at("2027-04-30T12:00:00Z"));
    let stage = Stage::on(&[SOON], clock).await;
    let calls_are = async |calls: u64| {
        let told = || async { told_to_operators(&stage.service).await[0]["callers"][0]["callsToday"] == calls };
        assert!(eventually(PATIENCE, told).await, "{}", told_to_operators(&stage.service).await);
    };
    assert_eq!(stage.get(PRODUCTS).await.status, 200);
    calls_are(1).await;

    let (file, elsewhere) = (database(&stage.folder), stage.folder.path().join("elsewhere"));
    std::fs::rename(&file, &elsewhere).expect("the file is there");
    assert_eq!(own_version(&stage.service, &stage.key).await, json!([{ "version": "v1" }]));
    let url = stage.service.management_url("/admin/versions");
    let told = receive(stage.service.client().get(url).bearer_auth("dev-only-operator-token").send()).await;
    assert_eq!((told.status.as_u16(), told.header("retry-after")), (503, Some("1")), "{}", told.text());
    for _ in 0..3 {
        assert_eq!(stage.get(PRODUCTS).await.status, 200);
    }
    std::fs::rename(&elsewhere, &file).expect("the file is there");
    // One before, one that asked for its own, and three.
    calls_are(5).await;
}

/// Shows: P7, S8
#[actix_web::test]
async fn calls_by_version_are_a_metric() {
    let stage = Stage::new().await;
    let key = stage.another_key(new_key("counted-once")).await;
    assert_eq!(stage.get_with(PRODUCTS, key.key.expose()).await.status, 200);
    let metrics = stage.service.get_management("/metrics").await.text();
    let line = (metrics.lines())
        .find(|line| line.starts_with("trifront_partner_version_calls_total") && line.contains("counted-once"));
    let line = line.expect("the call is counted");
    assert!(line.contains("api_version=\"v1\"") && line.contains("environment=\"test\""), "{line}");
}

/// Shows: P3, P7, S9
#[actix_web::test]
async fn a_process_that_ends_in_order_has_written_what_was_used_in_either_engine() {
    let never = ("BFF_PARTNER__LIMITS__RECORD_MS", "60000");
    for engine in Engine::BOTH {
        let stage = Stage::in_engine(engine, &[never]).await;
        for _ in 0..3 {
            assert_eq!(stage.get(PRODUCTS).await.status, 200);
        }
        let next = stage.another_replica(&[never]).await;
        let Stage { service, key, sandbox: _sandbox, folder: _folder, .. } = stage;
        service.drain().await;
        let answer = receive(next.client().get(next.url("/v1/usage")).bearer_auth(&key).send()).await.json();
        assert_eq!(answer["periods"][0]["used"], 3, "{engine:?}");
        assert_eq!(answer["versions"][0]["callsToday"], 3, "{engine:?}");
    }
}
