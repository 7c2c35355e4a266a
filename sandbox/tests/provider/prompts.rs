//! When the user is asked again: `prompt`, `max_age`, `acr_values`, `id_token_hint`.

use std::time::Duration;

use actix_web::http::StatusCode;
use serde_json::json;

use crate::running::{Running, claims, web_request};

#[actix_web::test]
async fn prompt_none_without_a_session_is_login_required() {
    let running = Running::start().await;
    let answer = running.browser().authorize(&web_request(&[("prompt", "none")])).await;
    assert_eq!(answer.redirect_query()["error"], "login_required");
}

#[actix_web::test]
async fn prompt_none_with_a_session_gives_a_code() {
    let running = Running::start().await;
    let mut browser = running.browser();
    browser.code_for("alice", &web_request(&[])).await;
    let answer = browser.authorize(&web_request(&[("prompt", "none")])).await;
    assert!(answer.redirect_query().contains_key("code"));
}

#[actix_web::test]
async fn prompt_login_asks_in_spite_of_a_session_and_keeps_the_sid() {
    let running = Running::start().await;
    let mut browser = running.browser();
    browser.code_for("alice", &web_request(&[])).await;
    let sid = running.handle.sessions()[0].sid.clone();
    running.clock.advance(Duration::from_secs(30));
    let code = browser.code_for("alice", &web_request(&[("prompt", "login")])).await;
    let id = claims(&running.redeem(&code).await.text("id_token"));
    assert_eq!((&id["auth_time"], &id["sid"]), (&json!(running.now()), &json!(sid)));
    assert_eq!(running.handle.sessions().len(), 1);
}

#[actix_web::test]
async fn max_age_asks_when_the_login_is_older() {
    let running = Running::start().await;
    let mut browser = running.browser();
    browser.code_for("alice", &web_request(&[])).await;
    running.clock.advance(Duration::from_secs(100));
    let young_enough = browser.authorize(&web_request(&[("max_age", "100")])).await;
    assert!(young_enough.redirect_query().contains_key("code"));
    let too_old = browser.authorize(&web_request(&[("max_age", "99"), ("prompt", "none")])).await;
    assert_eq!(too_old.redirect_query()["error"], "login_required");
    let code = browser.code_for("alice", &web_request(&[("max_age", "0")])).await;
    let id = claims(&running.redeem(&code).await.text("id_token"));
    assert_eq!(id["auth_time"], json!(running.now()));
}

/// Shows: W19.
#[actix_web::test]
async fn step_up_asks_for_a_code_and_raises_the_acr() {
    let running = Running::start().await;
    let mut browser = running.browser();
    browser.code_for("alice", &web_request(&[])).await;
    let page = browser.authorize(&web_request(&[("acr_values", "urn:sandbox:mfa")])).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("autocomplete=\"one-time-code\""));
    let credentials = [("username", "alice"), ("password", "alice")];
    let without = browser.log_in(&page, &credentials).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    let with = [credentials[0], credentials[1], ("code", "123456")];
    let code = browser.log_in(&page, &with).await.redirect_query().remove("code").expect("a code");
    let tokens = running.redeem(&code).await;
    assert_eq!(claims(&tokens.text("id_token"))["acr"], json!("urn:sandbox:mfa"));
    assert_eq!(claims(&tokens.text("access_token"))["acr"], json!("urn:sandbox:mfa"));
    let again = browser.authorize(&web_request(&[("acr_values", "urn:sandbox:mfa")])).await;
    assert!(again.redirect_query().contains_key("code"), "the session is strong enough now");
}

#[actix_web::test]
async fn an_acr_that_nobody_knows_cannot_be_met() {
    let running = Running::start().await;
    let answer = running.browser().authorize(&web_request(&[("acr_values", "urn:other:gold")])).await;
    assert_eq!(answer.redirect_query()["error"], "unmet_authentication_requirements");
}

#[actix_web::test]
async fn another_user_than_the_hinted_one_is_not_let_through() {
    let running = Running::start().await;
    let hint = running.web_tokens().await.text("id_token");
    let mut browser = running.browser();
    browser.code_for("bob", &web_request(&[])).await;
    let silent = browser.authorize(&web_request(&[("id_token_hint", &hint), ("prompt", "none")])).await;
    assert_eq!(silent.redirect_query()["error"], "login_required");
    let page = browser.authorize(&web_request(&[("id_token_hint", &hint)])).await;
    let answer = browser.log_in(&page, &[("username", "bob"), ("password", "bob")]).await;
    assert_eq!(answer.redirect_query()["error"], "login_required");
}
