//! A change of a key reaches every replica: by PostgreSQL's own messages, and where those are lost, all the same.

use std::time::Duration;

use bff_partner::database::Database;
use shared_lib::{
    settings::Secret,
    testing::{PostgresServer, TestService, eventually, receive},
};

use crate::harness::{BY, Engine, Stage, new_key};

const PRODUCTS: &str = "/v1/products?size=1";

/// So long that nothing is asked for anew while a test runs: what is felt was told, or found out by hearing anew.
const BELIEVE: [(&str, &str); 1] = [("BFF_PARTNER__KEYS__FRESH_MS", "60000")];

/// Far below that.
const PATIENCE: Duration = Duration::from_secs(20);

async fn status(service: &TestService, key: &str) -> u16 {
    receive(service.client().get(service.url(PRODUCTS)).bearer_auth(key).send()).await.status.as_u16()
}

/// Whether every replica comes to answer so.
async fn all_say(services: &[&TestService], key: &str, expected: u16) -> bool {
    let said = || async {
        for service in services {
            if status(service, key).await != expected {
                return false;
            }
        }
        true
    };
    eventually(PATIENCE, said).await
}

/// How many replicas listen in this database.
pub async fn listeners(server: &PostgresServer, database_url: &str) -> usize {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid() AND query LIKE '%pg_notify%'";
    server.ask(database_url, count).await.parse().expect("a number")
}

/// Shows: P2
#[actix_web::test]
async fn a_revoked_or_replaced_key_is_refused_on_every_replica_without_being_asked_for() {
    let stage = Stage::in_engine(Engine::Postgresql, &BELIEVE).await;
    let others = [stage.another_replica(&BELIEVE).await, stage.another_replica(&BELIEVE).await];
    let replicas = [&stage.service, &others[0], &others[1]];
    let server = PostgresServer::shared().await;
    let all_hear = || async { listeners(server, &stage.database_url).await == 3 };
    assert!(eventually(PATIENCE, all_hear).await, "three replicas listen");

    let (revoked, replaced) = (stage.another_key(new_key("acme")).await, stage.another_key(new_key("acme")).await);
    for key in [&revoked, &replaced] {
        assert!(all_say(&replicas, key.key.expose(), 200).await);
    }
    // By another process than any of the replicas.
    assert!(stage.admin.revoke(&revoked.record.id, BY).await.expect("the key is there"));
    assert!(all_say(&replicas, revoked.key.expose(), 401).await);
    stage.admin.rotate(&replaced.record.id, Duration::ZERO, BY).await.expect("a successor");
    assert!(all_say(&replicas, replaced.key.expose(), 401).await);

    // By hand, in the database.
    let by_hand = stage.another_key(new_key("acme")).await;
    assert!(all_say(&replicas, by_hand.key.expose(), 200).await);
    server.query(&stage.database_url, &format!("DELETE FROM api_keys WHERE id = '{}'", by_hand.record.id));
    assert!(all_say(&replicas, by_hand.key.expose(), 401).await);
}

/// Shows: P2
#[actix_web::test]
async fn after_a_lost_message_and_a_lost_connection_a_replica_asks_for_everything_anew() {
    let stage = Stage::in_engine(Engine::Postgresql, &BELIEVE).await;
    let server = PostgresServer::shared().await;
    let hears = || async { listeners(server, &stage.database_url).await == 1 };
    assert!(eventually(PATIENCE, hears).await);
    // Of a time before anything was heard, so no message about it is under way.
    assert_eq!(status(&stage.service, &stage.key).await, 200);

    let untold = format!(
        "BEGIN; ALTER TABLE api_keys DISABLE TRIGGER tell_changed_key; UPDATE api_keys SET revoked_at = 1 WHERE id = '{}'; \
         ALTER TABLE api_keys ENABLE TRIGGER tell_changed_key; COMMIT",
        &stage.key[9..21]
    );
    server.query(&stage.database_url, &untold);
    assert_eq!(status(&stage.service, &stage.key).await, 200, "nobody has told");
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
               AND pid <> pg_backend_pid() AND query LIKE '%pg_notify%'";
    server.query(&stage.database_url, cut);
    assert!(all_say(&[&stage.service], &stage.key, 401).await);
}

/// Shows: P2
#[actix_web::test]
async fn an_operator_at_one_replica_is_felt_there_at_once_also_with_sqlite() {
    for engine in Engine::BOTH {
        let stage = Stage::in_engine(engine, &BELIEVE).await;
        let key = stage.another_key(new_key("acme")).await;
        assert_eq!(status(&stage.service, key.key.expose()).await, 200, "{engine:?}");
        let url = stage.service.management_url(&format!("/admin/keys/{}", key.record.id));
        let ended = receive(stage.service.client().delete(url).bearer_auth("dev-only-operator-token").send()).await;
        assert_eq!(ended.status, 204, "{engine:?}");
        assert_eq!(status(&stage.service, key.key.expose()).await, 401, "{engine:?}");
    }
}

#[actix_web::test]
async fn only_postgresql_has_a_channel() {
    let folder = tempfile::tempdir().expect("a folder");
    for engine in Engine::BOTH {
        let url = Secret::from(engine.address(&folder).await);
        let database = Database::open(&url).await.expect("it opens");
        assert_eq!(database.channel().is_some(), engine == Engine::Postgresql);
    }
}
