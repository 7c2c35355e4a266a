use shared_lib::{clock::ManualClock, settings::Secret};
use tempfile::TempDir;

use super::*;
use crate::{
    database::Database,
    keys::{By, Created, KeyAdmin, KeyEnvironment, NewKey},
};

const BY: By<'_> = By { actor: "test", source: "here" };
const FRESH: Duration = Duration::from_millis(500);
const KEEP: Duration = Duration::from_secs(300);

/// A ring over a store that others change without telling it.
struct Stage {
    ring: KeyRing,
    others: KeyAdmin,
    clock: Clock,
    hand: ManualClock,
    folder: TempDir,
}

impl Stage {
    async fn new() -> Self {
        let (clock, hand) = Clock::manual();
        let folder = tempfile::tempdir().expect("a folder");
        let url = Secret::from(format!("sqlite://{}/keys.db", folder.path().display()));
        let store = KeyStore::new(Database::open(&url).await.expect("the store opens"));
        let format = KeyFormat::new(&Secret::from("a key for checksums"));
        let settings = RingSettings { fresh: FRESH, keep: KEEP, max_keys: 100, max_first_lookups: 3 };
        let ring = KeyRing::new(format.clone(), store.clone(), settings, clock.clone());
        let others = KeyAdmin::new(format, store, vec!["free".to_owned()], vec!["orders:read"], clock.clone());
        Self { ring, others, clock, hand, folder }
    }

    async fn key(&self) -> Created {
        let new = NewKey {
            partner: "acme".to_owned(),
            environment: KeyEnvironment::Test,
            plan: "free".to_owned(),
            scopes: vec!["orders:read".to_owned()],
            networks: Vec::new(),
            expires_in: None,
        };
        self.others.create(new, BY).await.expect("a key")
    }

    async fn revoke(&self, key: &Created) {
        assert!(self.others.revoke(&key.record.id, BY).await.expect("the key is there"));
    }

    async fn outcome(&self, key: &Created) -> &'static str {
        match self.ring.check(key.key.expose()).await {
            Ok(_) => "let in",
            Err(RingError::Refused) => "refused",
            Err(RingError::Unavailable(_)) => "unavailable",
        }
    }

    /// Time passes, and signs come.
    fn pass_with_signs(&self, seconds: u64) {
        for _ in 0..seconds * 4 {
            self.hand.advance(Duration::from_millis(250));
            self.ring.confirm(self.clock.now());
        }
    }
}

/// Shows: P2
#[actix_web::test]
async fn while_signs_come_a_key_is_believed_and_a_change_that_is_heard_of_is_felt_at_once() {
    let stage = Stage::new().await;
    stage.ring.begin_era();
    let key = stage.key().await;
    assert_eq!(stage.outcome(&key).await, "let in");
    stage.revoke(&key).await;
    stage.pass_with_signs(3600);
    assert_eq!(stage.outcome(&key).await, "let in", "nobody has told, and nothing is asked");
    stage.ring.changed(&key.record.id);
    assert_eq!(stage.outcome(&key).await, "refused");
}

/// Shows: P2
#[actix_web::test]
async fn a_change_whose_message_was_lost_is_felt_when_signs_stop_or_a_new_era_begins() {
    let stage = Stage::new().await;
    stage.ring.begin_era();
    let (first, second) = (stage.key().await, stage.key().await);
    for key in [&first, &second] {
        assert_eq!(stage.outcome(key).await, "let in");
        stage.revoke(key).await;
    }
    stage.pass_with_signs(1);
    stage.hand.advance(FRESH - Duration::from_millis(1));
    assert_eq!(stage.outcome(&first).await, "let in");
    stage.hand.advance(Duration::from_millis(1));
    assert_eq!(stage.outcome(&first).await, "refused", "no sign for as long as is stated");

    stage.ring.confirm(stage.clock.now());
    assert_eq!(stage.outcome(&second).await, "let in");
    stage.ring.begin_era();
    assert_eq!(stage.outcome(&second).await, "refused", "between two eras something may have been missed");
}

/// Shows: P2
#[actix_web::test]
async fn while_the_store_is_away_a_key_serves_on_unless_a_change_of_it_was_heard_of() {
    let stage = Stage::new().await;
    stage.ring.begin_era();
    let (same, changed) = (stage.key().await, stage.key().await);
    for key in [&same, &changed] {
        assert_eq!(stage.outcome(key).await, "let in");
    }
    std::fs::remove_file(stage.folder.path().join("keys.db")).expect("the file is there");
    stage.ring.changed(&changed.record.id);
    assert_eq!(stage.outcome(&changed).await, "unavailable", "how it was changed cannot be said");
    stage.pass_with_signs(1);
    stage.hand.advance(KEEP - Duration::from_millis(1));
    assert_eq!(stage.outcome(&same).await, "let in", "the last sign counts");
    stage.hand.advance(Duration::from_millis(1));
    assert_eq!(stage.outcome(&same).await, "unavailable");
}

/// Shows: P2
#[actix_web::test]
async fn keys_that_are_not_remembered_are_looked_up_so_many_times_a_second() {
    let stage = Stage::new().await;
    let known = stage.key().await;
    assert_eq!(stage.outcome(&known).await, "let in");
    let unknown: Vec<_> = (0..5).map(|_| stage.ring.format.mint(KeyEnvironment::Test).key).collect();
    let mut refused = 0;
    for key in &unknown {
        match stage.ring.check(key.expose()).await {
            Err(RingError::Refused) => refused += 1,
            Err(RingError::Unavailable(error)) => assert!(matches!(*error, StoreError::Busy)),
            Ok(_) => panic!("nobody has made this key"),
        }
    }
    assert_eq!(refused, 2, "of three look-ups the known key had one");
    stage.hand.advance(FRESH);
    assert_eq!(stage.outcome(&known).await, "let in", "what is remembered is asked for all the same");
    stage.hand.advance(FRESH);
    assert!(matches!(stage.ring.check(unknown[4].expose()).await, Err(RingError::Refused)), "the next second");
}
