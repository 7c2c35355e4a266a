//! The header fields that every answer has, of a process in production: a page, an answer for anyone, refusals, and what
//! does not exist.

use actix_web::http::header::{ACCEPT, ORIGIN};
use sandbox::Sandbox;
use shared_lib::testing::{Received, receive};

use crate::harness::{PATIENCE, Variable, process::Process};

const PRODUCTION: &[Variable<'_>] = &[
    ("BFF_WEB__ENVIRONMENT", "production"),
    ("BFF_WEB__SERVER__PUBLIC_ORIGIN", "https://shop.example"),
    ("BFF_WEB__MANAGEMENT__OPERATOR_TOKEN", "an operator's token of our own"),
    ("BFF_WEB__OIDC__ISSUER", "https://id.example"),
    ("BFF_WEB__OIDC__CLIENT_SECRET", "correct horse battery staple"),
    ("BFF_WEB__SESSION__KEY", "0f6f1c3b5a7d9e8c2b4a6d8f0e1c3b5a7d9e8c2b"),
];

/// Paths, and the status of each for nobody in particular.
const PATHS: [(&str, u16); 5] = [
    ("/", 200),
    ("/api/v2/products?size=1", 200),
    ("/api/v2/dashboard", 401),
    ("/api/v2/products?size=x", 400),
    ("/api/v2/nothing", 404),
];

async fn ask(process: &Process, path: &str) -> Received {
    let client = awc::Client::builder().timeout(PATIENCE).disable_redirects().finish();
    let request = client.get(format!("{}{path}", process.url()));
    receive(request.insert_header((ACCEPT, "application/json")).insert_header((ORIGIN, "https://evil.example")).send())
        .await
}

/// Shows: W15, W16
#[actix_web::test]
async fn every_answer_in_production_keeps_browsers_to_https_and_to_what_it_is() {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let production = Process::in_front_of(&sandbox, PRODUCTION).await;
    let development = Process::in_front_of(&sandbox, &[]).await;
    for (path, status) in PATHS {
        let answer = ask(&production, path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let hsts = answer.header("strict-transport-security").unwrap_or_default();
        let age: Option<u64> = hsts.split(';').next().and_then(|age| age.strip_prefix("max-age=")?.parse().ok());
        assert!(age.is_some_and(|age| age >= 31_536_000), "{path}: {hsts}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{path}: {policy}");
        let cors: Vec<_> = answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).collect();
        assert!(cors.is_empty(), "{path}: {cors:?}");
        assert_eq!(answer.header("server"), None, "{path}");
        if status != 200 || path == "/" {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        }
        let here = ask(&development, path).await;
        assert_eq!((here.status, here.header("strict-transport-security")), (answer.status, None), "{path}");
    }
    let (first, second) = (ask(&production, "/").await, ask(&production, "/").await);
    let nonce = |answer: &Received| {
        let policy = answer.header("content-security-policy").unwrap_or_default().to_owned();
        policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).map(str::to_owned)
    };
    assert!(nonce(&first).is_some_and(|nonce| first.text().contains(&nonce)));
    assert_ne!(nonce(&first), nonce(&second), "each page has a nonce of its own");
}
