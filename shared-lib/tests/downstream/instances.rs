//! Instances that come, go, and move.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Mutex,
    time::Duration,
};

use sandbox::{
    Sandbox,
    chaos::{Fault, Rule},
};
use serde_json::json;
use shared_lib::{
    clock::Clock,
    downstream::{Discover, Resolve},
    testing::{Answer, FakeDownstream, eventually},
};
use url::Url;

use crate::harness::{PATIENCE, Process, reason, request};

/// Categories at 127.0.0.`host`, at a port of their own or at this one.
async fn categories(host: u8, port: u16) -> Sandbox {
    let ports = sandbox::Ports { services: port, ..sandbox::Ports::default() };
    let host = IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
    Sandbox::builder().only(["categories"]).host(host).ports(ports).start().await.expect("an instance")
}

fn seen(sandbox: &Sandbox) -> usize {
    sandbox.chaos().calls("categories").len()
}

/// Asks as many times at once, and counts the errors.
async fn errors_of(process: &Process, calls: usize) -> usize {
    let calls = (0..calls).map(|number| {
        let call = process.downstream.get(&request(), &[]).query(&[("number", number)]);
        async move { call.send().await.is_err() }
    });
    futures_util::future::join_all(calls).await.into_iter().filter(|failed| *failed).count()
}

/// Shows: S4, S3
#[actix_web::test]
async fn an_instance_that_dies_and_returns_costs_nobody_an_error() {
    let (mortal, other) = (categories(2, 0).await, categories(3, 0).await);
    let mortal_url = mortal.url("categories");
    let port = Url::parse(&mortal_url).ok().and_then(|url| url.port()).expect("a port");
    let (clock, hand) = Clock::manual();
    let process = Process::with_clock(&[mortal_url, other.url("categories")], &clock, |settings| {
        settings.balance.slow_start_ms = 0;
        // Every call that the death catches in flight may need a second attempt.
        settings.retry.budget_ratio = 1.0;
    });
    assert_eq!(errors_of(&process, 20).await, 0);
    assert!(seen(&mortal) > 0 && seen(&other) > 0, "both are in use");

    // It dies with calls in flight.
    mortal.chaos().set("categories", vec![Rule::fault(Fault::Hang)]).expect("a rule");
    let before = seen(&mortal);
    let (errors, ()) = futures_util::join!(errors_of(&process, 20), async {
        assert!(eventually(PATIENCE, || async { seen(&mortal) > before }).await, "calls hang on it");
        actix_web::web::block(move || drop(mortal)).await.expect("it stops");
    });
    assert_eq!(errors, 0, "calls in flight go to the other");
    assert_eq!(errors_of(&process, 50).await, 0, "further calls find the other");
    let ejected =
        process.registry.balancers()["shop"].instances.iter().filter(|one| one.ejected_for_ms.is_some()).count();
    assert_eq!(ejected, 1, "it is left out: {:?}", process.registry.balancers());

    let returned = categories(2, port).await;
    hand.advance(Duration::from_secs(31));
    assert_eq!(errors_of(&process, 50).await, 0);
    assert!(seen(&returned) > 0, "it is in use again");
    process.assert_idle("after all that").await;
}

/// Shows: S3
#[actix_web::test]
async fn a_post_that_was_in_flight_on_a_dying_instance_is_not_sent_to_another() {
    let (mortal, other) = (categories(2, 0).await, categories(3, 0).await);
    mortal.chaos().set("categories", vec![Rule::fault(Fault::Hang)]).expect("a rule");
    other.chaos().set("categories", vec![Rule::fault(Fault::Hang)]).expect("a rule");
    let process = Process::new(&[mortal.url("categories"), other.url("categories")], |settings| {
        settings.timeout_ms = 5_000;
    });
    let call = actix_web::rt::spawn(process.downstream.post(&request(), &[]).send());
    assert!(eventually(PATIENCE, || async { seen(&mortal) + seen(&other) == 1 }).await, "it arrives");
    let (dying, living) = if seen(&mortal) == 1 { (mortal, other) } else { (other, mortal) };
    actix_web::web::block(move || drop(dying)).await.expect("it stops");
    let outcome = call.await.expect("the call ends");
    assert_eq!((reason(&outcome), seen(&living)), ("broken", 0));
}

/// Shows: S4, S3
#[actix_web::test]
async fn a_post_to_an_instance_where_nobody_listens_goes_to_another_once() {
    let (dead, living) = (categories(2, 0).await, FakeDownstream::start(Answer::status(201)));
    let process = Process::new(&[dead.url("categories"), living.url()], |settings| {
        settings.retry.budget_ratio = 1.0;
    });
    actix_web::web::block(move || drop(dead)).await.expect("it stops");
    for number in 0..20 {
        let outcome = process.downstream.post(&request(), &["thing"]).send().await;
        assert_eq!(reason(&outcome), "success", "post {number}");
    }
    assert_eq!(living.calls(), 20);
    process.assert_idle("after the posts").await;
}

/// A name service that the test writes.
#[derive(Default)]
struct NameService(Mutex<Option<Vec<SocketAddr>>>);

impl NameService {
    fn points_to(&self, servers: &[&FakeDownstream]) {
        let address = |server: &&FakeDownstream| server.url()["http://".len()..].parse().expect("an address");
        *self.0.lock().expect("not poisoned") = Some(servers.iter().map(address).collect());
    }

    fn is_away(&self) {
        *self.0.lock().expect("not poisoned") = None;
    }
}

impl Resolve for NameService {
    async fn resolve(&self, name: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!(name, "catalog.test");
        self.0.lock().expect("not poisoned").clone().ok_or_else(|| io::Error::other("no name service"))
    }
}

/// Shows: S4
#[actix_web::test]
async fn calls_follow_a_name_that_moves_and_stay_while_the_name_service_is_away() {
    let (old, new) = (FakeDownstream::start(Answer::json(&json!({}))), FakeDownstream::start(Answer::json(&json!({}))));
    let names = NameService::default();
    let process = Process::new(&["http://catalog.test/base".to_owned()], |settings| settings.discover = Discover::Dns);
    let ask = async || process.get(&["thing"]).await.expect("an answer");

    names.points_to(&[&old]);
    process.registry.resolve_now(&names).await.expect("the name resolves");
    ask().await;
    assert_eq!((old.calls(), new.calls()), (1, 0));
    let seen = &old.seen()[0];
    assert_eq!((seen.header("host"), seen.path.as_str()), (Some("catalog.test"), "/base/thing"));

    names.points_to(&[&new]);
    process.registry.resolve_now(&names).await.expect("the name resolves");
    ask().await;
    assert_eq!((old.calls(), new.calls()), (1, 1));

    names.is_away();
    process.registry.resolve_now(&names).await.expect_err("the name service is away");
    ask().await;
    assert_eq!((old.calls(), new.calls()), (1, 2));
    process.assert_idle("after the moves").await;
}
