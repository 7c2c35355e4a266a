//! The API at a glance: every route with its policy.

mod home;
mod products;

use shared_lib::server::{RouteTable, scopes};

/// Every route of this BFF.
#[must_use]
pub fn routes() -> RouteTable {
    RouteTable::new().nest(
        "/v1",
        RouteTable::new()
            .route(home::get_home, scopes(&["accounts:read", "notifications:read", "orders:read"]))
            .route(products::list_products, scopes(&["catalog:read"])),
    )
}
