//! Every optional part of every screen, in both versions, failing in every way: the page comes all the same, without the
//! part, and says why; the other parts are not touched.

use sandbox::chaos::{Fault, Rule};
use serde_json::{Value, json};

use crate::harness::{Browser, World};

/// An optional part: the screen, the service that it comes from, its name in the receipt, and its members of the page.
const PARTS: [(&str, &str, &str, &[&str]); 12] = [
    ("/api/v2/dashboard", "orders", "recentOrders", &["recentOrders"]),
    ("/api/v2/dashboard", "accounts", "balance", &["balance"]),
    ("/api/v2/dashboard", "notifications", "unreadNotifications", &["lastEventId", "unreadNotifications"]),
    ("/api/v1/dashboard", "orders", "recentOrders", &["lastOrders"]),
    ("/api/v1/dashboard", "accounts", "balance", &["balance", "balanceCurrency"]),
    ("/api/v1/dashboard", "notifications", "unreadNotifications", &["unread"]),
    ("/api/v2/products-page?size=1", "categories", "categories", &["categories"]),
    ("/api/v2/products-page?size=1", "promotions", "promotions", &["promotions"]),
    ("/api/v1/products-page?size=1", "categories", "categories", &["categories"]),
    ("/api/v1/products-page?size=1", "promotions", "promotions", &["offers"]),
    ("/api/v2/products/SKU-00001", "categories", "category", &["category"]),
    ("/api/v2/products/SKU-00001", "promotions", "promotions", &["promotions"]),
];

const SERVICES: [&str; 7] = ["USERS", "ORDERS", "ACCOUNTS", "NOTIFICATIONS", "CATALOG", "CATEGORIES", "PROMOTIONS"];

/// Nothing stands in for what fails, nothing is tried twice, and nothing is waited for long.
fn settings() -> Vec<(String, &'static str)> {
    let each = [
        ("TIMEOUT_MS", "1000"),
        ("RETRY__MAX_ATTEMPTS", "1"),
        ("CIRCUIT_BREAKER__INITIAL_STATE", "disabled"),
        ("CACHE__MAX_BYTES", "0"),
    ];
    let of = |service: &str| each.map(|(key, value)| (format!("BFF_WEB__DOWNSTREAMS__{service}__{key}"), value));
    SERVICES.iter().flat_map(|service| of(service)).collect()
}

/// The ways in which the service fails, and how the receipt says it.
fn faults(service: &str) -> Vec<(Rule, &'static str)> {
    if service == "notifications" {
        return vec![(Rule::grpc_status(14), "connect"), (Rule::fault(Fault::Hang), "timeout")];
    }
    vec![
        (Rule::status(500), "server-error"),
        (Rule::fault(Fault::Hang), "timeout"),
        (Rule::fault(Fault::MalformedJson), "invalid-response"),
    ]
}

async fn page(browser: &mut Browser, path: &str) -> Value {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

#[actix_web::test]
async fn every_optional_part_may_fail_in_every_way_and_the_rest_of_its_page_comes() {
    let settings = settings();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let world = World::start_with(&settings).await;
    let mut alice = world.signed_in("alice").await;
    for (path, service, part, own) in PARTS {
        let whole = page(&mut alice, path).await;
        for (rule, reason) in faults(service) {
            world.disturb(service, rule);
            let mut degraded = page(&mut alice, path).await;
            world.sandbox.chaos().clear();
            let said = degraded["receipt"][part].take();
            assert_eq!((&said["state"], &said["reason"]), (&json!("missing"), &json!(reason)), "{path} {part}");
            let members: Vec<&String> = degraded.as_object().expect("an object").keys().collect();
            let gone: Vec<&String> =
                whole.as_object().expect("an object").keys().filter(|name| !members.contains(name)).collect();
            assert_eq!(gone, own, "{path}");
            for name in members.into_iter().filter(|name| *name != "receipt") {
                assert_eq!(degraded[name], whole[name], "{name} of {path} without {part}");
            }
            let others = degraded["receipt"].as_object().expect("a receipt").iter().filter(|(name, _)| *name != part);
            for (name, said) in others {
                assert_eq!(said["state"], "live", "{name} of {path} without {part}");
            }
        }
    }
}
