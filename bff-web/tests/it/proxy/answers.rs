//! What browsers get of a service's answers.

use actix_web::http::{Method, StatusCode};
use serde_json::json;
use shared_lib::testing::Answer;

use super::{FILES, Proxied};

/// Shows: W14, W15
#[actix_web::test]
async fn an_answer_passes_with_what_is_listed_and_without_what_speaks_for_this_origin() {
    let proxied = Proxied::start(&[("BFF_WEB__PROXY__FILES__RESPONSE_HEADERS", "x-total-count")]).await;
    let mut alice = proxied.world.signed_in("alice").await;
    let cookies = alice.jar.clone();
    proxied.files.push(
        Answer::status(200)
            .body("text/html", "<script>alert(1)</script>")
            .header("set-cookie", "trifront-session=theirs; Path=/")
            .header("access-control-allow-origin", "*")
            .header("content-security-policy", "script-src *")
            .header("server", "Tomcat")
            .header("cache-control", "public, max-age=3600")
            .header("expires", "Thu, 01 Jan 2099 00:00:00 GMT")
            .header("vary", "Accept")
            .header("etag", "\"1\"")
            .header("x-total-count", "7")
            .header("x-powered-by", "PHP"),
    );
    let answer = alice.get(FILES).await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "<script>alert(1)</script>"));
    assert_eq!(alice.jar, cookies, "no cookie is set");
    let policy = "default-src 'none'; frame-ancestors 'none'; sandbox";
    for (name, value) in [
        ("content-type", Some("text/html")),
        ("content-security-policy", Some(policy)),
        ("x-content-type-options", Some("nosniff")),
        ("cache-control", Some("private, no-cache")),
        ("etag", Some("\"1\"")),
        ("x-total-count", Some("7")),
        ("expires", None),
        ("access-control-allow-origin", None),
        ("server", None),
        ("x-powered-by", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.header_values("vary"), ["Accept", "Cookie"]);
    assert_eq!(alice.get(FILES).await.header("cache-control"), Some("no-store"), "there is nothing to ask by");
}

/// Shows: W14
#[actix_web::test]
async fn the_services_own_refusals_pass_and_its_failures_do_not() {
    let proxied = Proxied::start(&[]).await;
    let mut alice = proxied.world.signed_in("alice").await;
    let theirs = json!({ "error": "theirs", "at": "10.0.0.7" });
    for status in [400, 404, 409, 410, 412, 415, 422] {
        proxied.files.push(Answer::json(&theirs).with_status(status));
        let answer = alice.get(FILES).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (status, theirs.clone()));
    }
    for (status, expected, code) in [
        (401, 502, "downstream-error"),
        (403, 403, "forbidden"),
        (407, 502, "downstream-invalid-response"),
        (429, 503, "downstream-unavailable"),
        (500, 502, "downstream-error"),
        (503, 503, "downstream-unavailable"),
        (504, 504, "downstream-timeout"),
    ] {
        // Whatever was passed on by the policy of repetitions ends the same.
        proxied.files.answer(Answer::json(&theirs).with_status(status).header("www-authenticate", "Basic realm=\"x\""));
        let answer = alice.get(FILES).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (expected, &json!(code)), "{status}");
        assert!(
            !answer.text().contains("10.0.0.7") && answer.header("www-authenticate").is_none(),
            "{}",
            answer.text()
        );
    }
}

/// Shows: W14
#[actix_web::test]
async fn a_redirect_within_the_route_is_translated_and_any_other_is_refused() {
    let proxied = Proxied::start(&[]).await;
    let mut alice = proxied.world.signed_in("alice").await;
    let absolute = format!("{}/base/v3/b?c=d", proxied.files.url());
    for (location, expected) in [
        (absolute.as_str(), Some("/api/files/b?c=d")),
        ("/base/v3/b/c", Some("/api/files/b/c")),
        ("b", Some("/api/files/b")),
        ("../v3", Some("/api/files")),
        ("/base/v3x", None),
        ("/base/other", None),
        ("/v3/b", None),
        ("../../admin", None),
        ("/base/v3/%2e%2e/x", None),
        ("/base/v3/a%2fb", None),
        ("http://10.0.0.7:8080/base/v3/b", None),
        ("//evil.example/base/v3/b", None),
        ("https://evil.example/", None),
        ("javascript:alert(1)", None),
    ] {
        proxied.files.push(Answer::status(302).header("location", location).body("text/html", location.to_owned()));
        let answer = alice.get(&format!("{FILES}/a")).await;
        assert_eq!(answer.header("location"), expected, "{location}");
        let status = if expected.is_some() { 302 } else { 502 };
        assert_eq!(answer.status.as_u16(), status, "{location}");
        assert!(expected.is_none() || answer.body.is_empty(), "{location}");
        assert!(!answer.text().contains("evil") && !answer.text().contains("10.0.0.7"), "{location}");
    }
    // What was created is there all the same; only where that is cannot be said.
    proxied.files.push(Answer::json(&json!({ "id": 1 })).with_status(201).header("location", "http://10.0.0.7/1"));
    let created = alice.fetch(Method::POST, FILES).await;
    assert_eq!((created.status, created.header("location")), (StatusCode::CREATED, None));
}

/// Shows: W14
#[actix_web::test]
async fn conditions_and_heads_are_answered_by_the_service() {
    let proxied = Proxied::start(&[]).await;
    let mut alice = proxied.world.signed_in("alice").await;
    proxied.files.push(Answer::status(304).header("etag", "\"1\""));
    let header = (actix_web::http::header::IF_NONE_MATCH, "\"1\"".to_owned());
    let answer = alice.fetch_with(Method::GET, FILES, &[header]).await;
    assert_eq!((answer.status, answer.header("etag")), (StatusCode::NOT_MODIFIED, Some("\"1\"")));
    assert_eq!(proxied.files.seen()[0].header("if-none-match"), Some("\"1\""));
    let head = alice.fetch(Method::HEAD, FILES).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (StatusCode::OK, Some("11"), 0));
    assert_eq!(proxied.files.seen()[1].method, Method::HEAD);
}
