//! Code injection: the attacker has got hold of the victim's code and puts it into an attempt of his own, to be signed in as
//! her. Refused by PKCE: the provider gives nothing for a code whose challenge came of another verifier (RFC 9700 4.5).

use actix_web::http::StatusCode;

use super::{CALLBACK, kept_answer, parameter, refusal, user, with_parameter};
use crate::harness::World;

/// Shows: W1
#[actix_web::test]
async fn a_stolen_code_signs_nobody_in_through_another_attempt() {
    let world = World::start().await;
    let (mut victim, mut attacker) = (world.browser(), world.browser());
    let stolen = kept_answer(&mut victim, "alice").await;
    let own = kept_answer(&mut attacker, "bob").await;
    let injected = with_parameter(&own, "code", &parameter(&stolen, "code"));
    let page = attacker.navigate(&format!("{CALLBACK}?{injected}")).await;
    assert_eq!(refusal(&page), (StatusCode::BAD_REQUEST, "login-refused".to_owned()));
    assert_eq!(world.sandbox.provider().counters().token_calls, 1, "it is the provider that refuses");
    assert_eq!(user(&mut attacker).await, None);

    // Without the attack: an attempt of his own with the code that belongs to it.
    let own = kept_answer(&mut attacker, "bob").await;
    attacker.navigate(&format!("{CALLBACK}?{own}")).await;
    assert_eq!(user(&mut attacker).await.as_deref(), Some("usr_bob"));
}

/// Shows: W1
#[actix_web::test]
async fn an_answer_of_the_provider_is_good_once() {
    let world = World::start().await;
    let mut victim = world.browser();
    let answer = kept_answer(&mut victim, "alice").await;
    // Whoever reads her history later has the address, and perhaps even the cookies of that time.
    let mut earlier = victim.clone();
    victim.navigate(&format!("{CALLBACK}?{answer}")).await;
    assert_eq!(user(&mut victim).await.as_deref(), Some("usr_alice"));
    let again = victim.navigate(&format!("{CALLBACK}?{answer}")).await;
    assert_eq!(refusal(&again), (StatusCode::BAD_REQUEST, "login-expired".to_owned()), "the attempt is over");
    let page = earlier.navigate(&format!("{CALLBACK}?{answer}")).await;
    assert_eq!(refusal(&page), (StatusCode::BAD_REQUEST, "login-refused".to_owned()), "the code is used up");
    assert_eq!(user(&mut earlier).await, None);
}
