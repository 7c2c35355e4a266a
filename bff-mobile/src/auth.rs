//! How the apps are let in: each request carries a JWT access token, and nothing is remembered between requests.
//!
//! - [`credentials`] finds the token in the request,
//! - [`TokenGuard`] has it verified (with the proof of possession of one that is bound to a key, RFC 9449) and compares its scopes with the route's,
//! - [`challenge`] refuses,
//! - [`OnBehalf`] is what a screen needs to ask private services: it holds a token for *their* audience, for which the
//!   caller's was exchanged (RFC 8693). The caller's own token goes nowhere else: a service that accepted it would
//!   accept one that any other API of the same provider had been given.

pub mod challenge;
pub mod credentials;
mod guard;
mod on_behalf;
pub mod scopes;

pub use guard::TokenGuard;
pub(crate) use guard::authorize;
pub use on_behalf::{OnBehalf, PartIdentity, TokenExchange};
