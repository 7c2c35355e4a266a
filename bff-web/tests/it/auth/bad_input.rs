//! What is forged, replayed, truncated, oversized or of the wrong type: a clear problem, no session changed, and nothing in
//! the log that would help whoever sent it. The service is a process of its own here, so that all it writes is seen.

use actix_web::http::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderName},
};
use sandbox::Sandbox;
use shared_lib::testing::{Received, receive};
use url::form_urlencoded::byte_serialize;

use crate::harness::{Browser, ORIGIN, process::Process};

const SESSION: &str = "/api/auth/session";
const CALLBACK: &str = "/api/auth/callback";
const LOGOUT: &str = "/api/auth/logout";
const BACKCHANNEL: &str = "/api/auth/backchannel-logout";

/// In everything that is sent here, and in nothing that is logged.
const MARK: &str = "c4n4ry";

/// What can be made of something genuine.
fn bent(genuine: &str) -> Vec<String> {
    let middle = genuine.len() / 2;
    let flipped = if genuine.as_bytes()[middle] == b'A' { "B" } else { "A" };
    vec![
        String::new(),
        genuine[..1].to_owned(),
        genuine[..middle].to_owned(),
        genuine[..genuine.len() - 1].to_owned(),
        format!("{genuine}{MARK}"),
        format!("{}{flipped}{}", &genuine[..middle], &genuine[middle + 1..]),
        genuine.chars().rev().collect(),
        MARK.repeat(1500),
        format!("{{\"{MARK}\":[1,null,{{}}]}}"),
        format!("%00%ff%fe%0d%0aSet-Cookie:{MARK}=1"),
        format!("{MARK}.{MARK}.{MARK}"),
        format!("' OR 1=1 --{MARK}"),
        "0".to_owned(),
        "null".to_owned(),
        "=====".to_owned(),
    ]
}

/// A problem, or the page that says one, with this code; it sets no session and repeats nothing.
fn is_refused(answer: &Received, status: StatusCode, code: &str, why: &str) {
    let text = answer.text();
    assert_eq!(answer.status, status, "{why}: {text}");
    let said = text.contains(&format!("<code>{code}</code>")) || text.contains(&format!("\"code\":\"{code}\""));
    assert!(said, "{why}: {text}");
    assert!(!text.contains(MARK), "{why}: {text}");
    let sets = answer.header_values("set-cookie");
    assert!(!sets.iter().any(|line| line.starts_with("trifront-session=") && !line.contains("Max-Age=0")), "{sets:?}");
}

struct Attacked {
    process: Process,
    alice: Browser,
}

impl Attacked {
    async fn start(sandbox: &Sandbox) -> Self {
        let process = Process::in_front_of(sandbox, &[]).await;
        let alice = process.signed_in("alice").await;
        Self { process, alice }
    }

    /// Her browser with another value in the cookie whose name begins so.
    fn with_cookie(&self, browser: &Browser, prefix: &str, value: &str) -> Browser {
        let mut bent = browser.clone();
        let cookie = bent.jar.iter_mut().find(|cookie| cookie.name.starts_with(prefix)).expect("the cookie");
        cookie.value = value.to_owned();
        bent
    }

    /// Nobody was signed out, nothing broke, and the log has nothing of what was sent nor of what is secret.
    async fn stays_unharmed(mut self, secrets: &[String]) {
        assert_eq!(self.alice.get(SESSION).await.json()["user"]["id"], "usr_alice");
        assert_eq!(self.alice.get("/api/auth/sessions").await.json()["totalElements"], 1);
        let log = self.process.log();
        assert!(log.contains("request served"), "there is a log:\n{log}");
        for word in [MARK, "panicked", "\"level\":\"ERROR\"", "eyJ"] {
            assert!(!log.contains(word), "{word} is logged");
        }
        let own = self.alice.jar.iter().map(|cookie| cookie.value.clone());
        for secret in secrets.iter().cloned().chain(own).filter(|secret| secret.len() > 8) {
            assert!(!log.contains(&secret), "{secret} is logged");
        }
    }
}

/// Shows: W4
#[actix_web::test]
async fn a_session_cookie_that_is_not_genuine_is_no_session() {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let attacked = Attacked::start(&sandbox).await;
    let genuine = attacked.alice.cookie("trifront-session").expect("a session").to_owned();
    let mut values = bent(&genuine);
    // Genuine, but of another kind.
    values.push(attacked.alice.cookie("XSRF-TOKEN").expect("a token").to_owned());
    for value in values {
        let mut browser = attacked.with_cookie(&attacked.alice, "trifront-session", &value);
        is_refused(&browser.get(SESSION).await, StatusCode::UNAUTHORIZED, "unauthenticated", &value);
        let unsafe_one = browser.fetch(Method::POST, LOGOUT).await;
        is_refused(&unsafe_one, StatusCode::UNAUTHORIZED, "unauthenticated", &value);
    }
    let mut browser = attacked.with_cookie(&attacked.alice, "trifront-session", &MARK.repeat(8000));
    let answer = browser.get(SESSION).await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "{}", answer.text());
    attacked.stays_unharmed(&[genuine]).await;
}

