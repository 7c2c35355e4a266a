//! W11 with replicas that are processes, killed with SIGKILL at exact points of a refresh.
//!
//! A wire between the replica and Redis, or the provider, holds the message that marks the point, and the test kills the
//! replica when the wire says so. Access tokens are short-lived here; nothing waits for a time, only for what comes of it.

use std::time::Duration;

use actix_web::http::StatusCode;
use futures_util::future::{join, join_all};
use sandbox::chaos::Rule;
use serde_json::json;
use shared_lib::{clock::Clock, testing::eventually};

use crate::harness::{
    Browser, PATIENCE,
    fleet::Fleet,
    wire::Held::{self, Answer, Message},
};

const ORDERS: &str = "/api/v2/orders?size=1";
const SESSION: &str = "/api/auth/session";

const LONG: Duration = Duration::from_secs(300);

/// What is recognised in a script, or at the beginning of a request.
const LEASE: &str = "'HINCRBY', KEYS[1], 'fence'";
const INTEND: &str = "'intent', ARGV[2]";
const SETTLE: &str = "'HDEL', KEYS[1], 'intent'";
const REFRESH: &str = "POST /token";

/// Two replicas after the first one was killed in a refresh of alice's tokens.
struct Aftermath {
    fleet: Fleet,
    alice: Browser,
    bob: Browser,
}

/// Kills the replica that refreshes tokens of this lifetime, where `held` of `point` is.
async fn killed_at(point: &str, held: Held, lifetime: Duration) -> Aftermath {
    let mut fleet = Fleet::start(&[]).await;
    fleet.access_tokens_live(LONG);
    let bob = fleet.replicas[1].process.signed_in("bob").await;
    fleet.access_tokens_live(lifetime);
    let alice = fleet.replicas[0].process.signed_in("alice").await;
    fleet.access_tokens_live(LONG);
    let first = &fleet.replicas[0];
    let wire = if point == REFRESH { &first.provider } else { &first.redis };
    wire.hold(point, held);
    let mut asking = alice.clone();
    // Until the token is due, and then the one that waits for the refresh.
    let asking = actix_web::rt::spawn(async move {
        loop {
            assert_eq!(asking.get(ORDERS).await.status, StatusCode::OK);
        }
    });
    wire.is_held().await;
    fleet.replicas[0].process.kill();
    asking.abort();
    let alice = alice.led_to(fleet.replicas[1].process.url());
    Aftermath { fleet, alice, bob }
}

impl Aftermath {
    /// The other replica refreshes, and nobody is signed out.
    async fn the_other_refreshes(mut self) {
        assert_eq!(self.alice.get(ORDERS).await.status, StatusCode::OK);
        let refreshed = eventually(PATIENCE, || {
            let (mut alice, fleet) = (self.alice.clone(), &self.fleet);
            async move {
                assert_eq!(alice.get(ORDERS).await.status, StatusCode::OK, "alice stays signed in");
                fleet.refreshes() == (1, 0)
            }
        });
        assert!(refreshed.await, "the other replica refreshes: {:?}", self.fleet.refreshes());
        assert_eq!(self.bob.get(ORDERS).await.status, StatusCode::OK);
        assert_eq!(self.alice.get(ORDERS).await.status, StatusCode::OK);
        assert_eq!(self.fleet.refreshes(), (1, 0));
    }

