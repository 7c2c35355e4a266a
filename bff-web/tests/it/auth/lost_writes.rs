//! A Redis that lost its last writes, as a crash without `appendfsync always` does: whom it concerns signs in again, and
//! nothing worse. The test puts a copy of the append-only file back that was made before those writes.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use shared_lib::testing::eventually;

use crate::harness::{Browser, PATIENCE, replicas::Replicas};

/// When access tokens are due but still serve, and the provider's clock is not too far behind for another sign-in.
const DUE: Duration = Duration::from_millis(4 * 60_000 + 1);
const SESSION: &str = "/api/auth/session";
const DASHBOARD: &str = "/api/v2/dashboard";

async fn reason(browser: &mut Browser) -> (StatusCode, Option<String>) {
    let answer = browser.get(DASHBOARD).await;
    (answer.status, answer.json()["endReason"].as_str().map(str::to_owned))
}

/// Shows: S11
#[actix_web::test]
async fn what_redis_has_lost_is_signed_in_again_and_nothing_worse() {
    let mut world = Replicas::start(1).await;
    let mut untouched = world.signed_in("carol", 0).await;
    let (mut refreshed, mut left) = (world.signed_in("alice", 0).await, world.signed_in("bob", 0).await);
    world.hand.advance(DUE);
    let kept = world.redis.keep_copy();

    // What is lost: a refresh, a sign-out, a sign-in.
    assert_eq!(refreshed.get(DASHBOARD).await.status, StatusCode::OK);
    assert_eq!(world.sandbox.provider().counters().refreshes, 1);
    let mut stolen = left.clone();
    assert_eq!(left.fetch(Method::POST, "/api/auth/logout").await.status, StatusCode::OK);
    let revoked = eventually(PATIENCE, || async { world.sandbox.provider().counters().revocations == 1 });
    assert!(revoked.await);
    let mut new = world.signed_in("user1", 0).await;
    assert_eq!(new.get(SESSION).await.status, StatusCode::OK);
    world.redis.stop();
    world.redis.put_back(&kept);
    world.redis.start_again().await;
    let back = eventually(PATIENCE, || {
        let mut untouched = untouched.clone();
        async move { untouched.get(SESSION).await.status == StatusCode::OK }
    });
    assert!(back.await, "who is in the copy is signed in");
    assert_eq!(untouched.get(DASHBOARD).await.status, StatusCode::OK, "and goes on as if nothing had been");

    assert_eq!(new.get(SESSION).await.json()["code"], "unauthenticated", "the new session is gone");
    // The refresh token in the copy was used. The provider sees it again and ends that sign-in, and no other.
    let refused = (StatusCode::UNAUTHORIZED, Some("refresh-refused".to_owned()));
    assert_eq!(reason(&mut refreshed).await, refused);
    // The session that was left is there again, but what it was granted is revoked: it ends at its next refresh.
    assert_eq!(reason(&mut stolen).await, refused);
    for browser in [&mut new, &mut refreshed, &mut stolen] {
        assert_eq!(browser.get(SESSION).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(untouched.get(DASHBOARD).await.status, StatusCode::OK, "nobody else is touched");
    for (browser, user) in [(&mut new, "usr_user1"), (&mut refreshed, "usr_alice")] {
        let page = browser.navigate("/api/auth/login?returnTo=/").await;
        assert_eq!(page.url.path(), "/", "{}", page.answer.text());
        assert_eq!(browser.get(SESSION).await.json()["user"]["id"], user, "signing in is all that it takes");
    }
}
