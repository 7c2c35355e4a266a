//! How keys come, stay and go: rotation, a provider that is away, and clients that make up key names.

use std::{rc::Rc, time::Duration};

use futures_util::future::join_all;
use serde_json::json;
use shared_lib::jwt::{Algorithm, KeySetSettings, TokenError};
use tokio::sync::Notify;

use super::issuer::{SigningKey, World, part, request};

/// Checks only the signature, which is what keys are for.
async fn verify(world: &World, key: &SigningKey, kid: &str) -> Result<(), TokenError> {
    let token = key.sign(&json!({ "alg": "ES256", "kid": kid }), &json!({}));
    world.keys.verify(&request(), &token, &Algorithm::ALL).await.map(|_| ())
}

/// Lets tasks of this thread that are ready run.
async fn let_others_run() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// Shows: M2
#[actix_web::test]
async fn keys_are_fetched_once_and_then_kept() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    assert_eq!(world.keys.set().status().age, None);
    for _ in 0..10 {
        assert_eq!(verify(&world, &key, "k1").await, Ok(()));
    }
    assert_eq!(world.source.fetches.get(), 1);
    let status = world.keys.set().status();
    assert_eq!((status.keys, status.age, status.last_fetch_failed), (1, Some(Duration::ZERO), false));
}

/// Shows: M2
#[actix_web::test]
async fn many_requests_for_the_first_key_make_one_fetch() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let gate = Rc::new(Notify::new());
    world.source.gate.replace(Some(Rc::clone(&gate)));
    let open = async {
        let_others_run().await;
        gate.notify_one();
    };
    let requests = join_all((0..50).map(|_| verify(&world, &key, "k1")));
    let (results, ()) = futures_util::join!(requests, open);
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(world.source.fetches.get(), 1);
}

/// Shows: M2
#[actix_web::test]
async fn a_new_key_is_fetched_at_once_and_so_is_the_next() {
    let keys = [SigningKey::p256("k1"), SigningKey::p256("k2"), SigningKey::p256("k3")];
    let world = World::new(&[&keys[0]]);
    assert_eq!(verify(&world, &keys[0], "k1").await, Ok(()));
    // No time passes: a name that proved true does not begin a cool-down.
    for key in &keys[1..] {
        world.source.keys.borrow_mut().push(key.jwk());
        assert_eq!(verify(&world, key, key.kid).await, Ok(()));
    }
    assert_eq!(world.source.fetches.get(), 3);
}

/// Asks with so many key names that nobody has used before, and gives how many fetches they caused. No signature is ever
/// looked at, so one serves for all.
async fn made_up(world: &World, names: u32, expected: TokenError) -> usize {
    let token = SigningKey::p256("k1").sign(&json!({}), &json!({}));
    let (_, rest) = token.split_once('.').expect("three parts");
    let (context, before) = (request(), world.source.fetches.get());
    for name in 0..names {
        let header = part(format!("{{\"alg\":\"ES256\",\"kid\":\"made-up-{before}-{name}\"}}"));
        let refused = world.keys.verify(&context, &format!("{header}.{rest}"), &Algorithm::ALL).await;
        assert_eq!(refused.map(|_| ()), Err(expected));
    }
    world.source.fetches.get() - before
}

/// Shows: M2
#[actix_web::test]
async fn a_hundred_thousand_made_up_key_names_make_one_fetch_a_cool_down() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    assert_eq!(verify(&world, &key, "k1").await, Ok(()));
    assert_eq!(made_up(&world, 100_000, TokenError::UnknownKey).await, 1);
    for _ in 0..3 {
        world.hand.advance(KeySetSettings::default().cool_down - Duration::from_millis(1));
        assert_eq!(made_up(&world, 1_000, TokenError::UnknownKey).await, 0);
        world.hand.advance(Duration::from_millis(1));
        assert_eq!(made_up(&world, 1_000, TokenError::UnknownKey).await, 1);
    }
    assert_eq!(verify(&world, &key, "k1").await, Ok(()), "the good key serves all the while");
}

/// Shows: M2
#[actix_web::test]
async fn made_up_key_names_make_one_fetch_a_cool_down_with_an_empty_set_too() {
    let empty = World::new(&[]);
    assert_eq!(made_up(&empty, 100_000, TokenError::UnknownKey).await, 1);
    empty.hand.advance(KeySetSettings::default().cool_down);
    assert_eq!(made_up(&empty, 1_000, TokenError::UnknownKey).await, 1);

    let away = World::new(&[]);
    away.source.away.set(true);
    assert_eq!(made_up(&away, 1_000, TokenError::KeysUnavailable).await, 1);
}