/// Shows: W1
#[actix_web::test]
async fn an_attempt_a_state_or_a_code_that_is_not_genuine_signs_nobody_in() {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let attacked = Attacked::start(&sandbox).await;
    let mut browser = attacked.process.browser();
    let form = browser.begin_sign_in("/").await;
    browser.tamper = Some((CALLBACK.to_owned(), "/kept".to_owned()));
    let kept = browser.fill_in(&form, "bob").await.url;
    browser.tamper = None;
    let of = |name: &str| kept.query_pairs().find(|(known, _)| known == name).expect("it is there").1.into_owned();
    let (state, code, issuer) = (of("state"), of("code"), of("iss"));
    let attempt =
        browser.jar.iter().find(|cookie| cookie.name.starts_with("login-")).expect("an attempt").value.clone();
    let address = |state: &str, code: &str| {
        let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        format!("{CALLBACK}?state={}&code={}&iss={}", escaped(state), escaped(code), escaped(&issuer))
    };
    for value in bent(&attempt) {
        let mut bent = attacked.with_cookie(&browser, "login-", &value);
        let page = bent.navigate(&address(&state, &code)).await;
        is_refused(&page.answer, StatusCode::BAD_REQUEST, "login-expired", &value);
    }
    for value in bent(&state) {
        let page = browser.clone().navigate(&address(&value, &code)).await;
        is_refused(&page.answer, StatusCode::BAD_REQUEST, "login-expired", &value);
    }
    for value in bent(&code) {
        // The browser's attempt is still there, as if it had been copied.
        let page = browser.clone().navigate(&address(&state, &value)).await;
        is_refused(&page.answer, StatusCode::BAD_REQUEST, "login-refused", &value);
    }
    for query in
        ["", "?", "?state", "?state=&code=", "?%00=%00", "?state=%ff&code=%fe", "?code=x", "?error=server_error"]
    {
        let page = browser.clone().navigate(&format!("{CALLBACK}{query}")).await;
        is_refused(&page.answer, StatusCode::BAD_REQUEST, "login-expired", query);
    }
    // Without any of it, the same attempt signs in.
    browser.navigate(&address(&state, &code)).await;
    assert_eq!(browser.get(SESSION).await.json()["user"]["id"], "usr_bob");
    attacked.stays_unharmed(&[attempt, state, code]).await;
}

/// Shows: W7
#[actix_web::test]
async fn a_csrf_token_that_is_not_genuine_is_refused() {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let mut attacked = Attacked::start(&sandbox).await;
    let genuine = attacked.alice.cookie("XSRF-TOKEN").expect("a token").to_owned();
    let mut values = bent(&genuine);
    values.push(attacked.alice.cookie("trifront-session").expect("a session").to_owned());
    for value in values {
        let headers = [
            (HeaderName::from_static("sec-fetch-site"), "same-origin".to_owned()),
            (HeaderName::from_static("origin"), ORIGIN.to_owned()),
            (HeaderName::from_static("x-xsrf-token"), value.clone()),
        ];
        let answer = attacked.alice.fetch_with(Method::POST, LOGOUT, &headers).await;
        is_refused(&answer, StatusCode::FORBIDDEN, "csrf-failed", &value);
    }
    attacked.stays_unharmed(&[genuine]).await;
}

/// Shows: W9, W10, W12
#[actix_web::test]
async fn a_logout_token_a_ticket_or_a_name_that_is_not_genuine_ends_nothing() {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let mut attacked = Attacked::start(&sandbox).await;
    let provider = sandbox.provider();
    let sid = provider.sessions()[0].sid.clone();
    let token = provider.logout_token_builder("bff-web", "usr_alice", &sid).expect("a token").build().expect("signed");
    let url = format!("{}{BACKCHANNEL}", attacked.process.url());
    let client = awc::Client::builder().timeout(crate::harness::PATIENCE).finish();
    let post = |body: String, kind: &str| {
        receive(client.post(&url).insert_header((CONTENT_TYPE, kind.to_owned())).send_body(body))
    };
    const FORM: &str = "application/x-www-form-urlencoded";
    for value in bent(&token) {
        let escaped: String = byte_serialize(value.as_bytes()).collect();
        let answer = post(format!("logout_token={escaped}"), FORM).await;
        is_refused(&answer, StatusCode::BAD_REQUEST, "logout-refused", &value);
    }
    for body in ["", "logout_token", "\u{0}", "{\"logout_token\":1}", "logout_token[]=x", "%ff%fe=%00"] {
        is_refused(&post(body.to_owned(), FORM).await, StatusCode::BAD_REQUEST, "logout-refused", body);
    }
    let large = post(format!("logout_token={}", MARK.repeat(60_000)), FORM).await;
    is_refused(&large, StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large", "a large body");
    for value in bent(&"A".repeat(80)) {
        let escaped: String = byte_serialize(value.as_bytes()).collect();
        let page = attacked.alice.clone().navigate(&format!("{LOGOUT}?ticket={escaped}")).await;
        assert_eq!(page.url.as_str(), format!("{ORIGIN}/"), "{value}");
        let escaped = escaped.replace('+', "%20");
        if !escaped.is_empty() {
            let answer = attacked.alice.fetch(Method::DELETE, &format!("/api/auth/sessions/{escaped}")).await;
            is_refused(&answer, StatusCode::NOT_FOUND, "not-found", &value);
        }
    }
    attacked.stays_unharmed(&[token]).await;
}
