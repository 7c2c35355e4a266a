//! What a partner may use in a day and a month, and what it is told of it.

use std::time::Duration;

use bff_partner::keys::{KeyEnvironment, NewKey};
use serde_json::{Value, json};
use shared_lib::{
    clock::Clock,
    testing::{Received, RedisServer, TestService, eventually, receive},
};

use crate::harness::{Engine, ORDER, Stage, new_key};

const PRODUCTS: &str = "/v1/products?size=1";
const USAGE: &str = "/v1/usage";

/// Ten a day for one partner, whatever its plan says.
const TEN: [(&str, &str); 3] = [
    ("BFF_PARTNER__PARTNERS__ACME__DAY__UNITS", "10"),
    ("BFF_PARTNER__PARTNERS__ACME__MONTH__UNITS", "1000"),
    ("BFF_PARTNER__LIMITS__RECORD_MS", "20"),
];

async fn usage(service: &TestService, key: &str) -> Value {
    let answer = receive(service.client().get(service.url(USAGE)).bearer_auth(key).send()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn used_today(service: &TestService, key: &str) -> u64 {
    usage(service, key).await["periods"][0]["used"].as_u64().expect("a number")
}

/// Noon of the last day of a month.
fn noon() -> jiff::Timestamp {
    "2027-04-30T12:00:00Z".parse().expect("a time")
}

/// Shows: P3
#[actix_web::test]
async fn a_quota_is_the_partners_in_one_environment_and_begins_again_with_the_day() {
    let (clock, hand) = Clock::manual_at(noon());
    let stage = Stage::on(&TEN, clock).await;
    let second = stage.another_key(new_key("acme")).await;
    let live = stage.another_key(NewKey { environment: KeyEnvironment::Live, ..new_key("acme") }).await;
    let other = stage.another_key(new_key("bolt")).await;
    for _ in 0..4 {
        assert_eq!(stage.get(PRODUCTS).await.status, 200);
    }
    assert_eq!(stage.place_with(second.key.expose(), "k", ORDER).await.status, 201, "an order is five");
    let last = stage.get_with(PRODUCTS, second.key.expose()).await;
    assert!(last.header("ratelimit").is_some_and(|left| left.contains("\"day\";r=0;t=43200")), "{:?}", last.headers);
    for _ in 0..3 {
        let refused = stage.get(PRODUCTS).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["violated-policies"]), (429, &json!(["day"])));
        assert_eq!(refused.header("retry-after"), Some("43200"), "until midnight");
    }
    assert_eq!(stage.get_with(PRODUCTS, live.key.expose()).await.status, 200, "the other environment has its own");
    let unlimited = stage.get_with(PRODUCTS, other.key.expose()).await;
    assert_eq!(unlimited.status, 200);
    assert!(!unlimited.header("ratelimit-policy").expect("a field").contains("day"), "others have their plan");
    hand.advance(Duration::from_secs(43_200));
    assert_eq!(stage.get(PRODUCTS).await.status, 200);
    assert_eq!(usage(&stage.service, &stage.key).await["periods"][1]["used"], 1, "it was the last of the month, too");
}

/// Shows: P3
#[actix_web::test]
async fn usage_says_what_is_used_and_left_and_costs_no_quota() {
    let (clock, _hand) = Clock::manual_at(noon());
    let stage = Stage::on(&TEN, clock).await;
    assert_eq!(stage.get(PRODUCTS).await.status, 200);
    for _ in 0..2 {
        let answer = usage(&stage.service, &stage.key).await;
        assert_eq!(
            (&answer["partner"], &answer["environment"], &answer["plan"]),
            (&json!("acme"), &json!("test"), &json!("gold"))
        );
        let day = json!({
            "period": "day", "beginsAt": "2027-04-30T00:00:00Z", "endsAt": "2027-05-01T00:00:00Z",
            "used": 1, "quota": 10, "remaining": 9
        });
        let month = json!({
            "period": "month", "beginsAt": "2027-04-01T00:00:00Z", "endsAt": "2027-05-01T00:00:00Z",
            "used": 1, "quota": 1000, "remaining": 999
        });
        assert_eq!(answer["periods"], json!([day, month]));
        let names: Vec<_> =
            answer["policies"].as_array().expect("a list").iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, ["burst", "sustained", "day", "month", "concurrency"]);
    }
    let other = stage.another_key(new_key("bolt")).await;
    let answer = usage(&stage.service, other.key.expose()).await;
    assert_eq!((&answer["periods"][0]["used"], &answer["periods"][0]["quota"]), (&json!(0), &Value::Null));
}

