//! The parts that a sandbox is made of, and their names on the command line, in paths and in fault rules.

use std::fmt;

/// One part of the sandbox: the OpenID provider or one of the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The OpenID provider.
    Provider,
    /// Who a user is.
    Users,
    /// Products.
    Catalog,
    /// The tree of product categories.
    Categories,
    /// Promotions that run now.
    Promotions,
    /// Orders.
    Orders,
    /// Account balances.
    Accounts,
    /// Notifications over gRPC.
    Notifications,
    /// Support chat over WebSocket.
    Support,
    /// Devices that receive push messages.
    Devices,
    /// Shopping carts.
    Cart,
}

/// A name that no part has.
#[derive(Debug, thiserror::Error)]
#[error("no part of the sandbox is called {name:?}; there are: {}", Part::names())]
pub struct UnknownPart {
    name: String,
}

impl Part {
    /// Every part, in the order in which they are listed.
    pub const ALL: [Self; 11] = [
        Self::Provider,
        Self::Users,
        Self::Catalog,
        Self::Categories,
        Self::Promotions,
        Self::Orders,
        Self::Accounts,
        Self::Notifications,
        Self::Support,
        Self::Devices,
        Self::Cart,
    ];

    /// The name on the command line and in fault rules; for services also the first segment of their paths.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Users => "users",
            Self::Catalog => "catalog",
            Self::Categories => "categories",
            Self::Promotions => "promotions",
            Self::Orders => "orders",
            Self::Accounts => "accounts",
            Self::Notifications => "notifications",
            Self::Support => "support",
            Self::Devices => "devices",
            Self::Cart => "cart",
        }
    }

    /// The part with this name.
    ///
    /// # Errors
    /// [`UnknownPart`] when there is none.
    pub fn parse(name: &str) -> Result<Self, UnknownPart> {
        Self::ALL.into_iter().find(|part| part.name() == name).ok_or_else(|| UnknownPart { name: name.to_owned() })
    }

    /// The REST or WebSocket service that a path on the services port belongs to, by its first segment.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let first = path.trim_start_matches('/').split('/').next()?;
        Self::parse(first).ok().filter(|part| !matches!(part, Self::Provider | Self::Notifications))
    }

    /// Whether calls without an access token are served.
    pub(crate) fn is_public(self) -> bool {
        matches!(self, Self::Catalog | Self::Categories | Self::Promotions)
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
