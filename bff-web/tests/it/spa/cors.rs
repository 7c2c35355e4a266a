//! Pages of other origins: in development, each by its name, and never otherwise.

use actix_web::http::{
    Method,
    header::{ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN},
};
use serde_json::json;
use shared_lib::testing::{Received, receive};

use crate::harness::World;

const DEVELOPMENT: &str = "http://localhost:4200";
const ALLOWED: [(&str, &str); 1] = [("BFF_WEB__CORS__ALLOWED_ORIGINS", DEVELOPMENT)];

async fn preflight(world: &World, origin: &str) -> Received {
    let request = world
        .service
        .client()
        .request(Method::OPTIONS, world.service.url("/api/v2/orders"))
        .insert_header((ORIGIN, origin))
        .insert_header((ACCESS_CONTROL_REQUEST_METHOD, "POST"))
        .insert_header((ACCESS_CONTROL_REQUEST_HEADERS, "content-type,idempotency-key,x-xsrf-token"));
    receive(request.send()).await
}

fn allowed_origin(answer: &Received) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

/// Shows: W16
#[actix_web::test]
async fn without_the_setting_no_page_of_another_origin_may_call() {
    let world = World::start().await;
    let answer = preflight(&world, DEVELOPMENT).await;
    assert_eq!((answer.status.as_u16(), allowed_origin(&answer)), (405, None));
    let mut alice = world.signed_in("alice").await;
    let answer = alice.fetch_with(Method::GET, "/api/v2/cart", &[(ORIGIN, DEVELOPMENT.to_owned())]).await;
    assert_eq!((answer.status.as_u16(), allowed_origin(&answer)), (200, None));
}

/// Shows: W16
#[actix_web::test]
async fn in_development_the_named_origins_may_call_with_credentials_and_no_other() {
    let world = World::start_with(&ALLOWED).await;
    let answer = preflight(&world, DEVELOPMENT).await;
    assert_eq!((answer.status.as_u16(), allowed_origin(&answer)), (200, Some(DEVELOPMENT)));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(allowed_origin(&preflight(&world, "http://localhost:4201").await), None);

    let mut alice = world.signed_in("alice").await;
    let token = alice.cookie("XSRF-TOKEN").expect("a token").to_owned();
    let body = json!({ "lines": [{ "productId": "SKU-00001", "quantity": 1 }] });
    for (origin, site, status) in [
        (DEVELOPMENT, "same-site", 201),
        ("http://localhost:4201", "same-site", 403),
        ("http://evil.example", "cross-site", 403),
    ] {
        let headers = [
            (ORIGIN, origin),
            (HeaderName::from_static("sec-fetch-site"), site),
            (HeaderName::from_static("x-xsrf-token"), token.as_str()),
            (HeaderName::from_static("idempotency-key"), "cors"),
        ];
        let mut request = world.service.client().post(world.service.url("/api/v2/orders"));
        for (name, value) in headers {
            request = request.insert_header((name, value));
        }
        let cookies: Vec<_> = alice.jar.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        let answer = receive(request.insert_header(("cookie", cookies.join("; "))).send_json(&body)).await;
        assert_eq!(answer.status, status, "{origin}");
        assert_eq!(allowed_origin(&answer), (origin == DEVELOPMENT).then_some(origin), "{origin}");
    }
    // An error has to be readable too, and a page of our own is no stranger.
    let refused = alice.fetch_with(Method::GET, "/api/v2/nothing", &[(ORIGIN, DEVELOPMENT.to_owned())]).await;
    assert_eq!((refused.status.as_u16(), allowed_origin(&refused)), (404, Some(DEVELOPMENT)));
    assert_eq!(alice.fetch(Method::POST, "/api/auth/renew").await.status, 200);
}
