//! The refresh token grant with strict rotation.

use std::time::Duration;

use actix_web::http::StatusCode;
use serde_json::json;

use crate::running::{Running, WEB, claims, web_request};

/// Shows: W11.
#[actix_web::test]
async fn a_refresh_rotates_the_token_and_keeps_the_login() {
    let running = Running::start().await;
    let first = running.web_tokens().await;
    running.clock.advance(Duration::from_secs(200));
    let second = running.refresh(&first.text("refresh_token")).await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.body);
    assert_ne!(second.text("refresh_token"), first.text("refresh_token"));
    let (old, new) = (claims(&first.text("id_token")), claims(&second.text("id_token")));
    assert_eq!((&new["sub"], &new["sid"], &new["auth_time"]), (&old["sub"], &old["sid"], &old["auth_time"]));
    assert_eq!(new["iat"], json!(running.now()));
    assert_eq!(running.handle.counters().refreshes, 1);
}

/// Shows: W11.
#[actix_web::test]
async fn a_reused_refresh_token_revokes_the_family() {
    let running = Running::start().await;
    let first = running.web_tokens().await.text("refresh_token");
    let second = running.refresh(&first).await;
    running.refresh(&first).await.assert_refused(400, "invalid_grant");
    running.refresh(&second.text("refresh_token")).await.assert_refused(400, "invalid_grant");
    assert_eq!(running.userinfo(&second.text("access_token")).await.status, StatusCode::UNAUTHORIZED);
    let counters = running.handle.counters();
    assert_eq!((counters.refreshes, counters.refresh_reuses), (1, 1));
}

/// Shows: W11.
#[actix_web::test]
async fn of_many_refreshes_at_once_one_gets_through_and_the_family_dies() {
    let running = Running::start().await;
    let token = running.web_tokens().await.text("refresh_token");
    let answers = futures_util::future::join_all((0..8).map(|_| running.refresh(&token))).await;
    let successes = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!((successes, running.handle.counters().refresh_reuses), (1, 1));
}

/// Shows: W6.
#[actix_web::test]
async fn a_refresh_token_expires_and_each_rotation_begins_anew() {
    let running = Running::start().await;
    running.handle.change_settings(|settings| settings.refresh_token_lifetime = Duration::from_secs(1000));
    let token = running.web_tokens().await.text("refresh_token");
    running.clock.advance(Duration::from_secs(999));
    let token = running.refresh(&token).await.text("refresh_token");
    running.clock.advance(Duration::from_secs(999));
    let token = running.refresh(&token).await.text("refresh_token");
    running.clock.advance(Duration::from_secs(1000));
    running.refresh(&token).await.assert_refused(400, "invalid_grant");
    assert_eq!(running.handle.counters().refresh_reuses, 0, "expiry is not reuse");
}

#[actix_web::test]
async fn scopes_can_be_narrowed_and_not_widened() {
    let running = Running::start().await;
    let token = running.web_tokens().await.text("refresh_token");
    let refresh = |token: String, scope: &'static str| {
        let running = &running;
        async move {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", scope)];
            running.token(WEB, &form).await
        }
    };
    refresh(token.clone(), "openid orders:write").await.assert_refused(400, "invalid_scope");
    let narrowed = refresh(token, "orders:read").await;
    assert_eq!(narrowed.text("scope"), "orders:read");
    let whole = running.refresh(&narrowed.text("refresh_token")).await;
    assert_eq!(whole.text("scope"), "openid profile email orders:read");
}

#[actix_web::test]
async fn a_refresh_token_of_another_client_is_refused_and_stays_good() {
    let running = Running::start().await;
    let token = running.web_tokens().await.text("refresh_token");
    let form = [("client_id", "mobile-app"), ("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    running.post("/token", &form, &[]).await.assert_refused(400, "invalid_grant");
    assert_eq!(running.refresh(&token).await.status, StatusCode::OK);
}

/// Shows: W6.
#[actix_web::test]
async fn the_end_of_the_session_ends_refreshing_unless_offline_access_was_granted() {
    let running = Running::start().await;
    let mut browser = running.browser();
    let code = browser.code_for("alice", &web_request(&[])).await;
    let bound = running.redeem(&code).await.text("refresh_token");
    let query = web_request(&[("scope", "openid offline_access")]);
    let code = browser.authorize(&query).await.redirect_query().remove("code").expect("a code");
    let offline = running.redeem(&code).await.text("refresh_token");
    running.handle.change_client("bff-web", |client| client.backchannel_logout_uri = None).expect("the client");
    let sub = sandbox::provider::SessionSelector::Subject("usr_alice".into());
    assert_eq!(running.handle.end_session(&sub).await.0, 1);
    running.refresh(&bound).await.assert_refused(400, "invalid_grant");
    assert_eq!(running.refresh(&offline).await.status, StatusCode::OK);
    assert_eq!(running.handle.revoke_grants("usr_alice"), 1);
}
