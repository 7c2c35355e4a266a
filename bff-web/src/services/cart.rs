//! The cart service: `GET|PUT /cart`, replaced as a whole by whoever has seen the last version.

use actix_web::http::{Method, header::IF_MATCH};
use serde::{Deserialize, Serialize};
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
};

/// The cart service.
#[derive(Clone)]
pub struct Carts {
    downstream: Downstream,
}

/// A cart.
#[derive(Debug, Clone, Deserialize)]
pub struct Cart {
    /// What is in it.
    pub items: Vec<CartItem>,
    /// Grows by one with each change.
    pub version: u64,
}

/// A product in a cart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CartItem {
    /// The product.
    pub sku: String,
    /// How many of it.
    pub qty: u32,
}

#[derive(Serialize)]
struct Replacement<'a> {
    items: &'a [CartItem],
}

impl Carts {
    /// On this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// The cart of the signed-in user.
    ///
    /// # Errors
    /// Any [`DownstreamError`].
    pub async fn show(&self, ctx: &RequestContext) -> Result<Fetched<Cart>, DownstreamError> {
        self.downstream.get(ctx, &[]).as_caller().json().await
    }

    /// Replaces the cart of the signed-in user, if it still is the version that `if_match` names (an entity tag, or `*`).
    ///
    /// A repetition after a lost answer meets the version that the first attempt made, and is refused with 412: the
    /// client then reads what it has itself written.
    ///
    /// # Errors
    /// Any [`DownstreamError`]; status 412 for another version, 422 for items that the service does not take.
    pub async fn replace(
        &self,
        ctx: &RequestContext,
        items: &[CartItem],
        if_match: &str,
    ) -> Result<Cart, DownstreamError> {
        let call = self.downstream.call(ctx, Method::PUT, &[]).as_caller().header(IF_MATCH, if_match);
        Ok(call.body_json(&Replacement { items }).json::<Cart>().await?.value)
    }
}
