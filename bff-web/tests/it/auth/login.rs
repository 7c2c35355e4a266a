//! Signing in: through the provider's own form, in several tabs, in the wrong browser, and with an address to return to.

use actix_web::http::{Method, StatusCode};
use serde_json::json;

use crate::harness::{ORIGIN, World, browser::Page};

/// The code on a page that says that nobody was signed in.
fn refusal(page: &Page) -> String {
    let html = page.answer.text();
    let (_, rest) = html.split_once("<code>").expect("the page says a code");
    rest.split('<').next().unwrap_or_default().to_owned()
}

/// Shows: W1, W4
#[actix_web::test]
async fn signing_in_ends_signed_in_on_the_page_that_was_asked_for() {
    let world = World::start().await;
    let mut browser = world.browser();
    let page = browser.sign_in("alice", "/orders?page=1#latest").await;
    assert_eq!(page.url.as_str(), format!("{ORIGIN}/orders?page=1#latest"));
    let session = browser.get("/api/auth/session").await;
    assert_eq!(session.status, StatusCode::OK);
    assert_eq!(session.json()["user"], json!({ "id": "usr_alice", "name": "Alice Anders" }));
    let left: Vec<_> = browser.jar.iter().filter(|cookie| cookie.name.contains("login-")).collect();
    assert!(left.is_empty(), "the attempt's cookie is gone: {left:?}");
}

/// Shows: W1
#[actix_web::test]
async fn the_request_carries_state_nonce_and_an_s256_challenge_of_its_own() {
    let world = World::start().await;
    let mut browser = world.browser();
    browser.begin_sign_in("/").await;
    browser.begin_sign_in("/").await;
    // The provider takes pushed requests, so the address holds nothing but the request's name.
    let asked: Vec<_> = browser.visited.iter().filter(|url| url.path() == "/authorize").collect();
    assert_eq!(asked.len(), 2);
    for url in asked {
        let names: Vec<_> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(names, ["client_id", "request_uri"]);
    }
    assert_eq!(world.sandbox.provider().counters().pushed_requests, 2);
}

/// Shows: W1
#[actix_web::test]
async fn several_tabs_sign_in_at_once() {
    let world = World::start().await;
    let mut browser = world.browser();
    let first = browser.begin_sign_in("/first").await;
    let second = browser.begin_sign_in("/second").await;
    let attempts = browser.jar.iter().filter(|cookie| cookie.name.starts_with("login-")).count();
    assert_eq!(attempts, 2);
    assert_eq!(browser.fill_in(&first, "alice").await.url.path(), "/first");
    assert_eq!(browser.fill_in(&second, "alice").await.url.path(), "/second");
    assert_eq!(browser.get("/api/auth/session").await.status, StatusCode::OK);
}

/// Shows: W1
#[actix_web::test]
async fn abandoned_attempts_do_not_pile_up() {
    let world = World::start_with(&[("BFF_WEB__SESSION__MAX_LOGINS", "3")]).await;
    let mut browser = world.browser();
    for _ in 0..6 {
        browser.begin_sign_in("/").await;
    }
    let attempts = browser.jar.iter().filter(|cookie| cookie.name.starts_with("login-")).count();
    assert_eq!(attempts, 3);
}

/// Shows: W1
#[actix_web::test]
async fn an_answer_of_the_provider_is_of_no_use_in_another_browser() {
    let world = World::start().await;
    let mut attacker = world.browser();
    let form = attacker.begin_sign_in("/").await;
    // The attacker keeps the code from being used and sends the address to someone else.
    attacker.tamper = Some(("/api/auth/callback".to_owned(), "/kept".to_owned()));
    let kept = attacker.fill_in(&form, "bob").await.url;
    let callback = format!("/api/auth/callback?{}", kept.query().expect("a code"));
    let mut victim = world.browser();
    let page = victim.navigate(&callback).await;
    assert_eq!((page.answer.status, refusal(&page).as_str()), (StatusCode::BAD_REQUEST, "login-expired"));
    assert_eq!(victim.get("/api/auth/session").await.status, StatusCode::UNAUTHORIZED);
}

