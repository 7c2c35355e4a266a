//! The stage of every test: a sandbox of its own, a key store of its own, and the real service in front of both.

use std::path::PathBuf;

use bff_partner::{
    BffPartner,
    database::Database,
    keys::{By, Created, KeyAdmin, KeyEnvironment, KeyFormat, KeyStore, NewKey},
    settings::PartnerSettings,
};
use sandbox::{Sandbox, chaos::Rule};
use serde_json::Value;
use shared_lib::{
    clock::Clock,
    server::Access,
    service::Bff,
    settings::{Secret, Sources, load},
    testing::{PostgresServer, Received, TestService, receive},
};
use tempfile::TempDir;

/// Every scope that a route asks for.
pub const ALL_SCOPES: [&str; 3] = ["orders:read", "orders:write", "products:read"];

/// The key of the checksums, as it is by default.
pub const CHECKSUM_KEY: &str = "dev-only-bff-partner-checksum-key";

/// Every service that is asked.
pub const SERVICES: [&str; 2] = ["catalog", "orders"];

/// An order that the sandbox accepts.
pub const ORDER: &str = r#"{"lines":[{"productId":"SKU-00001","quantity":2}]}"#;

/// Who makes the keys of tests.
pub const BY: By<'_> = By { actor: "test", source: "here" };

/// What keys and operations can be kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgresql,
}

impl Engine {
    pub const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgresql];

    /// A database of this test's own.
    pub async fn address(self, folder: &TempDir) -> String {
        match self {
            Self::Sqlite => format!("sqlite://{}", database(folder).display()),
            Self::Postgresql => PostgresServer::shared().await.database(),
        }
    }
}

/// A sandbox, a store, and the service in front of them.
pub struct Stage {
    pub sandbox: Sandbox,
    pub service: TestService,
    pub admin: KeyAdmin,
    /// A key of partner `acme` in the test environment with all scopes.
    pub key: String,
    pub folder: TempDir,
    pub database_url: String,
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With further variables, such as `("BFF_PARTNER__DOWNSTREAMS__ORDERS__TIMEOUT_MS", "100")`.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        Self::on(variables, Clock::system()).await
    }

    /// With a clock of the test's own.
    pub async fn on(variables: &[(&str, &str)], clock: Clock) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = Engine::Sqlite.address(&folder).await;
        Self::over(address, folder, variables, clock).await
    }

    /// With a database of this engine.
    pub async fn in_engine(engine: Engine, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = engine.address(&folder).await;
        Self::over(address, folder, variables, Clock::system()).await
    }

    /// With the database at this address.
    pub async fn over(database_url: String, folder: TempDir, variables: &[(&str, &str)], clock: Clock) -> Self {
        let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
        let settings = settings(&sandbox, &database_url, variables);
        let admin = admin(&settings, clock.clone()).await;
        let key = admin.create(new_key("acme"), BY).await.expect("a key").key.expose().to_owned();
        let service = TestService::start_with_clock::<BffPartner>(settings, clock).await;
        Self { sandbox, service, admin, key, folder, database_url }
    }

    /// Asks with the key of `acme`.
    pub async fn get(&self, path: &str) -> Received {
        self.get_with(path, &self.key).await
    }

    /// Asks with this key.
    pub async fn get_with(&self, path: &str, key: &str) -> Received {
        receive(self.service.client().get(self.service.url(path)).bearer_auth(key).send()).await
    }

    /// Places an order with this key and this `Idempotency-Key`.
    pub async fn place_with(&self, key: &str, name: &str, body: &'static str) -> Received {
        place(&self.service, key, name, body).await
    }

    /// A further key.
    pub async fn another_key(&self, new: NewKey) -> Created {
        self.admin.create(new, BY).await.expect("a key")
    }

    /// Another process, as it were, in front of the same services and the same database.
    pub async fn another_replica(&self, variables: &[(&str, &str)]) -> TestService {
        TestService::start::<BffPartner>(settings(&self.sandbox, &self.database_url, variables)).await
    }

    /// Makes a service misbehave.
    pub fn disturb(&self, service: &str, rule: Rule) {
        self.sandbox.chaos().set(service, vec![rule]).expect("the rule is valid");
    }
}

