//! The stage of every test: a sandbox of its own, and the real service in front of it.

use std::time::Duration;

use actix_web::http::Method;
use awc::ClientRequest;
use bff_mobile::{BffMobile, settings::MobileSettings};
use sandbox::{Sandbox, chaos::Rule, provider::JwtBuilder};
use serde_json::Value;
use shared_lib::{
    clock::Clock,
    settings::{Sources, load},
    testing::{Received, TestService, receive},
};

/// Every scope that a route asks for.
pub const ALL_SCOPES: [&str; 7] = [
    "accounts:read",
    "catalog:read",
    "devices:write",
    "notifications:read",
    "notifications:write",
    "orders:read",
    "orders:write",
];

/// Every service that a screen asks.
pub const SERVICES: [&str; 7] = ["accounts", "catalog", "devices", "notifications", "orders", "promotions", "users"];

/// How long tokens live here.
const LIFETIME: Duration = Duration::from_secs(300);

/// A sandbox and the service in front of it.
pub struct Stage {
    pub sandbox: Sandbox,
    pub service: TestService,
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With further variables, such as `("BFF_MOBILE__DOWNSTREAMS__USERS__TIMEOUT_MS", "100")`.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        Self::on(sandbox().await, variables, Clock::system()).await
    }

    /// In front of this sandbox, with a clock of the test's own.
    pub async fn on(sandbox: Sandbox, variables: &[(&str, &str)], clock: Clock) -> Self {
        let service = TestService::start_with_clock::<BffMobile>(settings(&sandbox, variables), clock).await;
        Self { sandbox, service }
    }

    /// Asks as alice's app.
    pub async fn get(&self, path: &str) -> Received {
        self.get_with(path, &self.token("alice")).await
    }

    /// Asks with this access token.
    pub async fn get_with(&self, path: &str, token: &str) -> Received {
        receive(self.service.client().get(self.service.url(path)).bearer_auth(token).send()).await
    }

    /// Asks as alice's app by another method.
    pub fn request(&self, method: Method, path: &str) -> ClientRequest {
        let url = self.service.url(path);
        self.service.client().request(method, url).bearer_auth(self.token("alice"))
    }

    /// An access token of the app for this user, with all scopes.
    pub fn token(&self, user: &str) -> String {
        self.token_with(user, &ALL_SCOPES, |token| token)
    }

    /// The same with these scopes, and bent.
    pub fn token_with(&self, user: &str, scopes: &[&str], bend: impl FnOnce(JwtBuilder) -> JwtBuilder) -> String {
        let provider = self.sandbox.provider();
        let token = provider.access_token_builder(user, "mobile-app", "bff-mobile", scopes, LIFETIME);
        bend(token.expect("the user exists")).build().expect("the token can be signed")
    }

    /// Makes a service misbehave.
    pub fn disturb(&self, service: &str, rule: Rule) {
        disturb(&self.sandbox, service, rule);
    }
}

/// A sandbox with everything.
pub async fn sandbox() -> Sandbox {
    Sandbox::builder().start().await.expect("the sandbox starts")
}

/// Makes a service of a sandbox misbehave.
pub fn disturb(sandbox: &Sandbox, service: &str, rule: Rule) {
    sandbox.chaos().set(service, vec![rule]).expect("the rule is valid");
}

/// The defaults with the sandbox's addresses, then these variables.
pub fn settings(sandbox: &Sandbox, variables: &[(&str, &str)]) -> MobileSettings {
    let mut env = vec![
        ("BFF_MOBILE__SERVER__PORT".to_owned(), "0".to_owned()),
        ("BFF_MOBILE__SERVER__WORKERS".to_owned(), "1".to_owned()),
        ("BFF_MOBILE__MANAGEMENT__PORT".to_owned(), "0".to_owned()),
        ("BFF_MOBILE__JWT__ISSUER".to_owned(), sandbox.issuer().to_owned()),
    ];
    for service in SERVICES {
        let variable = format!("BFF_MOBILE__DOWNSTREAMS__{}__URLS", service.to_uppercase());
        env.push((variable, sandbox.url(service)));
    }
    env.extend(variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
    match load(&Sources { file: None, env }) {
        Ok(settings) => settings,
        Err(error) => panic!("{error}"),
    }
}

/// The states of a receipt, by part.
pub fn states(body: &Value) -> Vec<(String, String)> {
    let receipt = body["receipt"].as_object().expect("a composite has a receipt");
    let state = |part: &Value| part["state"].as_str().expect("a part has a state").to_owned();
    receipt.iter().map(|(name, part)| (name.clone(), state(part))).collect()
}

/// Asserts on a whole body; what changes from run to run is left out.
macro_rules! assert_body {
    ($name:literal, $received:expr) => {
        insta::assert_json_snapshot!($name, $received.json(), {
            ".requestId" => "[request id]",
            ".receipt.*.asOf" => "[time]",
        })
    };
}
pub(crate) use assert_body;
