//! Signing out: here, at the provider, and of what was granted.

use actix_web::http::{Method, StatusCode};
use sandbox::chaos::{Fault, Rule};
use shared_lib::testing::eventually;

use crate::harness::{ORIGIN, PATIENCE, World};

const LOGOUT: &str = "/api/auth/logout";

/// Shows: W9
#[actix_web::test]
async fn signing_out_ends_the_session_here_and_at_the_provider_and_revokes_the_refresh_token() {
    let world = World::start().await;
    let mut browser = world.signed_in("alice").await;
    let mut stolen = browser.clone();
    let answer = browser.fetch(Method::POST, LOGOUT).await;
    assert_eq!(answer.status, StatusCode::OK);
    let logout_url = answer.json()["logoutUrl"].as_str().expect("an address").to_owned();
    assert!(logout_url.starts_with("/api/auth/logout?ticket="), "{logout_url}");
    assert_eq!(browser.cookie("trifront-session"), None, "the cookie is gone");
    assert_eq!(stolen.get("/api/auth/session").await.status, StatusCode::UNAUTHORIZED, "and so is the session");

    let page = browser.navigate(&logout_url).await;
    assert_eq!(page.url.as_str(), format!("{ORIGIN}/"), "by way of the provider");
    assert!(browser.visited.iter().any(|url| url.path() == "/logout" && url.host_str() == Some("127.0.0.1")));
    assert_eq!(world.sandbox.provider().sessions(), []);
    let revoked = eventually(PATIENCE, || async { world.sandbox.provider().counters().revocations == 1 });
    assert!(revoked.await, "the refresh token is revoked");
    // The provider asks for the password again.
    browser.begin_sign_in("/").await;
}

/// Shows: W9
#[actix_web::test]
async fn signing_out_works_while_the_provider_is_away() {
    let world = World::start().await;
    let mut browser = world.signed_in("alice").await;
    world.disturb("provider", Rule::fault(Fault::Reset));
    let answer = browser.fetch(Method::POST, LOGOUT).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(browser.get("/api/auth/session").await.status, StatusCode::UNAUTHORIZED);
}

/// Shows: W8, W9
#[actix_web::test]
async fn the_way_out_leads_nowhere_without_a_ticket_of_ours() {
    let world = World::start().await;
    let mut browser = world.signed_in("alice").await;
    for query in ["", "?ticket=", "?ticket=AAAA", "?ticket=https://evil.example"] {
        let page = browser.navigate(&format!("{LOGOUT}{query}")).await;
        assert_eq!(page.url.as_str(), format!("{ORIGIN}/"), "{query}");
    }
    assert_eq!(browser.get("/api/auth/session").await.status, StatusCode::OK, "a GET signs nobody out");
    assert_eq!(world.sandbox.provider().sessions().len(), 1);
}
