//! This BFF's own view of the services behind it: of each answer only the fields that its answers need.
//!
//! What belongs to a partner is asked for [as that partner](crate::auth::AsPartner), which only an admitted key gives;
//! what is public is asked for with the request's context.

pub mod catalog;
pub mod orders;

use shared_lib::downstream::{Downstreams, RegistryError};

pub use self::{catalog::Catalog, orders::Orders};

/// The downstreams that are asked for below; the configuration must have each.
pub const DOWNSTREAMS: &[&str] = &["catalog", "orders"];

/// The services of one worker.
pub struct Services {
    /// Products.
    pub catalog: Catalog,
    /// Orders.
    pub orders: Orders,
}

impl Services {
    /// The services for the worker that calls this.
    ///
    /// # Errors
    /// When the configuration lacks one. Nothing is connected yet, so a service that is away is no error.
    pub fn new(downstreams: &Downstreams) -> Result<Self, RegistryError> {
        Ok(Self { catalog: Catalog::new(downstreams.get("catalog")?), orders: Orders::new(downstreams.get("orders")?) })
    }
}
