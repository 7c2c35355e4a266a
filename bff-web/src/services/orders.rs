//! The orders service: Spring Data pages, camelCase, decimal texts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
};

/// The orders service.
#[derive(Clone)]
pub struct Orders {
    downstream: Downstream,
}

/// An order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its id.
    pub order_id: String,
    /// What has become of it, such as `SHIPPED`.
    pub status: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// The sum, a decimal text.
    pub total: String,
    /// ISO 4217.
    pub currency: String,
}

#[derive(Clone, Deserialize)]
struct Page {
    content: Vec<Order>,
}

#[derive(Serialize)]
struct ListParams {
    page: u32,
    size: u32,
    sort: &'static str,
}

impl Orders {
    /// On this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// The latest `count` orders of the signed-in user, newest first.
    ///
    /// # Errors
    /// Any [`DownstreamError`].
    pub async fn latest(&self, ctx: &RequestContext, count: u32) -> Result<Fetched<Vec<Order>>, DownstreamError> {
        let params = ListParams { page: 0, size: count, sort: "placedAt,desc" };
        let page = self.downstream.get(ctx, &[]).query(&params).as_caller().json::<Page>().await?;
        Ok(page.map(|page| page.content))
    }
}
