//! A script that plays the attacker: one file an attack. Each attack is refused by the defence that should refuse it, as the
//! code of the refusal tells, and the same request without the attack passes, so that the refusal means something.

mod code_injection;
mod cookie_tossing;
mod cross_site_post;
mod header_smuggling;
mod login_csrf;
mod mix_up;
mod open_redirect;
mod session_fixation;

use actix_web::http::{Method, StatusCode};

use crate::harness::{Browser, browser::Page};

const SESSION: &str = "/api/auth/session";
const DASHBOARD: &str = "/api/v2/dashboard";
const CALLBACK: &str = "/api/auth/callback";

/// The status and the code on a page that says that nobody was signed in.
fn refusal(page: &Page) -> (StatusCode, String) {
    let html = page.answer.text();
    let code = html.split_once("<code>").and_then(|(_, rest)| rest.split_once('<')).map(|(code, _)| code.to_owned());
    (page.answer.status, code.unwrap_or_else(|| panic!("no code on {}: {html}", page.url)))
}

/// Who is signed in, as script is told it.
async fn user(browser: &mut Browser) -> Option<String> {
    let answer = browser.get(SESSION).await;
    if answer.status == StatusCode::UNAUTHORIZED {
        assert_eq!(answer.json()["code"], "unauthenticated");
        return None;
    }
    answer.json()["user"]["id"].as_str().map(str::to_owned)
}

/// Signs in up to the address that the provider sends the browser back to, and keeps it from being used: its query.
async fn kept_answer(browser: &mut Browser, user: &str) -> String {
    browser.tamper = Some((CALLBACK.to_owned(), "/kept".to_owned()));
    let page = browser.navigate("/api/auth/login?returnTo=/").await;
    // The provider asks for no password where it knows the user.
    let page = if page.url.path() == "/kept" { page } else { browser.fill_in(&page, user).await };
    browser.tamper = None;
    page.url.query().expect("an answer of the provider").to_owned()
}

/// A parameter of a query.
fn parameter(query: &str, name: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(known, _)| known == name).expect("the parameter").1.into_owned()
}

/// The query with another value of a parameter.
fn with_parameter(query: &str, name: &str, value: &str) -> String {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let pairs = pairs.map(|(known, old)| if known == name { (known, value.into()) } else { (known, old) });
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Whether a session lives.
async fn is_alive(browser: &mut Browser) -> bool {
    browser.fetch(Method::GET, DASHBOARD).await.status == StatusCode::OK
}
