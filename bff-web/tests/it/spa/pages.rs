//! The pages of the application.

use actix_web::http::{
    Method,
    header::{ACCEPT, ACCEPT_ENCODING, HeaderName},
};
use shared_lib::testing::receive;

use super::{INDEX, application, get, nonce, serving, write};

const NAVIGATES: [(HeaderName, &str); 1] = [(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")];

/// Shows: W15
#[actix_web::test]
async fn every_page_has_a_nonce_of_its_own_and_is_kept_nowhere() {
    let folder = application();
    let world = serving(&folder, &[]).await;
    let mut nonces = std::collections::BTreeSet::new();
    for path in ["/", "/index.html", "/orders/17?tab=lines", "/users/j.doe", "/apiary"] {
        let answer = get(&world, path, &NAVIGATES).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert_eq!((answer.header("cache-control"), answer.header("etag")), (Some("no-store"), None), "{path}");
        let nonce = nonce(&answer);
        let expected = INDEX
            .replace("%CSP_NONCE%", &nonce)
            .replace("<style", &format!("<style nonce=\"{nonce}\""))
            .replace("<script", &format!("<script nonce=\"{nonce}\""));
        assert_eq!(answer.text(), expected, "{path}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(nonces.insert(nonce), "each answer has a nonce of its own");
    }
}

/// Shows: W7
#[actix_web::test]
async fn the_first_page_brings_the_token_that_unsafe_requests_need() {
    let folder = application();
    let world = serving(&folder, &[]).await;
    let mut alice = world.signed_in("alice").await;
    let before = alice.cookie("XSRF-TOKEN").map(str::to_owned);
    alice.navigate("/orders").await;
    assert_ne!(alice.cookie("XSRF-TOKEN").map(str::to_owned), before);
    assert_eq!(alice.fetch(Method::POST, "/api/auth/renew").await.status, 200);
}

#[actix_web::test]
async fn only_somebody_who_goes_to_an_address_gets_a_page_there() {
    let folder = application();
    let world = serving(&folder, &[]).await;
    let mode = HeaderName::from_static("sec-fetch-mode");
    for (path, headers, status) in [
        // A script that is not there any more, asked for by an old page, and by somebody who goes there.
        ("/main-OLDHASH0.js", &[(ACCEPT, "*/*")][..], 404),
        ("/main-OLDHASH0.js", &NAVIGATES, 404),
        ("/orders/17", &[(ACCEPT, "application/json, text/plain, */*")], 404),
        ("/orders/17", &[(mode.clone(), "cors"), (ACCEPT, "text/html")], 404),
        ("/orders/17", &[(mode.clone(), "navigate"), (ACCEPT, "text/html")], 200),
        ("/", &[(ACCEPT, "*/*")], 200),
        ("/api/nothing", &NAVIGATES, 404),
        ("/api", &NAVIGATES, 404),
    ] {
        let answer = get(&world, path, headers).await;
        assert_eq!(answer.status, status, "{path} {headers:?}");
        if status == 404 {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        }
    }
    let posted = receive(world.service.client().post(world.service.url("/main-5HXNRHVT.js")).send()).await;
    assert_eq!((posted.status.as_u16(), posted.header("allow")), (405, Some("GET, HEAD")));
    let head = receive(world.service.client().head(world.service.url("/")).send()).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[actix_web::test]
async fn pages_that_the_build_has_made_answer_for_their_addresses_compressed_where_that_pays() {
    let folder = application();
    let about = format!("<p>about us</p>{}", "<p>and about you</p>".repeat(100));
    write(folder.path(), "about/index.html", about.as_bytes());
    let world = serving(&folder, &[]).await;
    assert_eq!(get(&world, "/about", &[]).await.text(), about);
    let coded = get(&world, "/about", &[(ACCEPT_ENCODING, "br")]).await;
    assert_eq!((coded.header("content-encoding"), coded.header("vary")), (Some("br"), Some("Accept-Encoding")));
    assert!(coded.body.len() * 3 < about.len());
}
