//! Session fixation: the attacker plants a session in the victim's browser and waits until she signs in with it. Refused
//! because every sign-in makes a session of its own and ends the one that was there (ASVS 5.0 V7.2.4).

use actix_web::http::StatusCode;

use super::{SESSION, is_alive, user};
use crate::harness::{Browser, World, browser::JarCookie};

const COOKIE: &str = "trifront-session";

fn session_cookie(browser: &Browser) -> JarCookie {
    browser.jar.iter().find(|cookie| cookie.name == COOKIE).expect("a session").clone()
}

/// Shows: W4
#[actix_web::test]
async fn a_session_that_the_attacker_planted_is_not_the_one_that_the_victim_signs_in_to() {
    // A Strict cookie does not come along when the provider sends the browser back; a Lax one does.
    for same_site in ["strict", "lax"] {
        let world = World::start_with(&[("BFF_WEB__SESSION__COOKIE_SAME_SITE", same_site)]).await;
        let mut attacker = world.signed_in("bob").await;
        let planted = session_cookie(&attacker);
        let mut victim = world.browser();
        victim.jar.push(planted.clone());
        assert_eq!(user(&mut victim).await.as_deref(), Some("usr_bob"), "it is planted");

        victim.sign_in("alice", "/").await;
        assert_ne!(session_cookie(&victim).value, planted.value, "{same_site}");
        assert_eq!(user(&mut victim).await.as_deref(), Some("usr_alice"), "{same_site}");
        assert!(is_alive(&mut victim).await);
        let old = attacker.get(SESSION).await;
        assert_eq!((old.status, &old.json()["code"]), (StatusCode::UNAUTHORIZED, &"unauthenticated".into()));
    }
}

/// Shows: W4
#[actix_web::test]
async fn a_session_key_that_the_attacker_made_up_is_none_before_and_after() {
    let world = World::start().await;
    let mut victim = world.signed_in("alice").await;
    let genuine = session_cookie(&victim);
    // A right signature is what the attacker does not have; a known key is all that he has.
    let mut made_up = genuine.clone();
    made_up.value = format!("{}{}", &genuine.value[..44], "A".repeat(43));
    let mut planted = world.browser();
    planted.jar.push(made_up.clone());
    assert_eq!(user(&mut planted).await, None);
    planted.sign_in("alice", "/").await;
    assert_ne!(session_cookie(&planted).value, made_up.value);
    let mut attacker = world.browser();
    attacker.jar.push(made_up);
    assert_eq!(user(&mut attacker).await, None);
    assert_eq!(user(&mut planted).await.as_deref(), Some("usr_alice"));
    assert_eq!(user(&mut victim).await.as_deref(), Some("usr_alice"), "the genuine one is one");
}
