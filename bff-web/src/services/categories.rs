//! The categories service: a bare array.

use serde::Deserialize;
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
};

/// The categories service.
#[derive(Clone)]
pub struct Categories {
    downstream: Downstream,
}

/// A category.
#[derive(Debug, Clone, Deserialize)]
pub struct Category {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The category that it is in; none for a root.
    pub parent_id: Option<String>,
}

impl Categories {
    /// On this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// All categories. They are the same for everyone, so nobody's token goes along.
    ///
    /// # Errors
    /// Any [`DownstreamError`].
    pub async fn all(&self, ctx: &RequestContext) -> Result<Fetched<Vec<Category>>, DownstreamError> {
        self.downstream.get(ctx, &[]).cached().json().await
    }
}
