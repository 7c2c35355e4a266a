//! Proxied routes: what reaches a service, what comes back, and what does neither.

mod answers;
mod attacks;
mod bodies;
mod settings;
mod tokens;

use shared_lib::{
    clock::Clock,
    testing::{Answer, FakeDownstream},
};

use crate::harness::{Browser, Variable, World};

/// The address of everything here.
pub const FILES: &str = "/api/files";

/// A service of somebody else's behind `/api/files`, for whoever is signed in.
pub struct Proxied {
    pub world: World,
    pub files: FakeDownstream,
}

impl Proxied {
    pub async fn start(variables: &[Variable<'_>]) -> Self {
        Self::start_at(variables, Clock::system()).await
    }

    pub async fn start_at(variables: &[Variable<'_>], clock: Clock) -> Self {
        let files = FakeDownstream::start(Answer::json(&serde_json::json!({ "ok": true })));
        let url = format!("{}/base", files.url());
        let mut all = vec![
            ("BFF_WEB__DOWNSTREAMS__FILES__URLS", url.as_str()),
            ("BFF_WEB__PROXY__FILES__PATH", FILES),
            ("BFF_WEB__PROXY__FILES__METHODS", "GET,POST,PUT"),
            ("BFF_WEB__PROXY__FILES__DOWNSTREAM", "files"),
            ("BFF_WEB__PROXY__FILES__REWRITE", "/v3"),
        ];
        all.extend(variables);
        Self { world: World::start_at(&all, clock).await, files }
    }
}

/// What a browser sends along, for requests that no browser would make.
pub fn cookies(browser: &Browser) -> String {
    let cookies = browser.jar.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value));
    cookies.collect::<Vec<_>>().join("; ")
}