/// Shows: M2, S14
#[actix_web::test]
async fn old_keys_serve_for_as_long_as_the_provider_is_away() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    assert_eq!(verify(&world, &key, "k1").await, Ok(()));
    world.source.away.set(true);
    for _ in 0..30 {
        world.hand.advance(Duration::from_secs(24 * 3600));
        assert_eq!(verify(&world, &key, "k1").await, Ok(()));
        let_others_run().await;
    }
    assert_eq!(world.source.fetches.get(), 31, "it was asked each time");
    assert!(world.keys.set().status().last_fetch_failed);
    let unknown = verify(&world, &key, "k2").await;
    assert_eq!(unknown, Err(TokenError::KeysUnavailable), "the token may be good; its bearer should keep it");
    assert!(!TokenError::KeysUnavailable.is_token_fault());
}

/// Shows: M2
#[actix_web::test]
async fn keys_are_refreshed_in_the_background_and_a_withdrawn_one_is_forgotten() {
    let (old, new) = (SigningKey::p256("k1"), SigningKey::p256("k2"));
    let world = World::new(&[&old]);
    assert_eq!(verify(&world, &old, "k1").await, Ok(()));
    world.source.keys.replace(vec![new.jwk()]);
    world.hand.advance(KeySetSettings::default().refresh_after - Duration::from_secs(1));
    assert_eq!(verify(&world, &old, "k1").await, Ok(()));
    let_others_run().await;
    assert_eq!(world.source.fetches.get(), 1, "they are not old yet");
    world.hand.advance(Duration::from_secs(1));
    assert_eq!(verify(&world, &old, "k1").await, Ok(()), "nobody waits for the refresh");
    let_others_run().await;
    assert_eq!(world.source.fetches.get(), 2);
    assert_eq!(verify(&world, &new, "k2").await, Ok(()));
    assert_eq!(world.source.fetches.get(), 2, "the schedule had brought it");
    assert_eq!(verify(&world, &old, "k1").await, Err(TokenError::UnknownKey));
}

/// Shows: M2, S14
#[actix_web::test]
async fn a_provider_that_is_away_at_the_start_is_found_when_it_comes() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    world.source.away.set(true);
    assert_eq!(verify(&world, &key, "k1").await, Err(TokenError::KeysUnavailable));
    world.source.away.set(false);
    world.hand.advance(KeySetSettings::default().cool_down);
    assert_eq!(verify(&world, &key, "k1").await, Ok(()));
}

/// Shows: M2
#[actix_web::test]
async fn a_fetch_goes_on_when_the_request_that_caused_it_is_gone() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    let gate = Rc::new(Notify::new());
    world.source.gate.replace(Some(Rc::clone(&gate)));
    {
        let gone = std::pin::pin!(verify(&world, &key, "k1"));
        let others = std::pin::pin!(let_others_run());
        let first = futures_util::future::select(gone, others).await;
        assert!(matches!(first, futures_util::future::Either::Right(_)), "it waits for the fetch");
    }
    gate.notify_one();
    assert_eq!(verify(&world, &key, "k1").await, Ok(()));
    assert_eq!(world.source.fetches.get(), 1);
}

/// Shows: M2
#[actix_web::test]
async fn keeping_fresh_fetches_before_the_first_request() {
    let key = SigningKey::p256("k1");
    let world = World::new(&[&key]);
    world.keys.keep_fresh();
    world.keys.keep_fresh();
    let_others_run().await;
    assert_eq!(world.source.fetches.get(), 1, "two workers, one fetch");
    assert_eq!(world.keys.set().status().keys, 1);
}

/// Shows: M2
#[actix_web::test]
async fn the_number_of_keys_is_bounded_and_a_broken_one_does_not_count() {
    let keys = [SigningKey::p256("k1"), SigningKey::p256("k2"), SigningKey::p256("k3")];
    let settings = KeySetSettings { max_keys: 2, ..KeySetSettings::default() };
    let world = World::with_settings(&[&keys[0], &keys[1], &keys[2]], settings);
    world.source.keys.borrow_mut().insert(0, json!({ "kty": "broken" }));
    assert_eq!(verify(&world, &keys[1], "k2").await, Ok(()));
    assert_eq!(world.keys.set().status().keys, 2);
    assert_eq!(verify(&world, &keys[2], "k3").await, Err(TokenError::UnknownKey));
}

/// Shows: M1
#[actix_web::test]
async fn a_token_without_a_key_name_needs_exactly_one_key_that_fits() {
    let (one, two, other) = (SigningKey::p256("k1"), SigningKey::p256("k2"), SigningKey::ed25519("ed"));
    let unnamed = |key: &SigningKey| key.sign(&json!({ "alg": "ES256" }), &json!({}));
    let verify = async |world: &World| {
        let result = world.keys.verify(&request(), &unnamed(&one), &Algorithm::ALL).await;
        result.map(|_| ())
    };
    assert_eq!(verify(&World::new(&[&one, &other])).await, Ok(()));
    assert_eq!(verify(&World::new(&[&one, &two])).await, Err(TokenError::UnknownKey));
}
