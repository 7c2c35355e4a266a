//! The contract is a file in review.

use std::collections::HashSet;

use bff_partner::{BffPartner, WEIGHTS, problem_kinds};
use shared_lib::service::Bff;

use crate::harness::Stage;

#[test]
fn openapi_json_is_what_the_code_says() {
    let document = BffPartner::openapi().to_pretty_json().expect("the document is JSON");
    let message = "the contract has changed: run `make openapi` and review the difference";
    assert!(include_str!("../../openapi.json").trim_end() == document, "{message}");
}

#[test]
fn every_route_is_in_the_contract() {
    let document = serde_json::to_value(BffPartner::openapi()).expect("the document is JSON");
    for route in BffPartner::routes().routes() {
        let operation = &document["paths"][&route.path][route.method.as_str().to_lowercase()];
        assert!(operation["operationId"].is_string(), "{} {}", route.method, route.path);
        assert!(operation["security"].is_array(), "{} {}", route.method, route.path);
    }
}

#[test]
fn the_route_table_is_readable() {
    insta::assert_snapshot!("routes", BffPartner::routes().to_string());
}

#[test]
fn codes_of_problems_are_used_once() {
    let codes: Vec<_> = problem_kinds().iter().map(|kind| kind.code).collect();
    let unique: HashSet<_> = codes.iter().collect();
    assert_eq!(unique.len(), codes.len(), "{codes:?}");
}

#[test]
fn every_weight_is_of_a_route_that_is_there() {
    for (method, path, weight) in WEIGHTS {
        let table = BffPartner::routes();
        assert!(table.routes().iter().any(|route| route.method == *method && route.path == *path), "{method} {path}");
        assert!(*weight > 0, "{method} {path}");
    }
}

#[actix_web::test]
async fn the_contract_is_served_to_anybody() {
    let stage = Stage::new().await;
    let served = stage.service.get("/v1/openapi.json").await;
    assert_eq!((served.status.as_u16(), served.header("content-type")), (200, Some("application/json")));
    assert_eq!(served.text(), include_str!("../../openapi.json").trim_end());
}
