//! This BFF's own view of each service behind it: only what its screens need.

pub mod accounts;
pub mod cart;
pub mod catalog;
pub mod categories;
pub mod notifications;
pub mod orders;
pub mod promotions;
pub mod support;
pub mod users;

use shared_lib::downstream::{Downstreams, RegistryError};

use self::{
    accounts::Accounts, cart::Carts, catalog::Catalog, categories::Categories, notifications::Notifications,
    orders::Orders, promotions::Promotions, support::Support, users::Users,
};

/// What [`Services`] asks the configuration for.
pub const NAMES: &[&str] =
    &["users", "orders", "accounts", "notifications", "catalog", "categories", "promotions", "cart", "support"];

/// The services as one worker calls them.
#[derive(Clone)]
pub struct Services {
    /// Who a user is.
    pub users: Users,
    /// Orders.
    pub orders: Orders,
    /// Account balances.
    pub accounts: Accounts,
    /// Notifications.
    pub notifications: Notifications,
    /// Products.
    pub catalog: Catalog,
    /// The tree of categories.
    pub categories: Categories,
    /// Promotions that run now.
    pub promotions: Promotions,
    /// Shopping carts.
    pub carts: Carts,
    /// Support chats.
    pub support: Support,
}

impl Services {
    /// Sets them up for the worker that calls this, which may have so many chats open.
    ///
    /// # Errors
    /// [`RegistryError`], which the start of the process has ruled out.
    pub fn new(downstreams: &Downstreams, max_chats: usize) -> Result<Self, RegistryError> {
        Ok(Self {
            users: Users::new(downstreams.get("users")?),
            orders: Orders::new(downstreams.get("orders")?),
            accounts: Accounts::new(downstreams.get("accounts")?),
            notifications: Notifications::new(downstreams.get("notifications")?),
            catalog: Catalog::new(downstreams.get("catalog")?),
            categories: Categories::new(downstreams.get("categories")?),
            promotions: Promotions::new(downstreams.get("promotions")?),
            carts: Carts::new(downstreams.get("cart")?),
            support: Support::new(downstreams.get("support")?, max_chats),
        })
    }
    /// Forgets what was kept of this subject: something of theirs has changed. What another process keeps stays there
    /// until its time is up.
    pub fn forget_subject(&self, subject: &str) {
        self.users.forget(subject);
        self.orders.forget(subject);
        self.accounts.forget(subject);
    }
}