    /// Nothing is sent again; the access token serves to its end, and then that one session ends with a reason.
    async fn it_serves_to_the_end(mut self, granted: u64) {
        let sent = self.fleet.sandbox.provider().counters().token_calls;
        for _ in 0..3 {
            assert_eq!(self.alice.get(ORDERS).await.status, StatusCode::OK, "the access token serves");
        }
        let end = eventually(PATIENCE, || {
            let mut alice = self.alice.clone();
            async move {
                let answer = alice.get(ORDERS).await;
                if answer.status != StatusCode::UNAUTHORIZED {
                    return false;
                }
                let said = answer.json();
                assert_eq!((&said["reason"], &said["endReason"]), (&json!("session-ended"), &json!("tokens-ended")));
                true
            }
        });
        assert!(end.await, "the session ends with its access token");
        assert_eq!(self.alice.get(SESSION).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(self.bob.get(ORDERS).await.status, StatusCode::OK, "nobody else's session is touched");
        assert_eq!(self.fleet.refreshes(), (granted, 0));
        assert_eq!(self.fleet.sandbox.provider().counters().token_calls, sent, "nothing was sent again");
        let log = self.fleet.replicas[1].process.log();
        assert!(
            log.contains("a refresh token may have been sent by a replica that is gone"),
            "operators are told:\n{log}"
        );
        assert!(!log.contains("eyJ"), "and no token is");
        let mut again = self.alice.clone();
        again.navigate("/api/auth/login?returnTo=/").await;
        assert_eq!(again.get(ORDERS).await.status, StatusCode::OK, "and signing in is all that it takes");
    }
}

/// Long enough for what follows the kill, of which half goes by before it.
const SHORT: Duration = Duration::from_secs(10);
const SHORTER: Duration = Duration::from_secs(4);

/// Shows: W11
#[actix_web::test]
async fn a_process_killed_before_the_lease_leaves_the_refresh_to_another() {
    killed_at(LEASE, Message, SHORTER).await.the_other_refreshes().await;
}

/// Shows: W11
#[actix_web::test]
async fn a_process_killed_after_the_lease_and_before_it_says_that_it_sends_leaves_the_refresh_to_another() {
    let with_the_lease = async { killed_at(LEASE, Answer, SHORTER).await.the_other_refreshes().await };
    let about_to_say_so = async { killed_at(INTEND, Message, SHORTER).await.the_other_refreshes().await };
    join(with_the_lease, about_to_say_so).await;
}

/// Shows: W11
#[actix_web::test]
async fn a_process_killed_between_sending_and_the_answer_costs_one_session_its_refresh() {
    // It has said that it sends and has not: nobody can tell this from the others.
    let not_sent = async { killed_at(INTEND, Answer, SHORT).await.it_serves_to_the_end(0).await };
    let not_arrived = async { killed_at(REFRESH, Message, SHORT).await.it_serves_to_the_end(0).await };
    let arrived = async { killed_at(REFRESH, Answer, SHORT).await.it_serves_to_the_end(1).await };
    join(not_sent, join(not_arrived, arrived)).await;
}

/// Shows: W11
#[actix_web::test]
async fn a_process_killed_between_the_answer_and_the_write_costs_one_session_its_refresh() {
    let not_written = async { killed_at(SETTLE, Message, SHORT).await.it_serves_to_the_end(1).await };
    // The write was done, and only the word of it is lost: then nothing is.
    let written = async { killed_at(SETTLE, Answer, SHORTER).await.the_other_refreshes().await };
    join(not_written, written).await;
}

/// Shows: W11
#[actix_web::test]
async fn two_hundred_requests_over_two_processes_refresh_once_and_sign_nobody_out() {
    let fleet = Fleet::start(&[]).await;
    fleet.access_tokens_live(SHORTER);
    let alice = fleet.replicas[0].process.signed_in("alice").await;
    let clock = Clock::system();
    let given = clock.wall();
    fleet.access_tokens_live(LONG);
    let has_ended = || async { clock.wall().duration_since(given).unsigned_abs() > SHORTER };
    assert!(eventually(PATIENCE, has_ended).await, "the access token ends");
    // Slow enough that all of them come while it lasts.
    let slow = Rule::latency(Duration::from_millis(300)).on("/token");
    fleet.sandbox.chaos().set("provider", vec![slow]).expect("the rule is valid");
    let mut browsers: Vec<_> = (0..200).map(|number| alice.led_to(fleet.replicas[number % 2].process.url())).collect();
    let answers = join_all(browsers.iter_mut().map(|browser| browser.get(ORDERS))).await;
    let other: Vec<_> = answers.iter().filter(|answer| answer.status != StatusCode::OK).collect();
    assert!(other.is_empty(), "{} of 200, such as {}", other.len(), other[0].text());
    assert_eq!(fleet.refreshes(), (1, 0));
}
