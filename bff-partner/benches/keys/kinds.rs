//! The kinds of wrong keys, and some of each.

use std::time::Duration;

use bff_partner::{
    database::Database,
    keys::{By, KeyAdmin, KeyEnvironment, KeyFormat, KeyStore, NewKey},
};
use shared_lib::{clock::Clock, settings::Secret};

pub(crate) const CHECKSUM_KEY: &str = "dev-only-bff-partner-checksum-key";
const BY: By<'_> = By { actor: "bench", source: "here" };
/// Several, so that where one happens to be in memory does not count as a property of its kind.
const OF_EACH: usize = 16;

/// Those that only the store tells apart stand last.
pub(crate) const KINDS: [&str; 7] =
    ["no key", "made up", "unknown", "others unknown", "wrong secret", "revoked", "expired"];
pub(crate) const UNKNOWN: usize = 2;
pub(crate) const FIRST_TIMED: usize = UNKNOWN;

/// Keys of each kind.
pub(crate) struct Keys([Vec<String>; KINDS.len()]);

impl Keys {
    /// In the store of this address, for a service with [`CHECKSUM_KEY`].
    pub(crate) async fn make(url: &str) -> Self {
        let store = KeyStore::new(Database::open(&Secret::from(url)).await.expect("the store opens"));
        let format = KeyFormat::new(&Secret::from(CHECKSUM_KEY));
        let others = KeyFormat::new(&Secret::from("the checksum key of somebody else"));
        // A clock of the past, so that a key of a minute is over.
        let (clock, _) = Clock::manual();
        let admin = KeyAdmin::new(format.clone(), store.clone(), vec!["free".to_owned()], vec!["products:read"], clock);
        let mut keys: [Vec<String>; KINDS.len()] = Default::default();
        for _ in 0..OF_EACH {
            let made_up = others.mint(KeyEnvironment::Test).key;
            let unknown = format.mint(KeyEnvironment::Test).key;
            let other = format.mint(KeyEnvironment::Test).key;
            // A record whose secret is another than the one that is shown with its id.
            let wrong = format.mint(KeyEnvironment::Test);
            let mut record = admin.create(new_key(None), BY).await.expect("a key").record;
            record.id.clone_from(&wrong.id);
            store.add(&record, BY).await.expect("a record");
            let revoked = admin.create(new_key(None), BY).await.expect("a key");
            assert!(admin.revoke(&revoked.record.id, BY).await.expect("the key is there"));
            let expired = admin.create(new_key(Some(Duration::from_secs(60))), BY).await.expect("a key");
            let row = [made_up, unknown, other, wrong.key, revoked.key, expired.key];
            keys[1..].iter_mut().zip(row).for_each(|(kind, key)| kind.push(key.expose().to_owned()));
        }
        Self(keys)
    }

    /// The key of this turn; none for the first kind.
    pub(crate) fn of(&self, kind: usize, turn: usize) -> Option<&str> {
        self.0[kind].get(turn % OF_EACH).map(String::as_str)
    }
}

fn new_key(expires_in: Option<Duration>) -> NewKey {
    NewKey {
        partner: "acme".to_owned(),
        environment: KeyEnvironment::Test,
        plan: "free".to_owned(),
        scopes: vec!["products:read".to_owned()],
        networks: Vec::new(),
        expires_in,
    }
}
