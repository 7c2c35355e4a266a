//! The way through the login form to the tokens.

use actix_web::http::StatusCode;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::running::{Running, WEB_REDIRECT, claims, jwt_parts, mobile_request, web_request};

/// Shows: W1, W2, W3, M1.
#[actix_web::test]
async fn a_login_gives_tokens_with_all_the_claims_that_clients_check() {
    let running = Running::start().await;
    let mut browser = running.browser();
    let page = browser.authorize(&web_request(&[])).await;
    assert_eq!(page.status, StatusCode::OK);
    let back = browser.log_in(&page, &[("username", "alice"), ("password", "alice")]).await;
    assert!(back.header("location").starts_with(&format!("{WEB_REDIRECT}?")), "{}", back.header("location"));
    let query = back.redirect_query();
    assert_eq!((query["state"].as_str(), &query["iss"]), ("the-state", &running.issuer));

    let tokens = running.redeem(&query["code"]).await;
    assert_eq!((tokens.status, tokens.header("cache-control")), (StatusCode::OK, "no-store"));
    let answer = tokens.json();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(300)));

    let now = running.now();
    let (header, mut access) = jwt_parts(&tokens.text("access_token"));
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    assert!(access["jti"].take().is_string());
    assert_eq!(
        access,
        json!({
            "iss": running.issuer, "sub": "usr_alice", "aud": "trifront-services", "iat": now, "exp": now + 300,
            "jti": null, "client_id": "bff-web", "scope": "openid profile email orders:read",
            "auth_time": now, "acr": "urn:sandbox:password",
        })
    );

    let keys: JwkSet = serde_json::from_value(running.get("/jwks", &[]).await.json()).expect("a key set");
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["bff-web"]);
    validation.validate_exp = false;
    let key = DecodingKey::from_jwk(&keys.keys[0]).expect("a key");
    let id_token = jsonwebtoken::decode::<Value>(tokens.text("id_token"), &key, &validation).expect("a signature");
    let id = id_token.claims;
    assert_eq!((&id["nonce"], &id["sub"], &id["azp"]), (&json!("the-nonce"), &json!("usr_alice"), &json!("bff-web")));
    assert_eq!((&id["auth_time"], &id["amr"]), (&json!(now), &json!(["pwd"])));
    assert_eq!(running.handle.sessions()[0].sid, id["sid"].as_str().expect("a sid"));
}

#[actix_web::test]
async fn the_login_page_can_be_used_by_everyone_and_framed_by_nobody() {
    let running = Running::start().await;
    let page = running.browser().authorize(&web_request(&[("login_hint", "\"><script>")])).await;
    for part in ["<html lang=\"en\">", "<label for=\"username\">", "<label for=\"password\">", "<main>", "<h1>"] {
        assert!(page.body.contains(part), "{part} is missing");
    }
    assert!(page.body.contains("autocomplete=\"current-password\""));
    assert!(!page.body.contains("<script"), "a parameter is not escaped");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("form-action 'self' http://localhost:8080;"), "{policy}");
    assert_eq!(page.header("cache-control"), "no-store");
    let cookie = page.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
}

#[actix_web::test]
async fn a_wrong_password_shows_the_form_again_and_the_right_one_still_works() {
    let running = Running::start().await;
    let mut browser = running.browser();
    let page = browser.authorize(&web_request(&[])).await;
    for user in ["alice", "mallory"] {
        let again = browser.log_in(&page, &[("username", user), ("password", "wrong")]).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(again.body.contains("role=\"alert\""));
        assert_eq!(again.header("location"), "");
    }
    let back = browser.log_in(&page, &[("username", "alice"), ("password", "alice")]).await;
    assert!(back.redirect_query().contains_key("code"));
    assert_eq!(running.handle.counters().logins, 1);
}

