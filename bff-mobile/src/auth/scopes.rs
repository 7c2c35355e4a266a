//! The scopes of the API: what a route asks for, and with it every other way to the same data.

const ACCOUNTS_READ: &str = "accounts:read";
const CATALOG_READ: &str = "catalog:read";
const DEVICES_WRITE: &str = "devices:write";
const NOTIFICATIONS_READ: &str = "notifications:read";
const NOTIFICATIONS_WRITE: &str = "notifications:write";
const ORDERS_READ: &str = "orders:read";
const ORDERS_WRITE: &str = "orders:write";

/// The home screen.
pub const HOME: &[&str] = &[ACCOUNTS_READ, NOTIFICATIONS_READ, ORDERS_READ];
/// Who the caller is and what the caller can spend.
pub const BALANCE: &[&str] = &[ACCOUNTS_READ];
/// Products.
pub const PRODUCTS: &[&str] = &[CATALOG_READ];
/// The caller's orders.
pub const ORDERS: &[&str] = &[ORDERS_READ];
/// To place an order.
pub const ORDER: &[&str] = &[ORDERS_WRITE];
/// The caller's notifications.
pub const NOTIFICATIONS: &[&str] = &[NOTIFICATIONS_READ];
/// To mark a notification as read.
pub const READ_NOTIFICATION: &[&str] = &[NOTIFICATIONS_WRITE];
/// The caller's devices.
pub const DEVICES: &[&str] = &[DEVICES_WRITE];
