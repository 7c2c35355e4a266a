//! The accounts service: `GET /accounts/balance`, minor units.

use serde::Deserialize;
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
};

/// The accounts service.
#[derive(Clone)]
pub struct Accounts {
    downstream: Downstream,
}

/// The balance of an account.
#[derive(Debug, Clone, Deserialize)]
pub struct Balance {
    /// What can be spent, in minor units.
    pub available: i64,
    /// ISO 4217.
    pub currency: String,
}

impl Accounts {
    /// On this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// The balance of the signed-in user.
    ///
    /// # Errors
    /// Any [`DownstreamError`].
    pub async fn balance(&self, ctx: &RequestContext) -> Result<Fetched<Balance>, DownstreamError> {
        self.downstream.get(ctx, &["balance"]).as_caller().cached().json().await
    }
    /// Forgets what was kept of this subject.
    pub fn forget(&self, subject: &str) {
        self.downstream.forget_subject(subject);
    }
}
