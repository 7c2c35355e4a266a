//! Services that go away and come back, while the BFF stays.

use sandbox::{Ports, Sandbox};
use serde_json::json;
use shared_lib::testing::{TestService, eventually};
use url::Url;

use crate::harness::{Browser, ORIGIN, PATIENCE, World, settings, settings_from, urls_of};
use bff_web::BffWeb;

fn port_of(url: &str) -> u16 {
    Url::parse(url).ok().and_then(|url| url.port()).expect("an address with a port")
}

#[actix_web::test]
async fn a_service_that_is_killed_and_started_again_needs_no_restart_of_ours() {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let orders_of = |ports: Ports| Sandbox::builder().only(["orders"]).issuer(sandbox.issuer()).ports(ports);
    let orders = orders_of(Ports::default()).start().await.expect("the orders start");
    let url = orders.url("orders");
    let service = TestService::start::<BffWeb>(settings(
        &sandbox,
        &[
            (urls_of("orders").as_str(), url.as_str()),
            // What was kept would stand in for the service.
            ("BFF_WEB__DOWNSTREAMS__ORDERS__CACHE__STALE_IF_ERROR_MS", "0"),
            ("BFF_WEB__DOWNSTREAMS__ORDERS__RETRY__MAX_ATTEMPTS", "1"),
            ("BFF_WEB__DOWNSTREAMS__ORDERS__CIRCUIT_BREAKER__MINIMUM_CALLS", "2"),
            ("BFF_WEB__DOWNSTREAMS__ORDERS__CIRCUIT_BREAKER__WAIT_IN_OPEN_MS", "200"),
            ("BFF_WEB__DOWNSTREAMS__ORDERS__CIRCUIT_BREAKER__WAIT_IN_OPEN_CAP_MS", "200"),
            ("BFF_WEB__DOWNSTREAMS__ORDERS__CIRCUIT_BREAKER__PERMITTED_CALLS_IN_HALF_OPEN", "1"),
            ("BFF_WEB__DOWNSTREAMS__ORDERS__CIRCUIT_BREAKER__WINDOW_MS", "2000"),
        ],
    ))
    .await;
    let world = World { sandbox, service };
    let alice = world.signed_in("alice").await;
    let receipt = async || alice.clone().get("/api/v2/dashboard").await.json()["receipt"]["recentOrders"].clone();
    let ask = || async { drop(receipt().await) };
    assert_eq!(receipt().await["state"], "live");

    drop(orders);
    world.breaker_becomes("orders", "open", ask).await;
    assert_eq!(receipt().await, json!({ "state": "missing", "reason": "breaker-open" }));

    let again = Sandbox::builder()
        .only(["orders"])
        .issuer(world.sandbox.issuer())
        .ports(Ports { services: port_of(&url), ..Ports::default() })
        .start()
        .await
        .expect("the orders start again where they were");
    world.breaker_becomes("orders", "closed", ask).await;
    assert_eq!(receipt().await["state"], "live");
    drop(again);
}

/// Shows: S14
#[actix_web::test]
async fn a_provider_that_is_away_at_the_start_signs_people_in_when_it_comes() {
    let first = Sandbox::builder().only(["provider"]).start().await.expect("the provider starts");
    let issuer = first.issuer().to_owned();
    drop(first);

    let settings = settings_from(
        vec![("BFF_WEB__OIDC__ISSUER".to_owned(), issuer.clone()), (urls_of("provider"), issuer.clone())],
        &[
            ("BFF_WEB__DOWNSTREAMS__PROVIDER__RETRY__MAX_ATTEMPTS", "1"),
            ("BFF_WEB__DOWNSTREAMS__PROVIDER__CIRCUIT_BREAKER__WAIT_IN_OPEN_MS", "50"),
            ("BFF_WEB__DOWNSTREAMS__PROVIDER__CIRCUIT_BREAKER__WAIT_IN_OPEN_CAP_MS", "50"),
        ],
    );
    let service = TestService::start::<BffWeb>(settings).await;
    let away = service.get("/api/auth/login").await;
    assert_eq!((away.status.as_u16(), &away.json()["part"]), (503, &json!("provider")));
    assert!(!away.text().contains("127.0.0.1"), "{}", away.text());
    assert_eq!(service.get_management("/readyz").await.status, 200);

    let ports = Ports { provider: port_of(&issuer), ..Ports::default() };
    let provider = Sandbox::builder().only(["provider"]).issuer(&issuer).ports(ports).start().await.expect("it comes");
    let ready = eventually(PATIENCE, || async { service.get("/api/auth/login").await.status.is_redirection() });
    assert!(ready.await, "it is asked again");
    let mut browser = Browser::new(ORIGIN, &service.url(""));
    browser.sign_in("alice", "/").await;
    assert_eq!(browser.get("/api/auth/session").await.json()["user"]["id"], "usr_alice");
    drop(provider);
}
