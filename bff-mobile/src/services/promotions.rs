//! Promotions: what runs now, the same for everyone.

use serde::Deserialize;
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
};

/// The service that knows the promotions.
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
    /// The discount in percent.
    pub discount_percent: u8,
}

#[derive(Clone, Deserialize)]
struct Envelope {
    data: Vec<Promotion>,
}

impl Promotions {
    /// The service behind this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// The promotions that run now, in the service's order.
    ///
    /// # Errors
    /// As any call.
    pub async fn active(&self, context: &RequestContext) -> Result<Fetched<Vec<Promotion>>, DownstreamError> {
        let fetched = self.downstream.get(context, &["active"]).json::<Envelope>().await?;
        Ok(fetched.map(|envelope| envelope.data))
    }
}
