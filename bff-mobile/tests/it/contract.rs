//! The contract is a file in review.

use std::collections::HashSet;

use bff_mobile::{
    BffMobile, SCREEN_KINDS,
    auth::challenge,
    graphql::{Graphql, problems},
    rollout, services,
};
use shared_lib::{idempotency, problem::kinds, service::Bff};

#[test]
fn openapi_json_is_what_the_code_says() {
    let document = BffMobile::openapi().to_pretty_json().expect("the document is JSON");
    let message = "the contract has changed: run `make openapi` and review the difference";
    assert!(include_str!("../../openapi.json").trim_end() == document, "{message}");
}

/// Shows: M9
#[test]
fn schema_graphql_is_what_the_code_says() {
    let message = "the contract has changed: run `make openapi` and review the difference";
    assert!(include_str!("../../schema.graphql") == Graphql::sdl(), "{message}");
}

#[test]
fn every_route_is_in_the_contract() {
    let document = serde_json::to_value(BffMobile::openapi()).expect("the document is JSON");
    for route in BffMobile::routes().routes() {
        let operation = &document["paths"][&route.path][route.method.as_str().to_lowercase()];
        assert!(operation["operationId"].is_string(), "{} {}", route.method, route.path);
        assert!(operation["security"].is_array(), "{} {}", route.method, route.path);
    }
}

#[test]
fn the_route_table_is_readable() {
    insta::assert_snapshot!("routes", BffMobile::routes().to_string());
}

#[test]
fn codes_of_problems_are_used_once() {
    let own =
        [challenge::KINDS, idempotency::KINDS, problems::KINDS, rollout::KINDS, services::KINDS, SCREEN_KINDS].concat();
    let codes: Vec<_> = kinds::ALL.iter().chain(&own).map(|kind| kind.code).collect();
    let unique: HashSet<_> = codes.iter().collect();
    assert_eq!(unique.len(), codes.len(), "{codes:?}");
}
