//! Header smuggling on a proxied route: the client says who it is in fields that services believe from this BFF, in every
//! spelling. Refused by passing on what is listed by its exact name, and nothing else.

use actix_web::http::{
    StatusCode,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use shared_lib::testing::receive;

use crate::{
    harness::World,
    proxy::{FILES, Proxied, cookies},
};

/// What services might believe, as it is and in the spellings that somebody takes for it.
const IDENTITY: &[&str] = &[
    "authorization",
    "x-user-id",
    "x_user_id",
    "x-partner-id",
    "x_partner_id",
    "x-forwarded-user",
    "x_forwarded_user",
    "x-forwarded-for",
    "x_forwarded_for",
    "x-real-ip",
    "x-original-url",
    "x-auth-request-email",
    "forwarded",
    "remote_user",
    "x-request-timeout-ms",
    "connection",
];

/// Shows: W14
#[actix_web::test]
async fn what_a_client_says_of_itself_reaches_no_service_in_any_spelling() {
    let proxied = Proxied::start(&[("BFF_WEB__PROXY__FILES__REQUEST_HEADERS", "x-tenant")]).await;
    let browser = proxied.world.signed_in("alice").await;
    let world: &World = &proxied.world;
    for name in IDENTITY {
        let mut request = world.service.client().get(world.service.url(FILES));
        request = request.insert_header(("cookie", cookies(&browser))).insert_header(("x-tenant", "blue"));
        let name = HeaderName::try_from(*name).expect("a name");
        request.headers_mut().insert(name.clone(), HeaderValue::from_static("x-tenant, smuggled"));
        assert_eq!(receive(request.send()).await.status, StatusCode::OK, "{name}");
        let seen = proxied.files.seen().pop().expect("it passes, without what it says of itself");
        for (field, value) in &seen.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            assert!(!value.contains("smuggled"), "{name} came as {field}");
        }
        let token = seen.header(AUTHORIZATION.as_str()).unwrap_or_default();
        assert!(token.starts_with("Bearer eyJ"), "alice's own token goes along");
        // Without the attack: what is listed passes, and naming it in Connection does not take it away.
        assert_eq!(seen.header("x-tenant"), Some("blue"), "{name}");
    }
}
