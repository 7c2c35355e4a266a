//! The API at a glance: every route with its policy.

mod batch;
mod devices;
mod flags;
mod graphql;
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

use crate::auth::scopes as needs;

pub use self::notifications::RESYNC_REQUIRED;

/// Every kind of problem that a screen declares, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[&RESYNC_REQUIRED];

/// Every route of this BFF.
#[must_use]
pub fn routes() -> RouteTable {
    RouteTable::new()
        .nest("/v1", screens().route(batch::post_batch, caller()))
        // Each field asks for the scopes of its data.
        .route(graphql::post_graphql, caller())
}

/// The routes that stand for one screen or one act, which are those that a batch may hold.
pub(crate) fn screens() -> RouteTable {
    RouteTable::new()
        .route(flags::get_flags, public())
        .route(home::get_home, scopes(needs::HOME))
        .route(products::list_products, scopes(needs::PRODUCTS))
        .route(product_feed::scroll_products, scopes(needs::PRODUCTS))
        .route(orders::list_orders, scopes(needs::ORDERS))
        .route(place_order::place_order, scopes(needs::ORDER))
        .route(notifications::sync_notifications, scopes(needs::NOTIFICATIONS))
        .route(notifications::read_notification, scopes(needs::READ_NOTIFICATION))
        .route(devices::list_devices, scopes(needs::DEVICES))
        .route(devices::put_device, scopes(needs::DEVICES))
        .route(devices::delete_device, scopes(needs::DEVICES))
}
