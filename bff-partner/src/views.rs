//! The API at a glance: every route with its policy, and what a call of it weighs.

mod contract;
mod docs;
mod orders;
mod products;
mod usage;

use shared_lib::server::{RouteTable, caller, public, scopes};

pub use contract::Contract;
pub use docs::{Docs, problem_kinds};

/// What a call is charged where that is not 1: method, path, units.
pub const WEIGHTS: &[(&str, &str, u32)] = &[("POST", "/v1/orders", 5), ("POST", "/v1/orders/bulk", 5)];

/// What is charged its weight for each item that it carries, by its handler, which alone can count them.
pub const PER_ITEM: &[(&str, &str)] = &[("POST", "/v1/orders/bulk")];

/// What costs no quota: asking how much of it is left.
pub const WITHOUT_QUOTA: &[(&str, &str)] = &[("GET", "/v1/usage")];

/// Every route of this BFF.
#[must_use]
pub fn routes() -> RouteTable {
    RouteTable::new().route(docs::get_docs, public()).nest(
        "/v1",
        RouteTable::new()
            .route(products::list_products, scopes(&["products:read"]))
            .route(orders::list_orders, scopes(&["orders:read"]))
            .route(orders::place_order, scopes(&["orders:write"]))
            .route(orders::bulk::place_orders, scopes(&["orders:write"]))
            .route(orders::get_order, scopes(&["orders:read"]))
            .route(orders::cancel_order, scopes(&["orders:write"]))
            .route(usage::get_usage, caller())
            .route(contract::get_contract, public()),
    )
}
