//! RP-initiated logout.

use actix_web::http::StatusCode;

use crate::browser::{Browser, hidden_fields};
use crate::running::{Answer, Running, claims, web_request};

const TARGET: &str = "http://localhost:8080/";

async fn signed_in(running: &Running) -> (Browser<'_>, Answer) {
    running.handle.change_client("bff-web", |client| client.backchannel_logout_uri = None).expect("the client");
    let mut browser = running.browser();
    let code = browser.code_for("alice", &web_request(&[])).await;
    let tokens = running.redeem(&code).await;
    (browser, tokens)
}

fn query(params: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    format!("/logout?{query}")
}

/// Shows: W9.
#[actix_web::test]
async fn an_id_token_of_the_session_ends_it_without_a_question() {
    let running = Running::start().await;
    let (mut browser, tokens) = signed_in(&running).await;
    let hint = tokens.text("id_token");
    let address = query(&[("id_token_hint", &hint), ("post_logout_redirect_uri", TARGET), ("state", "s")]);
    let answer = browser.get(&address).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(answer.header("location"), "http://localhost:8080/?state=s");
    assert_eq!(browser.cookie("sandbox_provider_session"), None);
    assert!(running.handle.sessions().is_empty());
    running.refresh(&tokens.text("refresh_token")).await.assert_refused(400, "invalid_grant");
    let silent = browser.authorize(&web_request(&[("prompt", "none")])).await;
    assert_eq!(silent.redirect_query()["error"], "login_required");
}

/// Shows: W5, W9.
#[actix_web::test]
async fn the_sid_as_logout_hint_does_the_same_and_may_come_as_a_form() {
    let running = Running::start().await;
    let (mut browser, tokens) = signed_in(&running).await;
    let id = claims(&tokens.text("id_token"));
    let sid = id["sid"].as_str().expect("a sid");
    let form = [("client_id", "bff-web"), ("logout_hint", sid), ("post_logout_redirect_uri", TARGET)];
    let answer = browser.post("/logout", &form).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, TARGET));
    assert!(running.handle.sessions().is_empty());
}

#[actix_web::test]
async fn a_form_from_another_site_without_the_cookie_still_ends_the_session_of_its_id_token() {
    let running = Running::start().await;
    let (_, tokens) = signed_in(&running).await;
    let form = [("id_token_hint", tokens.text("id_token"))];
    let answer = running.browser().post("/logout", &[(form[0].0, &form[0].1)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(running.handle.sessions().is_empty());
}

#[actix_web::test]
async fn without_evidence_the_user_is_asked_first() {
    let running = Running::start().await;
    let (mut browser, _) = signed_in(&running).await;
    let params = [("client_id", "bff-web"), ("logout_hint", "alice"), ("post_logout_redirect_uri", TARGET)];
    let page = browser.get(&query(&params)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(running.handle.sessions().len(), 1, "nothing happens before the answer");

    let fields = hidden_fields(&page.body);
    let mut form: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    form.push(("action", "stay"));
    assert_eq!(browser.post("/logout/confirm", &form).await.status, StatusCode::OK);
    assert_eq!(running.handle.sessions().len(), 1);

    form.pop();
    form.push(("action", "logout"));
    let foreign = running.browser().post("/logout/confirm", &form).await;
    assert_eq!(foreign.status, StatusCode::BAD_REQUEST, "the form belongs to one browser");
    let answer = browser.post("/logout/confirm", &form).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, TARGET));
    assert!(running.handle.sessions().is_empty());
}

/// Shows: W9.
#[actix_web::test]
async fn an_unregistered_address_or_a_foreign_hint_is_a_page_and_ends_nothing() {
    let running = Running::start().await;
    let (mut browser, tokens) = signed_in(&running).await;
    let hint = tokens.text("id_token");
    for params in [
        [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", "https://evil.example/")],
        [("client_id", "bff-web"), ("post_logout_redirect_uri", "//evil.example/")],
        [("state", "s"), ("post_logout_redirect_uri", TARGET)],
        [("id_token_hint", hint.as_str()), ("client_id", "mobile-app")],
        [("id_token_hint", "not.a.token"), ("client_id", "bff-web")],
        [("id_token_hint", &tokens.text("access_token")), ("client_id", "bff-web")],
    ] {
        let answer = browser.get(&query(&params)).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::BAD_REQUEST, ""), "{params:?}");
    }
    assert_eq!(running.handle.sessions().len(), 1);
}
