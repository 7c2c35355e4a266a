//! The promotions service: camelCase in an envelope called `data`.

use jiff::Timestamp;
use serde::Deserialize;
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
};

/// The promotions service.
#[derive(Clone)]
pub struct Promotions {
    downstream: Downstream,
}

/// A promotion.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promotion {
    /// Its id.
    pub promotion_id: String,
    /// What it says.
    pub headline: String,
    /// By how much prices are reduced, in percent.
    pub discount_percent: u32,
    /// When it ends.
    pub valid_until: Timestamp,
    /// The products that it is about.
    pub skus: Vec<String>,
}

#[derive(Clone, Deserialize)]
struct Envelope {
    data: Vec<Promotion>,
}

impl Promotions {
    /// On this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// The promotions that run now. They are the same for everyone, so nobody's token goes along.
    ///
    /// # Errors
    /// Any [`DownstreamError`].
    pub async fn active(&self, ctx: &RequestContext) -> Result<Fetched<Vec<Promotion>>, DownstreamError> {
        let envelope = self.downstream.get(ctx, &["active"]).cached().json::<Envelope>().await?;
        Ok(envelope.map(|envelope| envelope.data))
    }
}
