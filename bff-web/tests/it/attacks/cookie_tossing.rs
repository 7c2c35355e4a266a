//! Cookie tossing: a sibling's host sets cookies for the whole domain, which the victim's browser sends along with, and
//! perhaps before, the true ones. Refused by the prefix `__Host-`, which no sibling can set, and by the token's binding to
//! its session. (What browsers take and refuse is shown with a real one.)

use actix_web::http::{
    Method, StatusCode,
    header::{COOKIE, HeaderName, ORIGIN as ORIGIN_HEADER},
};
use bff_web::BffWeb;
use sandbox::Sandbox;
use shared_lib::testing::{Received, TestService, receive};

use super::{CALLBACK, SESSION, kept_answer};
use crate::harness::{Browser, settings};

const ORIGIN: &str = "https://localhost:8443";
const NAME: &str = "__Host-trifront-session";
const LOGOUT: &str = "/api/auth/logout";

async fn send(service: &TestService, method: Method, path: &str, cookies: &str, token: Option<&str>) -> Received {
    let request = service.client().request(method, service.url(path)).insert_header((COOKIE, cookies));
    let request = request
        .insert_header((HeaderName::from_static("sec-fetch-site"), "same-origin"))
        .insert_header((ORIGIN_HEADER, ORIGIN));
    let request = match token {
        Some(token) => request.insert_header((HeaderName::from_static("x-xsrf-token"), token)),
        None => request,
    };
    receive(request.send()).await
}

/// Shows: W4, W7
#[actix_web::test]
async fn cookies_that_a_siblings_host_can_set_change_nothing() {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let settings = settings(&sandbox, &[("BFF_WEB__SERVER__PUBLIC_ORIGIN", ORIGIN)]);
    let service = TestService::start::<BffWeb>(settings).await;
    let browser = || Browser::new(ORIGIN, &service.url(""));
    let (mut victim, mut attacker) = (browser(), browser());
    victim.sign_in("alice", "/").await;
    attacker.sign_in("bob", "/").await;
    let (true_one, his) =
        (victim.cookie(NAME).expect("a session").to_owned(), attacker.cookie(NAME).expect("a session").to_owned());

    // Names that a sibling can set; browsers compare the prefix without regard to case, so other spellings are refused too.
    for name in ["trifront-session", "__Secure-trifront-session", "Host-trifront-session", "trifront-session__Host-"] {
        for cookies in [format!("{name}={his}; {NAME}={true_one}"), format!("{NAME}={true_one}; {name}={his}")] {
            let answer = send(&service, Method::GET, SESSION, &cookies, None).await;
            assert_eq!(answer.json()["user"]["id"], "usr_alice", "{name}");
        }
        let alone = send(&service, Method::GET, SESSION, &format!("{name}={his}"), None).await;
        assert_eq!((alone.status, &alone.json()["code"]), (StatusCode::UNAUTHORIZED, &"unauthenticated".into()));
    }

    // His CSRF token, in a cookie that her browser sends along, and in the header as if her page had read it there.
    let tossed = attacker.cookie("XSRF-TOKEN").expect("a token").to_owned();
    let hers = victim.cookie("XSRF-TOKEN").expect("a token").to_owned();
    let cookies = format!("XSRF-TOKEN={tossed}; {NAME}={true_one}; XSRF-TOKEN={hers}");
    let refused = send(&service, Method::POST, LOGOUT, &cookies, Some(&tossed)).await;
    assert_eq!((refused.status, &refused.json()["code"]), (StatusCode::FORBIDDEN, &"csrf-failed".into()));

    // His attempt to sign in, under the name that it would have without TLS.
    let answer = kept_answer(&mut attacker, "bob").await;
    let attempt = attacker.jar.iter().find(|cookie| cookie.name.starts_with("__Host-login-")).expect("an attempt");
    let bare = attempt.name.trim_start_matches("__Host-");
    let tossed = format!("{bare}={}; {NAME}={true_one}", attempt.value);
    let page = send(&service, Method::GET, &format!("{CALLBACK}?{answer}"), &tossed, None).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.text().contains("<code>login-expired</code>"), "{}", page.text());

    // Without the attack: each cookie under its name, and her own token.
    let attempt = format!("{}={}", attempt.name, attempt.value);
    let page = send(&service, Method::GET, &format!("{CALLBACK}?{answer}"), &attempt, None).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    assert_eq!(send(&service, Method::POST, LOGOUT, &cookies, Some(&hers)).await.status, StatusCode::OK);
}
