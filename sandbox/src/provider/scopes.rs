//! Scope values: read, compared and written as RFC 6749, 3.3 says.

use super::refusal::Refusal;

/// The scopes about identity that the provider itself acts on.
pub(crate) const IDENTITY: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// The scopes of the demo services, as discovery lists them.
pub(crate) const SERVICES: [&str; 10] = [
    "catalog:read",
    "orders:read",
    "orders:write",
    "accounts:read",
    "notifications:read",
    "notifications:write",
    "devices:write",
    "cart:read",
    "cart:write",
    "support:chat",
];

/// A set of scopes in the order in which they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scopes(Vec<String>);

impl Scopes {
    /// Reads the parameter `scope`.
    ///
    /// The names of an interface's scopes are that interface's affair, so any name with a colon or a dot in it
    /// is accepted beside the identity scopes; a single unknown word is refused.
    ///
    /// # Errors
    /// `invalid_scope` with the scope that is wrong.
    pub(crate) fn parse(value: &str) -> Result<Self, Refusal> {
        let mut scopes = Self::default();
        for scope in value.split(' ').filter(|scope| !scope.is_empty()) {
            let well_formed = scope.len() <= 100
                && scope.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":._-/".contains(&byte));
            if !well_formed || !(IDENTITY.contains(&scope) || scope.contains([':', '.'])) {
                return Err(Refusal::invalid_scope("a scope in the request is not known"));
            }
            if !scopes.contains(scope) {
                scopes.0.push(scope.to_owned());
            }
        }
        if scopes.0.len() > 50 {
            return Err(Refusal::invalid_scope("too many scopes"));
        }
        Ok(scopes)
    }

    /// Takes scope names as they are; for tokens that are made in process.
    pub(crate) fn of<S: AsRef<str>>(names: &[S]) -> Self {
        Self(names.iter().map(|name| name.as_ref().to_owned()).collect())
    }

    /// Whether a scope is in the set.
    pub(crate) fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|own| own == scope)
    }

    /// Whether every scope of this set is in `other`.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|scope| other.contains(scope))
    }

    /// The set without the identity scopes: what is left to say to a service.
    pub(crate) fn without_identity(&self) -> Self {
        Self(self.0.iter().filter(|scope| !IDENTITY.contains(&scope.as_str())).cloned().collect())
    }

    /// Whether the set has no scope.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes separated by spaces, as in requests, answers and claims.
    pub(crate) fn to_text(&self) -> String {
        self.0.join(" ")
    }
}
