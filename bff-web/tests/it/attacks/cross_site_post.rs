//! Cross-site request forgery on every route that changes something: what another origin's page can send, with the victim's
//! cookies as if the browser had let them go along. Refused by where the request comes from and by the token, each alone.

use actix_web::http::{
    Method, StatusCode,
    header::{HeaderName, ORIGIN as ORIGIN_HEADER},
};
use bff_web::BffWeb;
use shared_lib::{
    server::{Access, CsrfCheck},
    service::Bff,
};

use super::user;
use crate::harness::{ORIGIN, World};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const TOKEN: HeaderName = HeaderName::from_static("x-xsrf-token");

/// Every route that changes something, with values in its places; `renew` and the ends of sessions last.
fn unsafe_routes() -> Vec<(Method, String)> {
    let table = BffWeb::routes();
    let changing = table.routes().iter().filter(|route| !route.method.is_safe());
    let checked = changing.filter(|route| {
        let is_off = matches!(route.policy.csrf, CsrfCheck::Off(_));
        assert!(
            !is_off || route.policy.access == Access::Public,
            "{} goes by the session and checks nothing",
            route.path
        );
        !is_off
    });
    let mut routes: Vec<_> = checked.map(|route| (route.method.clone(), route.path.replace("{id}", "x-1"))).collect();
    routes.sort_by_key(|(_, path)| path.starts_with("/api/auth/"));
    routes
}

/// Shows: W7
#[actix_web::test]
async fn no_page_of_another_origin_changes_anything() {
    let world = World::start().await;
    let mut victim = world.signed_in("alice").await;
    let routes = unsafe_routes();
    assert!(routes.len() >= 6, "{routes:?}");
    for (method, path) in &routes {
        let token = victim.cookie("XSRF-TOKEN").expect("a token").to_owned();
        let evil = "https://evil.example".to_owned();
        for (why, headers) in [
            ("a form of another site", vec![(SITE, "cross-site".to_owned()), (ORIGIN_HEADER, evil.clone())]),
            ("with the right token", vec![(SITE, "cross-site".to_owned()), (TOKEN, token.clone())]),
            ("a sibling's page with the right token", vec![(SITE, "same-site".to_owned()), (TOKEN, token.clone())]),
            ("an older browser", vec![(ORIGIN_HEADER, evil), (TOKEN, token.clone())]),
            ("a sandboxed frame", vec![(ORIGIN_HEADER, "null".to_owned()), (TOKEN, token.clone())]),
            ("our own page, which lacks the token", vec![(SITE, "same-origin".to_owned())]),
        ] {
            let answer = victim.fetch_with(method.clone(), path, &headers).await;
            assert_eq!(
                (answer.status, answer.json()["code"].as_str()),
                (StatusCode::FORBIDDEN, Some("csrf-failed")),
                "{method} {path}: {why}"
            );
        }
        assert_eq!(user(&mut victim).await.as_deref(), Some("usr_alice"), "{method} {path}");
    }
    for (method, path) in &routes {
        // Without the attack: whatever the body is worth, the request is taken for our own page's.
        let mut own = world.signed_in("alice").await;
        let headers = [
            (SITE, "same-origin".to_owned()),
            (ORIGIN_HEADER, ORIGIN.to_owned()),
            (TOKEN, own.cookie("XSRF-TOKEN").expect("a token").to_owned()),
        ];
        let answer = own.fetch_with(method.clone(), path, &headers).await;
        assert_ne!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {}", answer.text());
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}: {}", answer.text());
    }
}
