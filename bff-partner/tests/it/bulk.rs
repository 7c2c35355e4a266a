//! Several orders in one call.

use std::{collections::BTreeSet, time::Duration};

use bff_partner::keys::NewKey;
use futures_util::join;
use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};
use shared_lib::{
    clock::Clock,
    testing::{Received, TestService, eventually, receive},
};

use crate::harness::{Engine, ORDER, Stage, ids, new_key};

/// Limits that only the weight of calls meets, and no time brings back.
const TIGHT: [(&str, &str); 6] = [
    ("BFF_PARTNER__PLANS__GOLD__BURST__QUOTA", "40"),
    ("BFF_PARTNER__PLANS__GOLD__BURST__WINDOW_S", "86400"),
    ("BFF_PARTNER__PLANS__GOLD__BURST__AT_ONCE", "40"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__QUOTA", "60"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__WINDOW_S", "86400"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__AT_ONCE", "60"),
];

fn order(key: &str, quantity: u32) -> Value {
    json!({"idempotencyKey": key, "lines": [{"productId": "SKU-00001", "quantity": quantity}]})
}

fn orders(keys: &[&str]) -> Value {
    json!({"orders": keys.iter().map(|key| order(key, 2)).collect::<Vec<_>>()})
}

/// Places several orders at this replica.
pub async fn place_all(service: &TestService, key: &str, body: &Value) -> Received {
    receive(service.client().post(service.url("/v1/orders/bulk")).bearer_auth(key).send_json(body)).await
}

async fn bulk(stage: &Stage, body: &Value) -> Received {
    place_all(&stage.service, &stage.key, body).await
}

/// Status, whether it was replayed, and the code of the problem, of each result.
fn outcomes(answer: &Received) -> Vec<(u64, bool, Option<String>)> {
    let body = answer.json();
    let results = body["results"].as_array().unwrap_or_else(|| panic!("{body}"));
    for (at, result) in results.iter().enumerate() {
        assert_eq!(result["index"], at, "in the order of the request");
        assert_eq!(result["order"].is_object(), result["status"] == 201, "{result}");
        assert_eq!(
            result["problem"]["status"],
            if result["status"] == 201 { Value::Null } else { result["status"].clone() }
        );
    }
    let of = |result: &Value| {
        let code = result["problem"]["code"].as_str().map(ToOwned::to_owned);
        (result["status"].as_u64().expect("a status"), result["replayed"] == true, code)
    };
    let outcomes: Vec<_> = results.iter().map(of).collect();
    let succeeded = outcomes.iter().filter(|(status, ..)| *status == 201).count();
    assert_eq!((&body["succeeded"], &body["failed"]), (&json!(succeeded), &json!(outcomes.len() - succeeded)));
    outcomes
}

fn placed() -> (u64, bool, Option<String>) {
    (201, false, None)
}

fn replayed() -> (u64, bool, Option<String>) {
    (201, true, None)
}

fn refused(status: u64, code: &str) -> (u64, bool, Option<String>) {
    (status, false, Some(code.to_owned()))
}

async fn count(stage: &Stage) -> u64 {
    stage.get("/v1/orders?size=1").await.json()["totalElements"].as_u64().expect("a number")
}

/// Shows: P6
#[actix_web::test]
async fn each_order_is_placed_or_refused_for_itself_and_told_as_if_it_had_come_alone() {
    let stage = Stage::new().await;
    let before = count(&stage).await;
    let single = stage.place_with(&stage.key, "alone", r#"{"lines":[{"productId":"","quantity":0}]}"#).await;
    let body = json!({"orders": [
        order("a", 1),
        {"idempotencyKey": "b", "lines": [{"productId": "", "quantity": 0}]},
        {"idempotencyKey": "c", "lines": [{"productId": "SKU-99999", "quantity": 1}]},
        {"idempotencyKey": "d", "lines": [{"productId": "SKU-00001", "quantity": 1}], "discount": 100},
        {"lines": [{"productId": "SKU-00001", "quantity": 1}]},
        {"idempotencyKey": "", "lines": [{"productId": "SKU-00001", "quantity": 1}]},
        order("\"a\"", 1),
        order("e", 3),
        "order",
    ]});
    let answer = bulk(&stage, &body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        outcomes(&answer),
        [
            placed(),
            refused(400, "validation-failed"),
            refused(422, "order-not-accepted"),
            refused(400, "malformed-body"),
            refused(400, "idempotency-key-missing"),
            refused(400, "idempotency-key-invalid"),
            refused(400, "idempotency-key-repeated"),
            placed(),
            refused(400, "malformed-body"),
        ]
    );
    assert_eq!(count(&stage).await, before + 2);
    let (mut alone, mut within) = (single.json(), answer.json()["results"][1]["problem"].clone());
    assert_eq!(within["requestId"].as_str(), answer.header("x-request-id"), "support finds it");
    for problem in [&mut alone, &mut within] {
        problem["requestId"] = Value::Null;
    }
    assert_eq!(within, alone, "the problem is that of the single call");
    insta::assert_json_snapshot!("orders_in_bulk", answer.json(), {
        ".results[].order.placedAt" => "[time]",
        ".results[].problem.requestId" => "[request id]",
    });
    let location = answer.json()["results"][0]["location"].as_str().expect("an address").to_owned();
    assert_eq!(stage.get(&location).await.json(), answer.json()["results"][0]["order"]);
}

/// Shows: P6
#[actix_web::test]
async fn a_key_means_the_same_order_wherever_it_is_placed_and_however_the_body_is_written() {
    for engine in Engine::BOTH {
        let stage = Stage::in_engine(engine, &[]).await;
        let alone = stage.place_with(&stage.key, "k-1", ORDER).await;
        let answer = bulk(&stage, &json!({"orders": [order("k-1", 2), order("k-2", 2)]})).await;
        assert_eq!(outcomes(&answer), [replayed(), placed()], "{engine:?}");
        assert_eq!(answer.json()["results"][0]["order"], alone.json(), "{engine:?}");

        let spaced = r#"{ "lines": [ { "quantity": 2, "productId": "SKU-00001" } ] }"#;
        let again = stage.place_with(&stage.key, "k-2", spaced).await;
        assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, Some("true")), "{engine:?}");
        assert_eq!(again.json(), answer.json()["results"][1]["order"], "{engine:?}");
        assert_eq!(again.header("location"), answer.json()["results"][1]["location"].as_str());

        let other = stage.another_replica(&[]).await;
        let body = json!({"orders": [order("k-2", 2), order("k-1", 3), order("k-3", 1)]});
        let answer = place_all(&other, &stage.key, &body).await;
        let expected = [replayed(), refused(422, "idempotency-key-reused"), placed()];
        assert_eq!(outcomes(&answer), expected, "{engine:?}");
        assert_eq!(stage.sandbox.chaos().calls("orders").len(), 3, "{engine:?}");
        let bolt = stage.another_key(new_key("bolt")).await;
        let bolts = place_all(&other, bolt.key.expose(), &orders(&["k-1"])).await;
        assert_eq!(outcomes(&bolts), [placed()], "another partner is not concerned");
    }
}

