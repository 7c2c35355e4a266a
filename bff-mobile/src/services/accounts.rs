//! Accounts: what the caller has.

use serde::Deserialize;
use shared_lib::downstream::{Downstream, DownstreamError, Fetched};

use crate::{auth::OnBehalf, money::Money};

/// The service that keeps the accounts.
pub struct Accounts {
    downstream: Downstream,
}

#[derive(Clone, Deserialize)]
struct Balance {
    /// Minor units.
    available: i64,
    currency: String,
}

impl Accounts {
    /// The service behind this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// What the caller can spend.
    ///
    /// # Errors
    /// As any call.
    pub async fn balance(&self, user: &OnBehalf) -> Result<Fetched<Money>, DownstreamError> {
        let fetched = self.downstream.get(user.context(), &["balance"]).as_caller().json::<Balance>().await?;
        Ok(fetched.map(|balance| Money { minor: balance.available, currency: balance.currency }))
    }
}
