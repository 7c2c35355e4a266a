//! Mix-up: an answer of one provider is taken for another's, and its code sent there. Refused by `iss` (RFC 9207), before
//! the code goes anywhere.

use actix_web::http::StatusCode;

use super::{CALLBACK, kept_answer, parameter, refusal, user, with_parameter};
use crate::harness::World;

/// Shows: W2
#[actix_web::test]
async fn an_answer_of_another_provider_is_refused_before_its_code_is_sent() {
    let world = World::start().await;
    let issuer = world.sandbox.issuer().to_owned();
    let mut browser = world.browser();
    for other in [
        "https://evil.example".to_owned(),
        format!("{issuer}/"),
        issuer.to_uppercase(),
        format!("{issuer}.evil.example"),
        issuer.replace("http:", "https:"),
        String::new(),
    ] {
        let answer = with_parameter(&kept_answer(&mut browser, "alice").await, "iss", &other);
        let page = browser.navigate(&format!("{CALLBACK}?{answer}")).await;
        assert_eq!(refusal(&page), (StatusCode::BAD_REQUEST, "login-refused".to_owned()), "{other:?}");
    }
    let without = kept_answer(&mut browser, "alice").await;
    let without = without.replace("iss=", "was=");
    let page = browser.navigate(&format!("{CALLBACK}?{without}")).await;
    assert_eq!(refusal(&page), (StatusCode::BAD_REQUEST, "login-refused".to_owned()), "this provider always says it");

    // Both said at once, the right one last.
    let twice = kept_answer(&mut browser, "alice").await;
    let page = browser.navigate(&format!("{CALLBACK}?iss=https%3A%2F%2Fevil.example&{twice}")).await;
    assert_eq!(refusal(&page), (StatusCode::BAD_REQUEST, "login-expired".to_owned()));
    assert_eq!(user(&mut browser).await, None);
    assert_eq!(world.sandbox.provider().counters().token_calls, 0, "no code was sent anywhere");

    // Without the attack.
    let answer = kept_answer(&mut browser, "alice").await;
    assert_eq!(parameter(&answer, "iss"), issuer);
    browser.navigate(&format!("{CALLBACK}?{answer}")).await;
    assert_eq!(user(&mut browser).await.as_deref(), Some("usr_alice"));
}
