//! Orders that are placed again under the same key.

use std::time::Duration;

use bff_partner::keys::{KeyEnvironment, NewKey};
use futures_util::join;
use sandbox::chaos::{BarrierRule, Fault, Rule};
use serde_json::json;
use shared_lib::{clock::Clock, testing::receive};

use crate::harness::{BY, Engine, ORDER, Stage, ids, new_key, place};

const OTHER: &str = r#"{"lines":[{"productId":"SKU-00001","quantity":3}]}"#;

/// Shows: P6
#[actix_web::test]
async fn a_repetition_gets_the_first_answer_also_after_a_restart() {
    for engine in Engine::BOTH {
        repeat_before_and_after_a_restart(Stage::in_engine(engine, &[]).await).await;
    }
}

async fn repeat_before_and_after_a_restart(mut stage: Stage) {
    let first = stage.place_with(&stage.key, "k-1", ORDER).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, None));
    let again = stage.place_with(&stage.key, "\"k-1\"", ORDER).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!((&again.body, again.header("location")), (&first.body, first.header("location")));

    let restarted = stage.another_replica(&[]).await;
    std::mem::replace(&mut stage.service, restarted).drain().await;
    let later = stage.place_with(&stage.key, "k-1", ORDER).await;
    assert_eq!((later.header("idempotency-replayed"), &later.body), (Some("true"), &first.body));
    assert_eq!(stage.sandbox.chaos().calls("orders").len(), 1);
}

/// Shows: P6
#[actix_web::test]
async fn another_body_is_refused_and_another_partner_is_not_concerned() {
    let stage = Stage::new().await;
    let bolt = stage.another_key(new_key("bolt")).await;
    assert_eq!(stage.place_with(&stage.key, "k-1", ORDER).await.status, 201);
    let refused = stage.place_with(&stage.key, "k-1", OTHER).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (422, &json!("idempotency-key-reused")));
    let bolts = stage.place_with(bolt.key.expose(), "k-1", OTHER).await;
    assert_eq!((bolts.status.as_u16(), bolts.header("idempotency-replayed")), (201, None));
}

/// Shows: P6
#[actix_web::test]
async fn a_name_is_the_partners_in_one_environment_whichever_of_its_keys_calls() {
    let stage = Stage::new().await;
    let live = stage.another_key(NewKey { environment: KeyEnvironment::Live, ..new_key("acme") }).await;
    let first = stage.place_with(&stage.key, "k-1", ORDER).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, None));
    let shipped = stage.place_with(live.key.expose(), "k-1", OTHER).await;
    assert_eq!((shipped.status.as_u16(), shipped.header("idempotency-replayed")), (201, None), "another environment");
    // The key is replaced while nobody knows what became of the call.
    let keys = stage.admin.store().list(Some("acme")).await.expect("the store is there");
    let key = keys.iter().find(|key| key.environment == KeyEnvironment::Test).expect("the first one");
    let successor = stage.admin.rotate(&key.id, Duration::ZERO, BY).await.expect("a successor");
    assert_eq!(stage.place_with(&stage.key, "k-1", ORDER).await.status, 401);
    let again = stage.place_with(successor.key.expose(), "k-1", ORDER).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, Some("true")), "{}", again.text());
    assert_eq!(again.body, first.body);
}

/// Shows: P6
#[actix_web::test]
async fn an_operation_is_remembered_for_a_day() {
    for engine in Engine::BOTH {
        let folder = tempfile::tempdir().expect("a folder");
        let address = engine.address(&folder).await;
        let (clock, hand) = Clock::manual_at(Clock::system().wall());
        let stage = Stage::over(address, folder, &[], clock).await;
        let first = stage.place_with(&stage.key, "k-1", ORDER).await;
        assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, None));
        hand.advance(Duration::from_secs(24 * 3600 - 1));
        let again = stage.place_with(&stage.key, "k-1", ORDER).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{engine:?}");
        assert_eq!(again.body, first.body, "{engine:?}");
        hand.advance(Duration::from_secs(2));
        let later = stage.place_with(&stage.key, "k-1", ORDER).await;
        assert_eq!((later.status.as_u16(), later.header("idempotency-replayed")), (201, None), "{engine:?}");
        assert_eq!(stage.sandbox.chaos().calls("orders").len(), 2, "{engine:?}: it is a call like any other");
        assert_eq!(later.json()["id"], first.json()["id"], "{engine:?}: the service knows its key for longer");
    }
}

