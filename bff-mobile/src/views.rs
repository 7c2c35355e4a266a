//! The API at a glance: every route with its policy.

mod batch;
mod devices;
mod flags;
mod home;
mod notifications;
mod orders;
mod place_order;
mod product_feed;
mod products;

use shared_lib::{
    problem::ProblemKind,
    server::{RouteTable, caller, public, scopes},
};

pub use self::notifications::RESYNC_REQUIRED;

/// Every kind of problem that a screen declares, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[&RESYNC_REQUIRED];

/// Every route of this BFF.
#[must_use]
pub fn routes() -> RouteTable {
    RouteTable::new().nest("/v1", screens().route(batch::post_batch, caller()))
}

/// The routes that stand for one screen or one act, which are those that a batch may hold.
pub(crate) fn screens() -> RouteTable {
    RouteTable::new()
        .route(flags::get_flags, public())
        .route(home::get_home, scopes(&["accounts:read", "notifications:read", "orders:read"]))
        .route(products::list_products, scopes(&["catalog:read"]))
        .route(product_feed::scroll_products, scopes(&["catalog:read"]))
        .route(orders::list_orders, scopes(&["orders:read"]))
        .route(place_order::place_order, scopes(&["orders:write"]))
        .route(notifications::sync_notifications, scopes(&["notifications:read"]))
        .route(notifications::read_notification, scopes(&["notifications:write"]))
        .route(devices::list_devices, scopes(&["devices:write"]))
        .route(devices::put_device, scopes(&["devices:write"]))
        .route(devices::delete_device, scopes(&["devices:write"]))
}
