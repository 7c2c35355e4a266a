//! How partners are let in: each request carries an API key, and nothing is remembered between requests.
//!
//! - [`credentials`] finds the key in the request,
//! - [`KeyGuard`] has it checked, compares its scopes with the route's and the caller's address with its networks, and
//!   charges its limits,
//! - [`Toll`] is what a call owes that is charged for each of its items, by its handler,
//! - [`refusal`] refuses,
//! - [`WrongKeys`] tells who shows many wrong keys to stop,
//! - [`ClientAddress`] says where a request comes from,
//! - [`AsPartner`] is what a view needs to ask for what belongs to a partner: our own token, and the partner's name.

mod admitted_call;
mod admitted_key;
mod as_partner;
mod client_address;
pub mod credentials;
mod guard;
pub mod refusal;
mod toll;
mod wrong_keys;

pub use admitted_call::AdmittedCall;
pub use admitted_key::AdmittedKey;
pub use as_partner::{AsPartner, PartnerIdentity};
pub use client_address::ClientAddress;
pub use guard::KeyGuard;
pub use toll::{Paid, Toll};
pub use wrong_keys::WrongKeys;