#[actix_web::test]
async fn ten_wrong_passwords_end_the_login() {
    let running = Running::start().await;
    let mut browser = running.browser();
    let page = browser.authorize(&web_request(&[])).await;
    for _ in 0..9 {
        let again = browser.log_in(&page, &[("username", "alice"), ("password", "wrong")]).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let back = browser.log_in(&page, &[("username", "alice"), ("password", "wrong")]).await;
    assert_eq!(back.redirect_query()["error"], "access_denied");
    let late = browser.log_in(&page, &[("username", "alice"), ("password", "alice")]).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a_user_who_cancels_comes_back_with_access_denied() {
    let running = Running::start().await;
    let mut browser = running.browser();
    let page = browser.authorize(&web_request(&[])).await;
    let back = browser.log_in(&page, &[("action", "cancel")]).await;
    let query = back.redirect_query();
    assert_eq!((query["error"].as_str(), query["state"].as_str()), ("access_denied", "the-state"));
    assert_eq!(query["iss"], running.issuer);
    assert!(running.handle.sessions().is_empty());
}

#[actix_web::test]
async fn a_login_form_is_not_taken_from_another_browser() {
    let running = Running::start().await;
    let page = running.browser().authorize(&web_request(&[])).await;
    let mut other = running.browser();
    other.authorize(&web_request(&[])).await;
    let answer = other.log_in(&page, &[("username", "alice"), ("password", "alice")]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::BAD_REQUEST, ""));
    assert!(running.handle.sessions().is_empty());
}

#[actix_web::test]
async fn two_tabs_of_one_browser_can_log_in_at_once() {
    let running = Running::start().await;
    let mut browser = running.browser();
    let first = browser.authorize(&web_request(&[("state", "one")])).await;
    let second = browser.authorize(&web_request(&[("state", "two")])).await;
    let fields = [("username", "alice"), ("password", "alice")];
    assert_eq!(browser.log_in(&first, &fields).await.redirect_query()["state"], "one");
    assert_eq!(browser.log_in(&second, &fields).await.redirect_query()["state"], "two");
    assert_eq!(running.handle.sessions().len(), 1);
}

#[actix_web::test]
async fn a_second_client_needs_no_second_login() {
    let running = Running::start().await;
    let mut browser = running.browser();
    browser.code_for("alice", &web_request(&[])).await;
    let answer = browser.authorize(&mobile_request(&[])).await;
    assert!(answer.header("location").starts_with("com.trifront.app:/callback?code="), "{}", answer.header("location"));
    assert_eq!(running.handle.sessions()[0].clients, ["bff-web", "mobile-app"]);
}

#[actix_web::test]
async fn a_login_as_somebody_else_ends_the_first_session_and_changes_the_cookie() {
    let running = Running::start().await;
    let mut browser = running.browser();
    let code = browser.code_for("alice", &web_request(&[])).await;
    let old = browser.cookie("sandbox_provider_session").expect("a cookie").to_owned();
    browser.code_for("bob", &web_request(&[("prompt", "login")])).await;
    assert_ne!(browser.cookie("sandbox_provider_session"), Some(old.as_str()));
    let sessions = running.handle.sessions();
    assert_eq!(sessions.iter().map(|session| session.sub.as_str()).collect::<Vec<_>>(), ["usr_bob"]);
    running.redeem(&code).await.assert_refused(400, "invalid_grant");
}

#[actix_web::test]
async fn a_session_made_in_process_works_like_one_made_with_the_form() {
    let running = Running::start().await;
    let (name, value) = running.handle.sign_in("bob", sandbox::provider::Acr::Mfa).expect("bob");
    let mut browser = running.browser().with_cookie(name, value);
    let code = browser.authorize(&web_request(&[])).await.redirect_query().remove("code").expect("a code");
    let id = claims(&running.redeem(&code).await.text("id_token"));
    assert_eq!((&id["sub"], &id["acr"]), (&json!("usr_bob"), &json!("urn:sandbox:mfa")));
}
