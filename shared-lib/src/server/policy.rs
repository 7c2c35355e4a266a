//! What a route asks of a request before its handler sees it.

use std::{fmt, time::Duration};

use serde::Deserialize;

/// The policy of one route. Made by [`public`], [`caller`] or [`scopes`], and then refined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Who gets in.
    pub access: Access,
    /// Whether an unsafe method with a cookie session has to prove that our own page made the request.
    pub csrf: CsrfCheck,
    /// The time that the request may take; the server's `request_timeout_ms` where there is none.
    pub deadline: Option<Duration>,
    /// Whether its requests count in the limit on concurrent requests.
    pub limited_concurrency: bool,
    /// Why its requests are no sign that somebody is there, where they are none: they do not prolong a session.
    pub passive: Option<&'static str>,
    /// Whose token its calls of services carry. A BFF that leaves it open has one rule for all routes.
    pub token: Option<TokenOwner>,
}

/// Whose token the calls carry that a route makes in somebody's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenOwner {
    /// Nobody's.
    None,
    /// The user's, who therefore has to be known.
    User,
    /// This BFF's own.
    Client,
    /// The user's where the user is known, else this BFF's own.
    UserOrClient,
}

/// Who gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Whoever this BFF authenticated.
    Caller,
    /// Whoever this BFF authenticated and who was granted every one of these scopes.
    Scopes(&'static [&'static str]),
}

/// The check against cross-site request forgery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsrfCheck {
    /// Follows from the method and the kind of authentication.
    ByMethod,
    /// Off, for the reason given; it shows in the route table.
    Off(&'static str),
}

/// A route for anyone.
#[must_use]
pub const fn public() -> Policy {
    Policy::new(Access::Public)
}

/// A route for authenticated callers.
#[must_use]
pub const fn caller() -> Policy {
    Policy::new(Access::Caller)
}

/// A route for callers with all of these scopes.
#[must_use]
pub const fn scopes(scopes: &'static [&'static str]) -> Policy {
    Policy::new(Access::Scopes(scopes))
}

impl Policy {
    const fn new(access: Access) -> Self {
        Self {
            access,
            csrf: CsrfCheck::ByMethod,
            deadline: None,
            limited_concurrency: true,
            passive: None,
            token: None,
        }
    }

    /// Turns the check against cross-site request forgery off. The reason is for whoever reads the route table.
    #[must_use]
    pub const fn without_csrf(mut self, reason: &'static str) -> Self {
        self.csrf = CsrfCheck::Off(reason);
        self
    }

    /// The time that a request to this route may take.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Exempts the route from the limit on concurrent requests: for requests that wait on purpose before they are
    /// answered, such as a long poll. Their latency would be taken for overload.
    #[must_use]
    pub const fn unlimited_concurrency(mut self) -> Self {
        self.limited_concurrency = false;
        self
    }

    /// Takes the route's requests for no sign that somebody is there, for the reason given, such as that the program makes
    /// them by itself. The reason is for whoever reads the route table.
    #[must_use]
    pub const fn passive(mut self, reason: &'static str) -> Self {
        self.passive = Some(reason);
        self
    }

    /// Says whose token its calls carry.
    #[must_use]
    pub const fn token(mut self, owner: TokenOwner) -> Self {
        self.token = Some(owner);
        self
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Caller => f.write_str("caller"),
            Self::Scopes(scopes) => write!(f, "scopes {}", scopes.join(" ")),
        }
    }
}

impl fmt::Display for TokenOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::User => "user",
            Self::Client => "client",
            Self::UserOrClient => "user-or-client",
        })
    }
}
