//! The users service: `GET /users/me`, snake_case.

use serde::Deserialize;
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
};

/// The users service.
#[derive(Clone)]
pub struct Users {
    downstream: Downstream,
}

/// A user.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// The stable id.
    pub id: String,
    /// The given name.
    pub given_name: String,
    /// The family name.
    pub family_name: String,
    /// The address for mail.
    pub email: String,
}

impl Users {
    /// On this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// The signed-in user.
    ///
    /// # Errors
    /// Any [`DownstreamError`].
    pub async fn me(&self, ctx: &RequestContext) -> Result<Fetched<User>, DownstreamError> {
        self.downstream.get(ctx, &["me"]).as_caller().cached().json().await
    }
    /// Forgets what was kept of this subject.
    pub fn forget(&self, subject: &str) {
        self.downstream.forget_subject(subject);
    }
}
