//! Pushed authorization requests.

use std::time::Duration;

use actix_web::http::StatusCode;
use sandbox::provider::ProviderSettings;

use crate::running::{Answer, Running, WEB, web_request};

async fn push(running: &Running, changes: &[(&str, &str)]) -> Answer {
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(web_request(changes).as_bytes()).into_owned().collect();
    let mut form: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    form.push(("client_secret", WEB.1));
    running.post("/par", &form, &[]).await
}

fn pushed(answer: &Answer, client_id: &str) -> String {
    let uri = answer.text("request_uri");
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("client_id", client_id), ("request_uri", &uri)])
        .finish()
}

/// Shows: W2.
#[actix_web::test]
async fn a_pushed_request_leads_to_one_code() {
    let running = Running::with(ProviderSettings { par_required: true, ..ProviderSettings::default() }).await;
    let metadata = running.get("/.well-known/openid-configuration", &[]).await.json();
    assert_eq!(metadata["require_pushed_authorization_requests"].as_bool(), Some(true));
    let direct = running.browser().authorize(&web_request(&[])).await;
    assert_eq!(direct.redirect_query()["error"], "invalid_request");

    let answer = push(&running, &[]).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::CREATED, "no-store"));
    assert_eq!(answer.json()["expires_in"].as_u64(), Some(90));
    let query = pushed(&answer, "bff-web");
    let mut browser = running.browser();
    let page = browser.authorize(&query).await;
    assert_eq!(browser.authorize(&query).await.status, StatusCode::OK, "a reload of the page");
    let back = browser.log_in(&page, &[("username", "alice"), ("password", "alice")]).await.redirect_query();
    assert_eq!(back["state"], "the-state");
    assert_eq!(running.redeem(&back["code"]).await.status, StatusCode::OK);
    let again = browser.authorize(&query).await;
    assert_eq!((again.status, again.header("location")), (StatusCode::BAD_REQUEST, ""));
    assert_eq!(running.handle.counters().pushed_requests, 1);
}

#[actix_web::test]
async fn a_pushed_request_expires_and_belongs_to_its_client() {
    let running = Running::start().await;
    let answer = push(&running, &[]).await;
    let stolen = running.browser().authorize(&pushed(&answer, "mobile-app")).await;
    assert_eq!((stolen.status, stolen.header("location")), (StatusCode::BAD_REQUEST, ""));
    running.clock.advance(Duration::from_secs(90));
    let late = running.browser().authorize(&pushed(&answer, "bff-web")).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a_pushed_request_is_checked_like_any_other() {
    let running = Running::start().await;
    for (changes, status, error) in [
        (("code_challenge", ""), 400, "invalid_request"),
        (("redirect_uri", "https://evil.example/"), 400, "invalid_request"),
        (("scope", "admin"), 400, "invalid_scope"),
        (("request_uri", "urn:x"), 400, "invalid_request"),
        (("client_id", "mobile-app"), 401, "invalid_client"),
    ] {
        push(&running, &[changes]).await.assert_refused(status, error);
    }
}
