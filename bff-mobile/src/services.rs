//! This BFF's own view of the services behind it: of each answer only the fields that its screens need.
//!
//! What is private to a user is asked for [on the user's behalf](crate::auth::OnBehalf), which only a token exchange
//! gives; what is public is asked for with the request's context.

pub mod accounts;
pub mod catalog;
pub mod devices;
pub mod notifications;
pub mod orders;
pub mod promotions;
pub mod users;

use shared_lib::{
    downstream::{Downstreams, RegistryError},
    problem::ProblemKind,
};

pub use self::{
    accounts::Accounts, catalog::Catalog, devices::Devices, notifications::Notifications, orders::Orders,
    promotions::Promotions, users::Users,
};

/// The downstreams that are asked for below; the configuration must have each.
pub const DOWNSTREAMS: &[&str] = &["accounts", "catalog", "devices", "notifications", "orders", "promotions", "users"];

/// Every kind of problem that a service module translates a refusal into, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[&devices::TOO_MANY_DEVICES, &orders::ORDER_REFUSED];

/// The services of one worker.
pub struct Services {
    /// Balances.
    pub accounts: Accounts,
    /// Products.
    pub catalog: Catalog,
    /// Devices.
    pub devices: Devices,
    /// Notifications.
    pub notifications: Notifications,
    /// Orders.
    pub orders: Orders,
    /// Promotions.
    pub promotions: Promotions,
    /// Users.
    pub users: Users,
}

impl Services {
    /// The services for the worker that calls this.
    ///
    /// # Errors
    /// When the configuration lacks one. Nothing is connected yet, so a service that is away is no error.
    pub fn new(downstreams: &Downstreams) -> Result<Self, RegistryError> {
        Ok(Self {
            accounts: Accounts::new(downstreams.get("accounts")?),
            catalog: Catalog::new(downstreams.get("catalog")?),
            devices: Devices::new(downstreams.get("devices")?),
            notifications: Notifications::new(downstreams.get("notifications")?),
            orders: Orders::new(downstreams.get("orders")?),
            promotions: Promotions::new(downstreams.get("promotions")?),
            users: Users::new(downstreams.get("users")?),
        })
    }
}
