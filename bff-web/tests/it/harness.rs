//! What the tests stand on: a sandbox, the service in front of it, and a browser.

pub mod authority;
pub mod browser;
pub mod event_reader;
pub mod fleet;
pub mod notification_service;
pub mod process;
pub mod replicas;
pub mod support_service;
pub mod tab;
pub mod wire;

use std::time::Duration;

use bff_web::{BffWeb, settings::WebSettings};
use sandbox::{Sandbox, chaos::Rule};
use serde_json::{Value, json};
use shared_lib::{
    clock::Clock,
    settings::{Sources, load},
    testing::{Received, TestService, eventually},
};

pub use browser::Browser;
pub use tab::Tab;

/// Where browsers find the service, as its settings say; the test's browser goes to the real port instead.
pub const ORIGIN: &str = "http://localhost:8080";

/// How long a test waits for something that has no bound of its own.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The services that are reached by HTTP.
const HTTP_SERVICES: [&str; 8] =
    ["users", "orders", "accounts", "catalog", "categories", "promotions", "cart", "support"];

/// A setting, as its environment variable.
pub type Variable<'a> = (&'a str, &'a str);

/// A sandbox and the service in front of it.
pub struct World {
    /// What stands behind.
    pub sandbox: Sandbox,
    /// What is tested.
    pub service: TestService,
}

impl World {
    /// With the built-in settings.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these on top.
    pub async fn start_with(variables: &[Variable<'_>]) -> Self {
        Self::start_at(variables, Clock::system()).await
    }

    /// With these on top, and the service's clock in the test's hand.
    pub async fn start_at(variables: &[Variable<'_>], clock: Clock) -> Self {
        let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
        let service = TestService::start_with_clock::<BffWeb>(settings(&sandbox, variables), clock).await;
        Self { sandbox, service }
    }

    /// In front of this sandbox, with these settings on top.
    pub async fn in_front_of(sandbox: Sandbox, variables: &[Variable<'_>]) -> Self {
        let service = TestService::start::<BffWeb>(settings(&sandbox, variables)).await;
        Self { sandbox, service }
    }

    /// A browser that knows nothing yet.
    pub fn browser(&self) -> Browser {
        Browser::new(ORIGIN, &self.service.url(""))
    }

    /// A browser in which this user has signed in.
    pub async fn signed_in(&self, user: &str) -> Browser {
        let mut browser = self.browser();
        browser.sign_in(user, "/").await;
        browser
    }

    /// Chats that there are.
    pub async fn places(&self) -> u64 {
        self.service.get_management("/info").await.json()["chats"].as_u64().expect("a number")
    }

    /// Sets the only fault rule of a service.
    pub fn disturb(&self, service: &str, rule: Rule) {
        self.sandbox.chaos().set(service, vec![rule]).expect("the rule is valid");
    }

    /// Waits until the breaker of a downstream is in this state, as `/info` says it, asking `provoke` for traffic.
    pub async fn breaker_becomes<F: Future<Output = ()>>(
        &self,
        downstream: &str,
        state: &str,
        provoke: impl Fn() -> F,
    ) {
        let reached = eventually(PATIENCE, || async {
            provoke().await;
            let info = self.service.get_management("/info").await.json();
            info["circuitBreakers"][downstream]["state"] == state
        });
        assert!(reached.await, "the breaker of {downstream} becomes {state}");
    }
}

/// The built-in settings with addresses of this sandbox, and `variables` on top.
pub fn settings(sandbox: &Sandbox, variables: &[Variable<'_>]) -> WebSettings {
    let mut addresses: Vec<(String, String)> =
        HTTP_SERVICES.iter().map(|name| (urls_of(name), sandbox.url(name))).collect();
    addresses.push((urls_of("notifications"), sandbox.grpc_url()));
    addresses.push(("BFF_WEB__OIDC__ISSUER".to_owned(), sandbox.issuer().to_owned()));
    settings_from(addresses, variables)
}

/// The built-in settings on free ports, with `addresses` and then `variables` on top.
pub fn settings_from(addresses: Vec<(String, String)>, variables: &[Variable<'_>]) -> WebSettings {
    let mut env = vec![
        ("BFF_WEB__SERVER__PORT".to_owned(), "0".to_owned()),
        ("BFF_WEB__SERVER__HOST".to_owned(), "127.0.0.1".to_owned()),
        ("BFF_WEB__SERVER__WORKERS".to_owned(), "2".to_owned()),
        ("BFF_WEB__SERVER__DRAIN_TIMEOUT_MS".to_owned(), "1000".to_owned()),
        ("BFF_WEB__MANAGEMENT__PORT".to_owned(), "0".to_owned()),
        ("BFF_WEB__MANAGEMENT__HOST".to_owned(), "127.0.0.1".to_owned()),
    ];
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    // A later one of the same name wins.
    for (name, value) in addresses.into_iter().chain(variables) {
        env.retain(|(known, _)| *known != name);
        env.push((name, value));
    }
    load::<WebSettings>(&Sources { file: None, env }).expect("the test's settings are valid")
}

/// The variable with the addresses of a downstream.
pub fn urls_of(downstream: &str) -> String {
    format!("BFF_WEB__DOWNSTREAMS__{}__URLS", downstream.to_uppercase())
}

/// Status and whole body, for a snapshot.
pub fn shown(answer: &Received) -> Value {
    json!({ "status": answer.status.as_u16(), "body": answer.json() })
}
