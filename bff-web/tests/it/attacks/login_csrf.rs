//! Login CSRF: the victim's browser is made to finish the attacker's sign-in, and works in the attacker's account from then
//! on. Refused because an attempt belongs to the browser that began it (RFC 9700 section 4.7).

use actix_web::http::StatusCode;

use super::{CALLBACK, kept_answer, refusal, user};
use crate::harness::World;

/// Shows: W1
#[actix_web::test]
async fn the_attackers_sign_in_is_not_finished_in_the_victims_browser() {
    let world = World::start().await;
    let mut attacker = world.browser();
    let answer = kept_answer(&mut attacker, "bob").await;
    let link = format!("{CALLBACK}?{answer}");

    let mut nobody = world.browser();
    assert_eq!(refusal(&nobody.navigate(&link).await), (StatusCode::BAD_REQUEST, "login-expired".to_owned()));
    assert_eq!(user(&mut nobody).await, None);

    // The victim has an attempt of her own under way, whose cookie goes along.
    let mut victim = world.browser();
    let form = victim.begin_sign_in("/orders").await;
    assert_eq!(refusal(&victim.navigate(&link).await), (StatusCode::BAD_REQUEST, "login-expired".to_owned()));
    assert_eq!(user(&mut victim).await, None);
    assert_eq!(world.sandbox.provider().counters().token_calls, 0, "the code was not sent to the provider");

    assert_eq!(victim.fill_in(&form, "alice").await.url.path(), "/orders", "her own attempt is unharmed");
    assert_eq!(victim.navigate(&link).await.answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(user(&mut victim).await.as_deref(), Some("usr_alice"), "and nobody takes her place");

    // Without the attack: the same address in the browser that began.
    attacker.navigate(&link).await;
    assert_eq!(user(&mut attacker).await.as_deref(), Some("usr_bob"));
}
