//! A service asks for a stronger sign-in, and gets it, or does not.

use std::time::Duration;

use actix_web::http::{Method, StatusCode, header::HeaderName};
use sandbox::provider::ProviderSettings;
use serde_json::{Value, json};
use shared_lib::{
    clock::Clock,
    testing::{Answer, FakeDownstream, Received},
};

use crate::harness::{Browser, World, browser::Page};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// More than the service takes from somebody who showed a password only.
fn large(member: &str) -> Value {
    json!({ "lines": [{ member: "SKU-00001", "quantity": 999 }, { member: "SKU-00002", "quantity": 1 }] })
}

async fn order(browser: &mut Browser, key: &str) -> Received {
    browser.fetch_json(Method::POST, "/api/v2/orders", &[(KEY, key)], &large("productId")).await
}

/// The address of the problem, after the checks that hold for every such problem.
fn login(problem: &Received) -> String {
    assert_eq!(
        (problem.status, &problem.json()["code"]),
        (StatusCode::UNAUTHORIZED, &json!("insufficient-user-authentication"))
    );
    let body = problem.json();
    assert_eq!((&body["acrValues"], &body["maxAge"]), (&json!(["urn:sandbox:mfa"]), &json!(300)));
    assert_eq!(body["login"], "/api/auth/login?acrValues=urn%3Asandbox%3Amfa&maxAge=300");
    body["login"].as_str().expect("an address").to_owned()
}

async fn confirm(browser: &mut Browser, form: &Page, user: &str) -> Page {
    assert!(form.answer.text().contains("one-time-code"), "{} asks for a code", form.url);
    let fields = [("username", user), ("password", user), ("code", "123456"), ("action", "login")];
    browser.submit(form, &fields).await
}

/// The code on a page that says that nobody was signed in.
fn refusal(page: &Page) -> String {
    let html = page.answer.text();
    html.split("<code>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default().to_owned()
}

/// Shows: W19, W4
#[actix_web::test]
async fn a_demand_of_a_service_leads_to_the_provider_and_back_with_a_new_session_that_meets_it() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let refused = order(&mut alice, "first").await;
    assert_eq!(refused.json()["part"], "orders");
    let address = login(&refused);
    let before = alice.clone();
    let form = alice.navigate(&format!("{address}&returnTo=%2Fcheckout")).await;
    let page = confirm(&mut alice, &form, "alice").await;
    assert_eq!(page.url.path(), "/checkout");
    assert_ne!(alice.cookie("trifront-session"), before.cookie("trifront-session"), "the session has a new key");
    assert_eq!(before.clone().get("/api/auth/session").await.status, StatusCode::UNAUTHORIZED, "the old one is dead");
    assert_eq!(order(&mut alice, "first").await.status, StatusCode::CREATED);
    assert_eq!(alice.get("/api/auth/sessions").await.json()["totalElements"], 1);
    assert!(!alice.seen.iter().any(|seen| seen.contains("eyJ")), "no token has reached the browser");
}

/// Shows: W19, W14
#[actix_web::test]
async fn a_proxied_route_passes_the_demand_on_in_the_same_words() {
    let world = World::start_with(&[
        ("BFF_WEB__PROXY__ORDERS__PATH", "/api/raw-orders"),
        ("BFF_WEB__PROXY__ORDERS__METHODS", "POST"),
        ("BFF_WEB__PROXY__ORDERS__DOWNSTREAM", "orders"),
    ])
    .await;
    let mut alice = world.signed_in("alice").await;
    let place = async |browser: &mut Browser| {
        browser.fetch_json(Method::POST, "/api/raw-orders", &[(KEY, "k")], &large("sku")).await
    };
    let address = login(&place(&mut alice).await);
    let form = alice.navigate(&address).await;
    assert_eq!(confirm(&mut alice, &form, "alice").await.url.path(), "/");
    let placed = place(&mut alice).await;
    assert_eq!((placed.status, placed.json()["status"].as_str()), (StatusCode::CREATED, Some("PLACED")));
}