/// Shows: P3
#[actix_web::test]
async fn an_answer_that_has_not_changed_costs_no_quota() {
    let stage = Stage::with(&TEN).await;
    let ask = async |tag: Option<&str>| {
        let request = stage.service.client().get(stage.service.url(PRODUCTS)).bearer_auth(&stage.key);
        let request = tag.into_iter().fold(request, |request, tag| request.insert_header(("if-none-match", tag)));
        receive(request.send()).await
    };
    let first = ask(None).await;
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(first.header("cache-control"), Some("private, no-cache"));
    assert!(first.header("ratelimit").is_some_and(|left| left.contains("\"day\";r=9;")), "{:?}", first.headers);
    for _ in 0..20 {
        let again = ask(Some(&tag)).await;
        assert_eq!((again.status.as_u16(), again.header("etag"), again.text().len()), (304, Some(tag.as_str()), 0));
        let left = again.header("ratelimit").expect("a field");
        assert!(left.contains("\"day\";r=9;"), "the call has given back what it cost: {left}");
    }
    assert_eq!(used_today(&stage.service, &stage.key).await, 1);
    assert_eq!(ask(Some("\"other\"")).await.status, 200);
    assert_eq!(used_today(&stage.service, &stage.key).await, 2);
}

/// Shows: P3
#[actix_web::test]
async fn what_was_used_survives_a_restart_and_reaches_other_replicas_in_either_engine() {
    for engine in Engine::BOTH {
        let stage = Stage::in_engine(engine, &TEN).await;
        for _ in 0..6 {
            assert_eq!(stage.get(PRODUCTS).await.status, 200);
        }
        // A process that starts knows no more than the record.
        let written = || async {
            let fresh = stage.another_replica(&TEN).await;
            used_today(&fresh, &stage.key).await == 6
        };
        assert!(eventually(Duration::from_secs(20), written).await, "{engine:?}");
        let other = stage.another_replica(&TEN).await;
        let ask = async |service: &TestService| -> Received {
            receive(service.client().get(service.url(PRODUCTS)).bearer_auth(&stage.key).send()).await
        };
        for _ in 0..4 {
            assert_eq!(ask(&other).await.status, 200, "{engine:?}");
        }
        assert_eq!(ask(&other).await.status, 429, "{engine:?}");
        let is_told = || async { ask(&stage.service).await.status == 429 };
        assert!(eventually(Duration::from_secs(20), is_told).await, "{engine:?}");
    }
}

/// Shows: P3, P4
#[actix_web::test]
async fn with_redis_replicas_hold_a_partner_to_its_quota_at_once_and_a_redis_that_lost_it_goes_on_from_the_record() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let mut variables = TEN.to_vec();
    variables.push(("BFF_PARTNER__REDIS__URL", &url));
    variables.push(("BFF_PARTNER__REDIS__CONNECT_TIMEOUT_MS", "10000"));
    variables.push(("BFF_PARTNER__REDIS__RESPONSE_TIMEOUT_MS", "10000"));
    let stage = Stage::with(&variables).await;
    let other = stage.another_replica(&variables).await;
    let mut admitted = 0;
    for call in 0..30 {
        let service = if call % 2 == 0 { &stage.service } else { &other };
        let answer = receive(service.client().get(service.url(PRODUCTS)).bearer_auth(&stage.key).send()).await;
        admitted += usize::from(answer.status == 200);
    }
    assert_eq!(admitted, 10);
    let written = || async {
        let alone = stage.another_replica(&TEN).await;
        used_today(&alone, &stage.key).await == 10
    };
    assert!(eventually(Duration::from_secs(20), written).await);
    redis.ask::<()>(&["FLUSHALL"]).await;
    let fresh = stage.another_replica(&variables).await;
    let answer = receive(fresh.client().get(fresh.url(PRODUCTS)).bearer_auth(&stage.key).send()).await;
    assert_eq!(answer.status, 429);
}

/// Shows: P3
#[actix_web::test]
async fn a_quota_in_shadow_refuses_nobody_and_nobody_is_told() {
    let mut variables = TEN.to_vec();
    variables.push(("BFF_PARTNER__PARTNERS__ACME__DAY__SHADOW", "true"));
    let stage = Stage::with(&variables).await;
    for _ in 0..12 {
        let answer = stage.get(PRODUCTS).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.header("ratelimit-policy").expect("a field").contains("day"));
    }
    let metrics = stage.service.get_management("/metrics").await.text();
    let counted = |line: &str| {
        line.starts_with("trifront_rate_limit_refusals_total")
            && line.contains("policy=\"day\"")
            && line.contains("shadow=\"true\"")
    };
    assert!(metrics.lines().any(counted), "{metrics}");
}
