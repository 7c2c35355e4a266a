//! Open redirect: a link to this site that ends at the attacker's. Refused because only local paths are followed, and because
//! no address is made of what a request says about its host.

use actix_web::http::{
    Method, StatusCode,
    header::{ACCEPT, HOST, HeaderName, LOCATION},
};
use shared_lib::testing::receive;
use url::form_urlencoded::byte_serialize;

use super::user;
use crate::harness::{ORIGIN, World};

/// What browsers, proxies or frameworks have been seen to take for another site.
const ELSEWHERE: &[&str] = &[
    "https://evil.example",
    "HTTPS:evil.example",
    "https:/\\evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "\\/\\/evil.example",
    "/%2f/evil.example",
    "/%2fevil.example",
    "/%5cevil.example",
    "/%255cevil.example",
    "/%09/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\u{0}//evil.example",
    " //evil.example",
    "/ /evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/orders/..//evil.example",
    "/%2e%2e//evil.example",
    "/;@evil.example/..//evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "@evil.example",
    ".evil.example",
    "/\u{2044}evil.example",
    "/\u{ff0f}/evil.example",
    "/\u{3002}/evil.example",
    "http:evil.example",
    "?url=//evil.example",
    "/orders\r\nLocation: https://evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "/api/auth/login?returnTo=//evil.example",
];

/// Shows: W8
#[actix_web::test]
async fn no_link_to_the_sign_in_leads_to_another_site() {
    let world = World::start().await;
    let mut browser = world.browser();
    for address in ELSEWHERE {
        let value: String = byte_serialize(address.as_bytes()).collect();
        let page = browser.navigate(&format!("/api/auth/login?returnTo={value}")).await;
        let said = page.answer.json();
        assert_eq!(
            (page.answer.status, &said["code"], &said["errors"][0]["field"]),
            (StatusCode::BAD_REQUEST, &"validation-failed".into(), &"returnTo".into()),
            "{address:?}"
        );
        assert_eq!(page.answer.header("location"), None, "{address:?}");
    }
    assert_eq!(browser.jar.iter().filter(|cookie| cookie.name.starts_with("login-")).count(), 0, "nothing was begun");

    // Without the attack, with what looks like one: it stays here.
    for address in ["/orders?next=//evil.example", "/orders#//evil.example", "/@evil.example", "/a//evil.example"] {
        let mut browser = world.browser();
        let page = browser.sign_in("alice", address).await;
        assert_eq!(page.url.as_str(), format!("{ORIGIN}{address}"));
    }
}

/// Shows: W8
#[actix_web::test]
async fn no_address_is_made_of_the_host_that_a_request_says() {
    let world = World::start().await;
    let ask = |path: &str, fields: &[(HeaderName, &str)]| {
        let mut request = world.service.client().request(Method::GET, world.service.url(path));
        for (name, value) in fields {
            request = request.insert_header((name.clone(), *value));
        }
        receive(request.insert_header((ACCEPT, "text/html")).send())
    };
    let forged = [
        (HOST, "evil.example"),
        (HeaderName::from_static("x-forwarded-host"), "evil.example"),
        (HeaderName::from_static("x-forwarded-proto"), "https"),
        (HeaderName::from_static("forwarded"), "host=evil.example;proto=https"),
        (HeaderName::from_static("x-original-url"), "//evil.example"),
    ];
    for fields in [&forged[..], &[]] {
        let login = ask("/api/auth/login", fields).await;
        let location = login.header(LOCATION.as_str()).expect("an address").to_owned();
        assert!(location.starts_with(&format!("{}/authorize?", world.sandbox.issuer())), "{location}");
        let dashboard = ask("/api/v2/dashboard", fields).await;
        let location = dashboard.header(LOCATION.as_str()).expect("an address");
        assert_eq!(location, "/api/auth/login?returnTo=%2Fapi%2Fv2%2Fdashboard");
        let logout = ask("/api/auth/logout", fields).await;
        assert_eq!(logout.header(LOCATION.as_str()), Some("/"));
    }
    // The provider was told where to send the browser, and that is this site.
    let mut browser = world.browser();
    let page = browser.sign_in("alice", "/").await;
    assert_eq!(page.url.as_str(), format!("{ORIGIN}/"));
    assert_eq!(user(&mut browser).await.as_deref(), Some("usr_alice"));
}