/// Shows: P6
#[actix_web::test]
async fn an_order_that_is_under_way_is_told_to_wait_and_the_others_do_not() {
    let stage = Stage::new().await;
    // The first order is answered when a third call has come to the orders service: that of the list below.
    stage.disturb("orders", Rule::barrier("placing", 3).times(3));
    let first = stage.place_with(&stage.key, "k-1", ORDER);
    let both = json!({"orders": [order("k-1", 2), order("k-2", 2)]});
    let second = async {
        let arrived = || async { !stage.sandbox.chaos().calls("orders").is_empty() };
        assert!(eventually(Duration::from_secs(10), arrived).await);
        let (answer, list) = join!(bulk(&stage, &both), stage.get("/v1/orders"));
        assert_eq!(list.status, 200);
        answer
    };
    let (first, answer) = join!(first, second);
    assert_eq!(first.status, 201);
    assert_eq!(outcomes(&answer), [refused(409, "idempotency-in-flight"), placed()]);
    assert_eq!(answer.json()["results"][0]["retryAfterSeconds"], 1);
}

/// Shows: P6
#[actix_web::test]
async fn what_a_service_fails_at_is_told_of_these_orders_alone_and_placed_when_the_call_is_repeated() {
    let stage = Stage::with(&[("BFF_PARTNER__DOWNSTREAMS__ORDERS__RETRY__MAX_ATTEMPTS", "1")]).await;
    let before = count(&stage).await;
    stage.disturb("orders", Rule::fault(Fault::ResetMidBody).times(2));
    let body = orders(&["a", "b", "c", "d", "e", "f", "g", "h"]);
    let answer = bulk(&stage, &body).await;
    assert_eq!(answer.status, 200);
    let first = outcomes(&answer);
    assert_eq!(first.iter().filter(|outcome| **outcome == placed()).count(), 6, "{first:?}");
    let lost = refused(502, "downstream-error");
    assert_eq!(first.iter().filter(|outcome| **outcome == lost).count(), 2, "{first:?}");
    let again = bulk(&stage, &body).await;
    for (before, now) in first.iter().zip(outcomes(&again)) {
        assert_eq!(now, if *before == placed() { replayed() } else { placed() });
    }
    assert_eq!(count(&stage).await, before + 8, "each is placed once");
}

