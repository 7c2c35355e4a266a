//! Users: who the caller is.

use serde::Deserialize;
use shared_lib::downstream::{Downstream, DownstreamError, Fetched};

use crate::auth::OnBehalf;

/// The service that knows the users.
pub struct Users {
    downstream: Downstream,
}

/// A user.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// The first name.
    pub given_name: String,
}

impl Users {
    /// The service behind this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// The caller.
    ///
    /// # Errors
    /// As any call.
    pub async fn me(&self, user: &OnBehalf) -> Result<Fetched<User>, DownstreamError> {
        self.downstream.get(user.context(), &["me"]).as_caller().json().await
    }
}
