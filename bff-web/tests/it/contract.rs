//! The contract as it is published.

use bff_web::BffWeb;
use shared_lib::service::Bff;

#[test]
fn the_published_contract_is_the_one_that_is_served() {
    let served = BffWeb::openapi().to_pretty_json().expect("the document is JSON");
    let published = include_str!("../../openapi.json");
    assert_eq!(served.trim(), published.trim(), "run `cargo run -p bff-web -- openapi > bff-web/openapi.json`");
}

#[test]
fn every_route_has_a_policy_that_the_table_shows() {
    insta::assert_snapshot!(BffWeb::routes());
}