/// Shows: P6, S3
#[actix_web::test]
async fn all_orders_of_a_call_share_one_deadline_and_the_places_that_one_call_has() {
    let stage = Stage::with(&[("BFF_PARTNER__SERVER__REQUEST_TIMEOUT_MS", "1500")]).await;
    // Five at a time: these never get an answer, so the others find no time left.
    stage.disturb("orders", Rule::fault(Fault::Hang));
    let keys: Vec<String> = (0..20).map(|number| format!("k-{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let answer = bulk(&stage, &orders(&keys)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let outcomes = outcomes(&answer);
    let (begun, others) = outcomes.split_at(5);
    // Who was begun is told that the time is over, or, where the store is too slow to take the claim back in the grace, that
    // nobody knows yet.
    let late = [refused(504, "downstream-timeout"), refused(503, "idempotency-unavailable")];
    assert!(begun.iter().all(|outcome| late.contains(outcome)), "{begun:?}");
    assert_eq!(others, vec![refused(504, "downstream-timeout"); 15]);
    let asked: BTreeSet<String> =
        stage.sandbox.chaos().calls("orders").iter().map(|call| call.headers["idempotency-key"].clone()).collect();
    assert_eq!(asked.len(), 5, "and nothing more is sent when the time is over");
}

/// Shows: P3
#[actix_web::test]
async fn a_call_is_charged_for_its_orders_one_by_one_before_any_is_placed() {
    let (clock, _hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(&TIGHT, clock).await;
    let left = |answer: &Received| {
        let text = answer.header("ratelimit").expect("what is left").to_owned();
        let units = |name: &str| {
            let rest = text.split(&format!("\"{name}\";r=")).nth(1).expect("the policy").to_owned();
            rest.split([';', ',']).next().expect("a number").parse::<u32>().expect("a number")
        };
        (units("burst"), units("sustained"), units("concurrency"))
    };
    let first = bulk(&stage, &orders(&["a", "b", "c"])).await;
    assert_eq!((first.status.as_u16(), left(&first)), (200, (25, 45, 99)));
    let second = bulk(&stage, &orders(&["a", "d"])).await;
    assert_eq!(
        (outcomes(&second), left(&second)),
        (vec![replayed(), placed()], (15, 35, 99)),
        "a replay weighs as much"
    );

    let asked = stage.sandbox.chaos().calls("orders").len();
    let refused = bulk(&stage, &orders(&["e", "f", "g", "h"])).await;
    assert_eq!((refused.status.as_u16(), left(&refused)), (429, (15, 35, 99)));
    assert_eq!(refused.json()["violated-policies"], json!(["burst"]));
    assert!(refused.header("retry-after").is_some());
    let values = refused.headers.iter().filter(|(name, _)| name.as_str() == "ratelimit").count();
    assert_eq!(values, 1, "it is said once");
    assert_eq!(stage.sandbox.chaos().calls("orders").len(), asked, "none of them was placed");
    let again = bulk(&stage, &orders(&["e", "f", "g", "h"])).await;
    assert_eq!((again.status.as_u16(), left(&again)), (429, (15, 35, 99)), "a refused call costs nothing");

    let fits = bulk(&stage, &orders(&["e", "f"])).await;
    assert_eq!((outcomes(&fits), left(&fits)), (vec![placed(), placed()], (5, 25, 99)));
    let malformed = bulk(&stage, &json!({"orders": []})).await;
    assert_eq!((malformed.status.as_u16(), left(&malformed)), (400, (0, 20, 99)), "what cannot be read weighs as one");
    assert_eq!(bulk(&stage, &json!({"orders": []})).await.status, 429);
}

/// Shows: P3
#[actix_web::test]
async fn what_a_plan_never_admits_at_once_is_said_and_not_put_off() {
    let stage = Stage::new().await;
    let free = stage.another_key(NewKey { plan: "free".to_owned(), ..new_key("acme") }).await;
    let refused = place_all(&stage.service, free.key.expose(), &orders(&["a", "b", "c"])).await;
    let mut body = refused.json();
    body["requestId"] = Value::Null;
    assert_eq!(
        (refused.status.as_u16(), body),
        (
            422,
            json!({
                "type": "urn:trifront:problem:too-heavy-for-plan",
                "title": "The call weighs more than the plan ever admits at once",
                "status": 422,
                "code": "too-heavy-for-plan",
                "units": 15,
                "maxUnits": 10,
                "requestId": null,
            })
        )
    );
    assert!(refused.header("ratelimit").is_some_and(|left| left.starts_with("\"burst\";r=5;")), "it weighs as one");
    assert_eq!(refused.header("retry-after"), None);
    assert!(stage.sandbox.chaos().calls("orders").is_empty());
    assert_eq!(place_all(&stage.service, free.key.expose(), &orders(&["a"])).await.status, 200);
}

/// Shows: P3, P4
#[actix_web::test]
async fn while_redis_is_away_a_call_that_is_heavier_than_the_part_of_a_replica_is_put_off() {
    let away = [("BFF_PARTNER__REDIS__URL", "redis://127.0.0.1:1/0"), ("BFF_PARTNER__LIMITS__REPLICAS", "10")];
    let (clock, _hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(&away, clock).await;
    // A tenth of the hundred units that the plan admits at once.
    let refused = bulk(&stage, &orders(&["a", "b", "c"])).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["violated-policies"]), (429, &json!(["burst"])));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(stage.sandbox.chaos().calls("orders").is_empty());
    assert_eq!(outcomes(&bulk(&stage, &orders(&["a", "b"])).await), [placed(), placed()], "it has cost nothing");
}

/// Shows: P3
#[actix_web::test]
async fn a_call_takes_one_place_among_those_at_the_same_time() {
    let stage = Stage::with(&[("BFF_PARTNER__PLANS__GOLD__CONCURRENCY", "1")]).await;
    let other = stage.another_key(new_key("bolt")).await;
    stage.disturb("orders", Rule::barrier("together", 3).times(3));
    let both = json!({"orders": [order("a", 1), order("b", 1)]});
    let first = bulk(&stage, &both);
    let second = async {
        let arrived = || async { stage.sandbox.chaos().calls("orders").len() == 2 };
        assert!(eventually(Duration::from_secs(10), arrived).await);
        let refused = bulk(&stage, &orders(&["c"])).await;
        assert_eq!(stage.get_with("/v1/orders", other.key.expose()).await.status, 200);
        refused
    };
    let (first, refused) = join!(first, second);
    assert_eq!(outcomes(&first), [placed(), placed()]);
    assert_eq!((refused.status.as_u16(), &refused.json()["violated-policies"]), (429, &json!(["concurrency"])));
    assert_eq!(bulk(&stage, &orders(&["c"])).await.status, 200);
}

#[actix_web::test]
async fn a_call_that_cannot_be_read_at_all_is_refused_as_a_whole() {
    let stage = Stage::new().await;
    let twenty_one: Vec<Value> = (0..21).map(|number| order(&number.to_string(), 1)).collect();
    for (body, status, code) in [
        ("{".to_owned(), 400, "malformed-body"),
        (r#"{"orders":{}}"#.to_owned(), 400, "malformed-body"),
        (r#"{"orders":[],"dryRun":true}"#.to_owned(), 400, "malformed-body"),
        (r#"{"orders":[]}"#.to_owned(), 400, "validation-failed"),
        (json!({"orders": twenty_one}).to_string(), 400, "validation-failed"),
        (format!(r#"{{"orders":["{}"]}}"#, "x".repeat(300_000)), 413, "payload-too-large"),
    ] {
        let request = stage.service.client().post(stage.service.url("/v1/orders/bulk")).bearer_auth(&stage.key);
        let refused = receive(request.content_type("application/json").send_body(body)).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (status, &json!(code)));
        assert!(refused.header("ratelimit").is_some(), "errors say what is left, too");
    }
    let form = stage.service.client().post(stage.service.url("/v1/orders/bulk")).bearer_auth(&stage.key);
    assert_eq!(receive(form.send_form(&[("orders", "")])).await.status, 415);
    let reader = stage.another_key(NewKey { scopes: vec!["orders:read".to_owned()], ..new_key("acme") }).await;
    assert_eq!(place_all(&stage.service, reader.key.expose(), &orders(&["a"])).await.status, 403);
    assert!(stage.sandbox.chaos().calls("orders").is_empty());
    let listed = stage.get("/v1/orders?size=1").await.json();
    assert_eq!(ids(&listed).len(), 1);
}

/// Shows: P6
#[actix_web::test]
async fn orders_whose_record_cannot_be_asked_are_told_so_within_the_deadline() {
    let stage = Stage::with(&[("BFF_PARTNER__SERVER__REQUEST_TIMEOUT_MS", "1000")]).await;
    let address = format!("sqlite://{}", crate::harness::database(&stage.folder).display());
    let saboteur = sqlx::SqlitePool::connect(&address).await.expect("the store opens");
    // The place of the key is known; from here on nobody can write.
    assert_eq!(stage.get("/v1/usage").await.status, 200);
    let mut lock = saboteur.acquire().await.expect("a connection");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *lock).await.expect("nobody writes");
    let answer = bulk(&stage, &orders(&["a", "b"])).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let unknown = refused(503, "idempotency-unavailable");
    assert_eq!(outcomes(&answer), [unknown.clone(), unknown]);
    assert_eq!(answer.json()["results"][0]["retryAfterSeconds"], 1);
    sqlx::query("ROLLBACK").execute(&mut *lock).await.expect("it was begun");
    assert!(stage.sandbox.chaos().calls("orders").is_empty());
}