/// Places an order at this replica.
pub async fn place(service: &TestService, key: &str, name: &str, body: &'static str) -> Received {
    let request = service.client().post(service.url("/v1/orders")).bearer_auth(key);
    let request = request.insert_header(("idempotency-key", name)).content_type("application/json");
    receive(request.send_body(body)).await
}

/// A key of this partner in the test environment, with all scopes, for anywhere and for ever.
pub fn new_key(partner: &str) -> NewKey {
    NewKey {
        partner: partner.to_owned(),
        environment: KeyEnvironment::Test,
        plan: "gold".to_owned(),
        scopes: ALL_SCOPES.map(ToOwned::to_owned).to_vec(),
        networks: Vec::new(),
        expires_in: None,
    }
}

/// The file of a stage's keys.
pub fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("made-for-it").join("keys.db")
}

/// What manages the keys of these settings.
pub async fn admin(settings: &PartnerSettings, clock: Clock) -> KeyAdmin {
    admin_over(&settings.keys.database_url, clock).await
}

/// What manages the keys of the database at this address, as with the default settings.
pub async fn admin_over(database_url: &Secret, clock: Clock) -> KeyAdmin {
    let store = KeyStore::new(Database::open(database_url).await.expect("the store opens"));
    let plans = ["free", "silver", "gold"].map(ToOwned::to_owned).to_vec();
    KeyAdmin::new(KeyFormat::new(&Secret::from(CHECKSUM_KEY)), store, plans, ALL_SCOPES.to_vec(), clock)
}

/// The sandbox's addresses and free ports, then these variables.
pub fn environment(sandbox: &Sandbox, database_url: &str, variables: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut env = vec![
        ("BFF_PARTNER__SERVER__PORT".to_owned(), "0".to_owned()),
        ("BFF_PARTNER__SERVER__WORKERS".to_owned(), "1".to_owned()),
        ("BFF_PARTNER__MANAGEMENT__PORT".to_owned(), "0".to_owned()),
        ("BFF_PARTNER__OIDC__ISSUER".to_owned(), sandbox.issuer().to_owned()),
        ("BFF_PARTNER__KEYS__DATABASE_URL".to_owned(), database_url.to_owned()),
        // A revocation is felt by the next call, unless a test says otherwise.
        ("BFF_PARTNER__KEYS__FRESH_MS".to_owned(), "0".to_owned()),
    ];
    for service in SERVICES {
        let variable = format!("BFF_PARTNER__DOWNSTREAMS__{}__URLS", service.to_uppercase());
        env.push((variable, sandbox.url(service)));
    }
    env.retain(|(name, _)| !variables.iter().any(|(other, _)| other == name));
    env.extend(variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
    env
}

/// The defaults with [`environment`].
pub fn settings(sandbox: &Sandbox, database_url: &str, variables: &[(&str, &str)]) -> PartnerSettings {
    match load(&Sources { file: None, env: environment(sandbox, database_url, variables) }) {
        Ok(settings) => settings,
        Err(error) => panic!("{error}"),
    }
}

/// The ids of a page's elements.
pub fn ids(page: &Value) -> Vec<String> {
    let content = page["content"].as_array().expect("a page has content");
    content.iter().map(|item| item["id"].as_str().expect("an element has an id").to_owned()).collect()
}

/// The paths that a key opens.
pub fn paths_behind_keys() -> Vec<String> {
    let table = BffPartner::routes();
    let routes = table.routes().iter().filter(|route| route.method == "GET" && route.policy.access != Access::Public);
    routes.map(|route| route.path.replace("{id}", "ord_0")).collect()
}

/// Asserts on a whole body; what changes from run to run is left out.
macro_rules! assert_body {
    ($name:literal, $received:expr) => {
        insta::assert_json_snapshot!($name, $received.json(), {
            ".requestId" => "[request id]",
        })
    };
}
pub(crate) use assert_body;
