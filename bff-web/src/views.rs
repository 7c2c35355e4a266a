//! The API at a glance: each route with its policy. A screen is a file in `views/` and two lines here.

pub mod cart;
pub mod dashboard;
pub mod docs;
pub mod notification_read;
pub mod notification_stream;
pub mod orders;
pub mod product;
pub mod products;
pub mod products_page;
pub mod support_chat;
pub mod v1;

use shared_lib::server::{Policy, RouteTable, caller, public};

use crate::auth::{backchannel, callback, guard, login, logout, own_sessions, renew, session_view};

/// A stream that a browser opens again and again by itself. Too many of them are refused in a way that it understands, so
/// they are not refused before that.
const fn stream() -> Policy {
    caller().passive("browsers come back by themselves").unlimited_concurrency()
}

/// Every route.
#[must_use]
pub fn routes() -> RouteTable {
    let auth = RouteTable::new()
        .route(login::begin_login, public())
        .route(callback::finish_login, public())
        .route(logout::end_session, caller())
        .route(logout::leave_provider, public())
        .route(session_view::get_session, caller())
        .route(renew::renew_session, caller())
        .route(own_sessions::list_sessions, caller())
        .route(own_sessions::end_own_session, caller())
        .route(own_sessions::end_other_sessions, caller())
        .route(backchannel::end_sessions_of_provider, public().without_csrf("the provider's server calls it"));
    let v2 = RouteTable::new()
        .route(dashboard::get_dashboard, caller())
        .route(products_page::get_products_page, public())
        .route(products::list_products, public())
        .route(product::get_product, public())
        .route(orders::list_orders, caller())
        .route(orders::place_order, caller())
        .route(cart::get_cart, caller())
        .route(cart::replace_cart, caller())
        .route(notification_read::mark_notification_read, caller())
        .route(notification_stream::stream_notifications, stream())
        .route(support_chat::open_support_chat, stream());
    let v1 = RouteTable::new()
        .route(v1::get_dashboard_v1, caller())
        .route(v1::get_products_page_v1, public())
        .route(v1::list_products_v1, public());
    let docs = RouteTable::new().route(docs::get_docs, public()).route(docs::get_openapi, public());
    RouteTable::new()
        .nest("/api/docs", docs)
        .nest("/api/auth", auth)
        .nest("/api/v2", v2)
        .nest("/api/v1", v1)
        .default_token(guard::token_owner)
}
