//! The store of the keys: across restarts, and while it is away.

use std::time::Duration;

use bff_partner::BffPartner;
use serde_json::json;
use shared_lib::{clock::Clock, testing::TestService};

use crate::harness::{BY, Stage, database, new_key, settings};

const PRODUCTS: &str = "/v1/products?size=1";
const KEEP: Duration = Duration::from_secs(300);

/// Shows: P1
#[actix_web::test]
async fn keys_survive_a_restart_and_their_secrets_are_not_in_the_file() {
    let mut stage = Stage::new().await;
    let restarted = stage.another_replica(&[]).await;
    std::mem::replace(&mut stage.service, restarted).drain().await;
    assert_eq!(stage.get(PRODUCTS).await.status, 200);

    let folder = database(&stage.folder).parent().expect("a folder").to_owned();
    let secret = &stage.key[22..65];
    for file in std::fs::read_dir(folder).expect("the store's files") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("readable");
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

/// Shows: P2
#[actix_web::test]
async fn a_revocation_is_felt_once_the_remembered_answer_is_old() {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(&[("BFF_PARTNER__KEYS__FRESH_MS", "500")], clock).await;
    let key = stage.another_key(new_key("acme")).await;
    assert_eq!(stage.get_with(PRODUCTS, key.key.expose()).await.status, 200);
    assert!(stage.admin.revoke(&key.record.id, BY).await.expect("the key is there"));
    assert_eq!(stage.get_with(PRODUCTS, key.key.expose()).await.status, 200, "remembered for half a second");
    hand.advance(Duration::from_millis(500));
    assert_eq!(stage.get_with(PRODUCTS, key.key.expose()).await.status, 401);
}

/// Known keys go on for as long as is stated, unknown ones cannot be let in, and afterwards nobody is.
pub async fn serves_on_and_then_no_more(stage: &Stage, hand: &shared_lib::clock::ManualClock, never_seen: &str) {
    assert_eq!(stage.get(PRODUCTS).await.status, 200, "a known key serves on");
    let unknown = stage.get_with(PRODUCTS, never_seen).await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["code"]), (503, &json!("key-check-unavailable")));
    assert_eq!((unknown.header("retry-after"), unknown.header("www-authenticate")), (Some("1"), None));
    assert_eq!(stage.get_with(PRODUCTS, "tfp_test_x").await.status, 401, "what is made up is refused all the same");
    assert_eq!(stage.service.get_management("/readyz").await.status, 200, "all replicas would leave at once");
    hand.advance(KEEP - Duration::from_secs(1));
    assert_eq!(stage.get(PRODUCTS).await.status, 200);
    hand.advance(Duration::from_secs(1));
    assert_eq!(stage.get(PRODUCTS).await.status, 503);
}

/// Shows: P2
#[actix_web::test]
async fn while_the_store_fails_known_keys_serve_on_for_a_stated_time() {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(&[], clock).await;
    let never_seen = stage.another_key(new_key("bolt")).await;
    assert_eq!(stage.get(PRODUCTS).await.status, 200);
    let address = format!("sqlite://{}", database(&stage.folder).display());
    let saboteur = sqlx::SqlitePool::connect(&address).await.expect("the store opens");
    sqlx::query("ALTER TABLE api_keys RENAME TO put_aside").execute(&saboteur).await.expect("the table is there");
    serves_on_and_then_no_more(&stage, &hand, never_seen.key.expose()).await;
    sqlx::query("ALTER TABLE put_aside RENAME TO api_keys").execute(&saboteur).await.expect("the table is there");
    hand.advance(Duration::from_secs(1));
    assert_eq!(stage.get(PRODUCTS).await.status, 200, "it is back");
    assert_eq!(stage.get_with(PRODUCTS, never_seen.key.expose()).await.status, 200);
}

/// A deleted file stays readable for who has it open, so without a look at it a key could be revoked in a new file and
/// go on for ever.
///
/// Shows: P2
#[actix_web::test]
async fn a_file_that_was_deleted_is_a_store_that_is_away() {
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let stage = Stage::on(&[], clock).await;
    let never_seen = stage.another_key(new_key("bolt")).await;
    assert_eq!(stage.get(PRODUCTS).await.status, 200);
    std::fs::remove_file(database(&stage.folder)).expect("the file is there");
    serves_on_and_then_no_more(&stage, &hand, never_seen.key.expose()).await;
}

#[actix_web::test]
async fn a_service_that_starts_without_its_file_starts_with_an_empty_one() {
    let mut stage = Stage::new().await;
    std::fs::remove_dir_all(database(&stage.folder).parent().expect("a folder")).expect("the folder is there");
    let restarted = TestService::start::<BffPartner>(settings(&stage.sandbox, &stage.database_url, &[])).await;
    std::mem::replace(&mut stage.service, restarted).drain().await;
    assert_eq!(stage.get(PRODUCTS).await.status, 401);
}

#[actix_web::test]
async fn a_store_that_cannot_be_had_stops_the_start_and_is_named() {
    let stage = Stage::new().await;
    std::fs::write(stage.folder.path().join("occupied"), "a file").expect("writable");
    let database = format!("sqlite://{}/occupied/keys.db", stage.folder.path().display());
    let settings = settings(&stage.sandbox, &database, &[]);
    let error = TestService::try_start::<BffPartner>(settings, Clock::system()).await.err().expect("it cannot start");
    assert!(error.to_string().contains("[keys] database_url"), "{error}");
}

/// Shows: S14
#[actix_web::test]
async fn services_that_are_away_do_not_stop_the_start() {
    let nowhere = "http://127.0.0.1:1";
    let away = [("BFF_PARTNER__OIDC__ISSUER", nowhere), ("BFF_PARTNER__DOWNSTREAMS__CATALOG__URLS", nowhere)];
    let stage = Stage::with(&away).await;
    assert_eq!(stage.service.get_management("/readyz").await.status, 200);
    assert_eq!(stage.get(PRODUCTS).await.status, 503);
    assert_eq!(stage.get("/v1/orders").await.json()["part"], "provider");
}
