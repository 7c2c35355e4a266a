//! What answers outside `/api`, and that nothing of it answers below.

use actix_web::http::{Method, StatusCode};

use crate::harness::World;

/// Shows: W15
#[actix_web::test]
async fn the_page_is_html_that_runs_no_script_but_its_own() {
    let world = World::start().await;
    let mut nonces = std::collections::BTreeSet::new();
    for path in ["/", "/orders/17?tab=lines", "/index.html", "/apiary"] {
        let answer = world.browser().navigate(path).await.answer;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let policy = answer.header("content-security-policy").expect("a policy").to_owned();
        let (_, rest) = policy.split_once("script-src 'nonce-").expect("a nonce");
        let nonce = rest.split('\'').next().unwrap_or_default().to_owned();
        for needed in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "connect-src 'self'"] {
            assert!(policy.contains(needed), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let html = answer.text();
        assert_eq!(html.matches("<script").count(), html.matches(&format!("<script nonce=\"{nonce}\"")).count());
        assert!(html.contains("/api/auth/login"));
        assert!(nonces.insert(nonce), "each answer has a nonce of its own");
    }
}

#[actix_web::test]
async fn below_api_there_is_nothing_but_the_api() {
    let world = World::start().await;
    let mut browser = world.browser();
    for path in ["/api", "/api/", "/api/nothing", "/api/v2", "/api/v2/nothing", "/api/auth/nothing"] {
        let page = browser.navigate(path).await;
        assert_eq!(
            (page.answer.status, page.answer.json()["code"].as_str()),
            (StatusCode::NOT_FOUND, Some("not-found")),
            "{path}"
        );
    }
    let posted = browser.fetch(Method::POST, "/").await;
    assert_eq!((posted.status, posted.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD")));
}