/// Shows: W1, W2
#[actix_web::test]
async fn an_answer_that_was_tampered_with_signs_nobody_in() {
    let world = World::start().await;
    for (from, to, code) in [
        ("state=", "state=x", "login-expired"),
        ("iss=http", "iss=https", "login-refused"),
        ("&iss=", "&was=", "login-refused"),
        ("code=", "code=x", "login-refused"),
        ("code=", "error=server_error&was=", "login-refused"),
        ("code=", "state=twice&code=", "login-expired"),
    ] {
        let mut browser = world.browser();
        let form = browser.begin_sign_in("/").await;
        browser.tamper = Some((from.to_owned(), to.to_owned()));
        let page = browser.fill_in(&form, "alice").await;
        assert_eq!(refusal(&page), code, "{from} becomes {to}");
        assert!(!page.answer.status.is_success());
        assert_eq!(browser.get("/api/auth/session").await.status, StatusCode::UNAUTHORIZED, "{from} becomes {to}");
    }
}

#[actix_web::test]
async fn a_user_who_declines_is_told_so_and_can_try_again() {
    let world = World::start().await;
    let mut browser = world.browser();
    let form = browser.begin_sign_in("/orders").await;
    let page = browser.submit(&form, &[("action", "cancel")]).await;
    assert_eq!((page.answer.status, refusal(&page).as_str()), (StatusCode::BAD_REQUEST, "login-declined"));
    assert!(page.answer.text().contains("href=\"/api/auth/login?returnTo=%2Forders\""));
}

/// Shows: W8
#[actix_web::test]
async fn an_address_to_return_to_that_is_not_local_is_refused() {
    let world = World::start().await;
    let mut browser = world.browser();
    for address in [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/%2f%2fevil.example",
        "/%5cevil.example",
        "/%252fevil.example",
        "/\t/evil.example",
        "/\r\nLocation: https://evil.example",
        "/%0d%0aevil",
        "/\0",
        "evil.example",
        "/..//evil.example",
        "/api/auth/logout",
        "",
    ] {
        let value: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
        let page = browser.navigate(&format!("/api/auth/login?returnTo={value}")).await;
        assert_eq!(page.answer.status, StatusCode::BAD_REQUEST, "{address:?}");
        assert_eq!(page.answer.json()["errors"][0]["field"], "returnTo", "{address:?}");
        assert!(page.answer.header("location").is_none() && page.answer.header("set-cookie").is_none(), "{address:?}");
    }
}

/// Shows: W8
#[actix_web::test]
async fn script_gets_a_401_and_a_navigation_is_led_to_sign_in() {
    let world = World::start().await;
    let mut browser = world.browser();
    let answer = browser.get("/api/v2/dashboard").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::UNAUTHORIZED, None));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["code"], "unauthenticated");
    let form = browser.navigate("/api/v2/dashboard?from=link").await;
    assert_eq!(form.url.host_str(), Some("127.0.0.1"), "at the provider");
    let page = browser.fill_in(&form, "alice").await;
    assert_eq!(page.url.as_str(), format!("{ORIGIN}/api/v2/dashboard?from=link"));
    assert_eq!(page.answer.json()["user"]["id"], "usr_alice");
}

/// Shows: W5
#[actix_web::test]
async fn no_token_reaches_the_browser() {
    let world = World::start().await;
    let mut browser = world.signed_in("alice").await;
    browser.get("/api/auth/session").await;
    browser.get("/api/v2/dashboard").await;
    let logout = browser.fetch(Method::POST, "/api/auth/logout").await.json();
    browser.navigate(logout["logoutUrl"].as_str().expect("an address")).await;
    assert!(browser.seen.len() >= 7, "{} answers", browser.seen.len());
    for answer in &browser.seen {
        // A JWT begins with the base64url of `{"`; the provider's refresh tokens hold a dot between two random texts.
        assert!(!answer.contains("eyJ"), "{answer}");
        for name in ["access_token", "refresh_token", "id_token"] {
            assert!(!answer.contains(name), "{answer}");
        }
    }
    let own: Vec<_> = browser.visited.iter().filter(|url| url.as_str().contains("eyJ")).collect();
    assert!(own.is_empty(), "{own:?}");
}