/// Shows: P6
#[actix_web::test]
async fn of_many_at_once_on_two_replicas_one_is_placed() {
    for engine in Engine::BOTH {
        let stage = Stage::in_engine(engine, &[]).await;
        let other = stage.another_replica(&[]).await;
        let here = || stage.place_with(&stage.key, "k-1", ORDER);
        let there = || place(&other, &stage.key, "k-1", ORDER);
        let answers: [_; 6] = join!(here(), there(), here(), there(), here(), there()).into();
        for answer in &answers {
            assert!(matches!(answer.status.as_u16(), 201 | 409), "{engine:?} {}", answer.text());
        }
        assert!(answers.iter().any(|answer| answer.status == 201), "{engine:?}");
        assert_eq!(stage.sandbox.chaos().calls("orders").len(), 1, "{engine:?}");
        let later = place(&other, &stage.key, "k-1", ORDER).await;
        assert_eq!((later.status.as_u16(), later.header("idempotency-replayed")), (201, Some("true")), "{engine:?}");
    }
}

/// Shows: P6
#[actix_web::test]
async fn who_comes_while_it_is_placed_is_told_to_wait() {
    let stage = Stage::new().await;
    // The orders service answers when a second call has come to it: that of the list below.
    let barrier = BarrierRule { name: "placing".to_owned(), parties: 2 };
    stage.disturb("orders", Rule { barrier: Some(barrier), ..Rule::default() });
    let first = stage.place_with(&stage.key, "k-1", ORDER);
    let second = async {
        let arrived = || async { !stage.sandbox.chaos().calls("orders").is_empty() };
        assert!(shared_lib::testing::eventually(Duration::from_secs(10), arrived).await);
        let refused = stage.place_with(&stage.key, "k-1", ORDER).await;
        assert_eq!(stage.get("/v1/orders").await.status, 200);
        refused
    };
    let (first, second) = join!(first, second);
    assert_eq!(first.status, 201);
    assert_eq!((second.status.as_u16(), &second.json()["code"]), (409, &json!("idempotency-in-flight")));
    assert_eq!(second.header("retry-after"), Some("1"));
}

/// Shows: P6
#[actix_web::test]
async fn an_order_whose_answer_was_lost_on_the_way_to_us_is_placed_once() {
    let stage = Stage::with(&[("BFF_PARTNER__DOWNSTREAMS__ORDERS__RETRY__MAX_ATTEMPTS", "1")]).await;
    let before = ids(&stage.get("/v1/orders?size=1").await.json());
    stage.disturb("orders", Rule::fault(Fault::ResetMidBody));
    assert_eq!(stage.place_with(&stage.key, "k-1", ORDER).await.status, 502);
    stage.sandbox.chaos().clear();
    let again = stage.place_with(&stage.key, "k-1", ORDER).await;
    assert_eq!(again.status, 201);
    let now = ids(&stage.get("/v1/orders?size=2").await.json());
    assert_eq!((now[0].as_str(), &now[1]), (again.json()["id"].as_str().expect("an id"), &before[0]));
}

#[actix_web::test]
async fn without_the_record_of_operations_nothing_is_placed() {
    let stage = Stage::new().await;
    let address = format!("sqlite://{}", crate::harness::database(&stage.folder).display());
    let saboteur = sqlx::SqlitePool::connect(&address).await.expect("the store opens");
    sqlx::query("ALTER TABLE operations RENAME TO put_aside").execute(&saboteur).await.expect("the table is there");
    let refused = stage.place_with(&stage.key, "k-1", ORDER).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (503, &json!("idempotency-unavailable")));
    assert!(stage.sandbox.chaos().calls("orders").is_empty());
}

/// Shows: S13
#[actix_web::test]
async fn an_order_is_shown_and_cancelled_by_its_owner_alone() {
    let stage = Stage::new().await;
    let bolt = stage.another_key(new_key("bolt")).await;
    let placed = stage.place_with(&stage.key, "k-1", ORDER).await;
    let path = placed.header("location").expect("an address").to_owned();
    assert_eq!(stage.get(&path).await.json(), placed.json());
    assert_eq!(stage.get_with(&path, bolt.key.expose()).await.status, 404);
    let cancel = |key: String| {
        let url = stage.service.url(&format!("{path}/cancel"));
        receive(stage.service.client().post(url).bearer_auth(key).send())
    };
    assert_eq!(cancel(bolt.key.expose().to_owned()).await.status, 404);
    for _ in 0..2 {
        let cancelled = cancel(stage.key.clone()).await;
        assert_eq!((cancelled.status.as_u16(), &cancelled.json()["status"]), (200, &json!("CANCELLED")));
    }
    let delivered = stage.get("/v1/orders?size=100").await.json();
    let delivered =
        delivered["content"].as_array().and_then(|orders| orders.iter().find(|o| o["status"] == "DELIVERED"));
    let id = delivered.and_then(|order| order["id"].as_str()).expect("one was delivered");
    let url = stage.service.url(&format!("/v1/orders/{id}/cancel"));
    let late = receive(stage.service.client().post(url).bearer_auth(&stage.key).send()).await;
    assert_eq!((late.status.as_u16(), &late.json()["code"]), (409, &json!("order-not-cancellable")));
    assert_eq!(stage.get("/v1/orders/..%2F..%2Fusers").await.status, 404);
    assert!(stage.sandbox.chaos().calls("orders").iter().all(|call| !call.path.contains("users")));
}
