//! The stores over SQLite and over a real PostgreSQL: the same promises on both.

use std::{sync::Arc, time::Duration};

use bff_partner::{
    database::Database,
    keys::{KeyAdmin, KeyEnvironment, KeyState, KeyStore, NewKey, StoreError},
    operations::OperationStore,
};
use futures_util::future::join_all;
use shared_lib::{
    clock::Clock,
    idempotency::{Begun, Claim, Fingerprint, IdempotencyKey, IdempotencyStore, KeptAnswer, Lease, Scope},
    settings::Secret,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::harness::{BY, Engine, admin_over, new_key};

async fn open(engine: Engine) -> (TempDir, String, Database) {
    let folder = tempfile::tempdir().expect("a folder");
    let address = engine.address(&folder).await;
    let database = Database::open(&Secret::from(address.as_str())).await.expect("the database opens");
    (folder, address, database)
}

async fn admin(engine: Engine) -> (TempDir, KeyAdmin) {
    let (folder, address, _) = open(engine).await;
    (folder, admin_over(&Secret::from(address), Clock::system()).await)
}

/// Shows: P1
#[actix_web::test]
async fn a_key_comes_back_from_either_engine_as_it_was_stored() {
    for engine in Engine::BOTH {
        let (_folder, admin) = admin(engine).await;
        let networks = ["203.0.113.0/24", "2001:db8::/32"].map(|text| text.parse().expect("a network")).to_vec();
        let expires_in = Some(Duration::from_secs(60));
        let new = NewKey { environment: KeyEnvironment::Live, networks, expires_in, ..new_key("acme") };
        let created = admin.create(new, BY).await.expect("a key").record;
        let found = admin.store().find(&created.id).await.expect("the store is there").expect("the key is there");
        assert_eq!(
            (&found.id, &found.partner, found.environment, &found.plan, &found.scopes, &found.networks),
            (&created.id, &created.partner, created.environment, &created.plan, &created.scopes, &created.networks),
            "{engine:?}"
        );
        assert!(found.secret_hash.is(&created.secret_hash), "{engine:?}");
        let millis = |time: jiff::Timestamp| time.as_millisecond();
        assert_eq!(millis(found.created_at), millis(created.created_at), "{engine:?}");
        assert_eq!(found.expires_at.map(millis), created.expires_at.map(millis), "{engine:?}");
        assert_eq!((found.revoked_at, found.replaced_by), (None, None), "{engine:?}");
        assert!(admin.store().find("nothing").await.expect("the store is there").is_none(), "{engine:?}");
    }
}

/// Shows: P1
#[actix_web::test]
async fn keys_are_listed_replaced_and_ended_alike_in_either_engine() {
    for engine in Engine::BOTH {
        let (_folder, admin) = admin(engine).await;
        let store: &KeyStore = admin.store();
        let first = admin.create(new_key("acme"), BY).await.expect("a key").record.id;
        let second = admin.create(new_key("bolt"), BY).await.expect("a key").record.id;
        let ids = async |partner: Option<&str>| -> Vec<String> {
            store.list(partner).await.expect("the store is there").into_iter().map(|key| key.id).collect()
        };
        assert_eq!(ids(None).await, [first.clone(), second.clone()], "{engine:?}");
        assert_eq!(ids(Some("bolt")).await, std::slice::from_ref(&second), "{engine:?}");
        assert!(ids(Some("nobody")).await.is_empty(), "{engine:?}");

        let successor = admin.rotate(&first, Duration::from_secs(60), BY).await.expect("a successor").record.id;
        let again = admin.rotate(&first, Duration::from_secs(60), BY).await;
        assert!(again.is_err(), "{engine:?}: a key is replaced once");
        assert!(admin.revoke(&first, BY).await.expect("the key is there"), "{engine:?}");
        assert!(!admin.revoke(&first, BY).await.expect("the key is there"), "{engine:?}: it had ended");
        let old = store.find(&first).await.expect("the store is there").expect("the key is there");
        assert_eq!((old.state(Clock::system().wall()), old.replaced_by), (KeyState::Revoked, Some(successor)));
        let actions: Vec<_> =
            store.audit(&first).await.expect("the store is there").into_iter().map(|entry| entry.action).collect();
        assert_eq!(actions, ["created", "rotated", "revoked"], "{engine:?}");
        let unknown = store.revoke("nothing", Clock::system().wall(), BY).await;
        assert!(matches!(unknown, Err(StoreError::Unknown)), "{engine:?}");
    }
}

/// Shows: P6
#[actix_web::test]
async fn of_many_claims_at_once_one_holds_in_either_engine() {
    for engine in Engine::BOTH {
        let (_folder, address, _) = open(engine).await;
        // Two processes, as it were.
        let mut stores = Vec::new();
        for _ in 0..2 {
            let database = Database::open(&Secret::from(address.as_str())).await.expect("the database opens");
            stores.push(OperationStore::new(database));
        }
        let now = Clock::system().wall();
        for round in 0..10 {
            let claims = (0..16).map(|at| stores[at % 2].begin(claim(&format!("k-{round}"), b"body", now)));
            let outcomes: Vec<_> =
                join_all(claims).await.into_iter().map(|outcome| outcome.expect("it answers")).collect();
            let held = outcomes.iter().filter(|outcome| **outcome == Begun::Claimed).count();
            let waiting = outcomes.iter().filter(|outcome| matches!(outcome, Begun::InFlight { .. })).count();
            assert_eq!((held, waiting), (1, 15), "{engine:?}");
        }
    }
}

/// Shows: P6
#[actix_web::test]
async fn a_claim_is_kept_given_up_taken_over_and_forgotten_alike_in_either_engine() {
    for engine in Engine::BOTH {
        let (_folder, _, database) = open(engine).await;
        let store: Arc<dyn IdempotencyStore> = Arc::new(OperationStore::new(database));
        let now = Clock::system().wall();
        let first = claim("k", b"body", now);
        let begin = async |claim: Claim| store.begin(claim).await.expect("it answers");
        assert_eq!(begin(first).await, Begun::Claimed, "{engine:?}");
        assert_eq!(begin(claim("k", b"other", now)).await, Begun::OtherBody, "{engine:?}");
        store.release(first.scope, first.lease).await.expect("it answers");

        let second = claim("k", b"body", now);
        assert_eq!(begin(second).await, Begun::Claimed, "{engine:?}: it was given up");
        let lapsed = claim("k", b"body", second.lease_ends);
        assert_eq!(begin(claim("k", b"other", second.lease_ends)).await, Begun::OtherBody, "{engine:?}");
        assert_eq!(begin(lapsed).await, Begun::Claimed, "{engine:?}: the lease is over");
        let answer = |body: &str| KeptAnswer { status: 201, location: None, body: body.to_owned() };
        store.complete(second.scope, second.lease, &answer("late")).await.expect("it answers");
        let waiting = Begun::InFlight { until: lapsed.lease_ends };
        assert_eq!(begin(claim("k", b"body", second.lease_ends)).await, waiting, "{engine:?}: whose lease is over");
        store.complete(lapsed.scope, lapsed.lease, &answer("done")).await.expect("it answers");
        store.release(lapsed.scope, lapsed.lease).await.expect("it answers");
        let done = Begun::Done(answer("done"));
        assert_eq!(begin(claim("k", b"body", lapsed.lease_ends)).await, done, "{engine:?}");
        assert_eq!(begin(claim("k", b"other", lapsed.forget_at)).await, Begun::Claimed, "{engine:?}: forgotten");
    }
}

/// A claim of a minute on an operation that is forgotten after an hour. Times are whole milliseconds, as they are kept.
fn claim(key: &str, body: &[u8], now: jiff::Timestamp) -> Claim {
    let key = IdempotencyKey::parse(key).expect("a key");
    let now = jiff::Timestamp::from_millisecond(now.as_millisecond()).expect("a time");
    let after = |seconds| now.checked_add(Duration::from_secs(seconds)).expect("a time");
    Claim {
        scope: Scope::new("acme", "test", "POST", "/v1/orders", &key),
        fingerprint: Fingerprint::of(body),
        lease: Lease(Uuid::new_v4()),
        now,
        lease_ends: after(60),
        forget_at: after(3600),
    }
}