/// Shows: W19, W8
#[actix_web::test]
async fn a_navigation_is_led_to_the_sign_in_and_back() {
    let challenge = r#"Bearer error="insufficient_user_authentication", acr_values="urn:sandbox:mfa""#;
    let files = FakeDownstream::start(Answer::status(401).header("www-authenticate", challenge));
    let url = files.url();
    let variables = [
        ("BFF_WEB__DOWNSTREAMS__FILES__URLS", url.as_str()),
        ("BFF_WEB__PROXY__FILES__PATH", "/api/files"),
        ("BFF_WEB__PROXY__FILES__METHODS", "GET"),
        ("BFF_WEB__PROXY__FILES__DOWNSTREAM", "files"),
    ];
    let (clock, hand) = Clock::manual_at(Clock::system().wall());
    let world = World::start_at(&variables, clock).await;
    let mut alice = world.signed_in("alice").await;
    let script = alice.get("/api/files/a").await.json();
    assert_eq!(script["login"], "/api/auth/login?acrValues=urn%3Asandbox%3Amfa");
    hand.advance(Duration::from_secs(31));
    let form = alice.navigate("/api/files/a?b=c").await;
    // The service is not content even then, and nobody is sent round in circles.
    let page = confirm(&mut alice, &form, "alice").await;
    assert_eq!((page.url.path(), page.url.query()), ("/api/files/a", Some("b=c")));
    assert_eq!(page.answer.json()["code"], "insufficient-user-authentication");
    files.answer(Answer::json(&json!({ "ok": true })));
    assert_eq!(alice.navigate("/api/files/a").await.answer.json(), json!({ "ok": true }));
}

/// Shows: W19
#[actix_web::test]
async fn a_demand_that_was_taken_out_on_the_way_is_missed_at_the_callback_and_the_old_session_stays() {
    let world = World::start().await;
    // Without pushed requests the browser carries the demand, and can leave it out.
    world.sandbox.provider().change_settings(|settings: &mut ProviderSettings| settings.par_offered = false);
    let mut alice = world.signed_in("alice").await;
    let address = login(&order(&mut alice, "k").await);
    let redirect = alice.get(&address).await;
    let location = redirect.header("location").expect("an address");
    assert!(location.contains("acr_values=urn%3Asandbox%3Amfa") && location.contains("max_age=300"), "{location}");
    let weakened = location.replace("acr_values=", "was=");
    let page = alice.visit(&weakened).await;
    assert_eq!((page.answer.status, refusal(&page).as_str()), (StatusCode::BAD_REQUEST, "login-too-weak"));
    assert_eq!(alice.get("/api/auth/session").await.json()["user"]["id"], "usr_alice");
    assert_eq!(order(&mut alice, "k").await.status, StatusCode::UNAUTHORIZED);
}

/// Shows: W19
#[actix_web::test]
async fn nobody_else_finishes_what_a_user_was_asked_to_confirm() {
    let world = World::start().await;
    let mut alice = world.signed_in("alice").await;
    let address = login(&order(&mut alice, "k").await);
    let form = alice.navigate(&address).await;
    let page = confirm(&mut alice, &form, "bob").await;
    assert_eq!((page.answer.status, refusal(&page).as_str()), (StatusCode::BAD_REQUEST, "login-other-user"));
    assert_eq!(alice.get("/api/auth/session").await.json()["user"]["id"], "usr_alice");
}

/// Shows: W19
#[actix_web::test]
async fn a_demand_that_cannot_be_meant_is_refused() {
    let world = World::start().await;
    let mut browser = world.browser();
    let many = ["x"; 11].join("+");
    for (query, field) in [
        (format!("acrValues={many}"), "acrValues"),
        ("acrValues=".to_owned(), "acrValues"),
        ("acrValues=%22".to_owned(), "acrValues"),
        ("acrValues=a%0d%0ab".to_owned(), "acrValues"),
        ("maxAge=-1".to_owned(), "maxAge"),
        ("maxAge=1e3".to_owned(), "maxAge"),
        ("maxAge=9999999999".to_owned(), "maxAge"),
    ] {
        let answer = browser.get(&format!("/api/auth/login?{query}")).await;
        assert_eq!(
            (answer.status, &answer.json()["errors"][0]["field"]),
            (StatusCode::BAD_REQUEST, &json!(field)),
            "{query}"
        );
    }
}
