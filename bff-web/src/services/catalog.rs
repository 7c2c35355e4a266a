//! The catalog service: offset and limit, its own names for orders and filters, prices in minor units.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
};

/// The catalog service.
#[derive(Clone)]
pub struct Catalog {
    downstream: Downstream,
}

/// A product.
#[derive(Debug, Clone, Deserialize)]
pub struct Product {
    /// Its id.
    pub sku: String,
    /// Its name.
    pub title: String,
    /// What it is.
    pub description: String,
    /// The category that it is in.
    pub category_id: String,
    /// What it costs.
    pub price: Price,
    /// When it came into the catalog.
    pub created_at: Timestamp,
    /// The mean of its ratings, 0 to 5.
    pub rating: f64,
    /// Pieces in stock.
    pub stock_level: u32,
    /// The path of its picture.
    pub image_path: String,
}

/// A price.
#[derive(Debug, Clone, Deserialize)]
pub struct Price {
    /// In minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
}

/// A part of a list of products.
#[derive(Debug, Clone, Deserialize)]
pub struct ProductList {
    /// The products of this part.
    pub items: Vec<Product>,
    /// Products in the whole list.
    pub total: u64,
}

/// What is asked for.
#[derive(Debug, Clone, Serialize)]
pub struct ProductSearch {
    /// Products before the part.
    pub offset: u64,
    /// Products in the part, at most.
    pub limit: u32,
    /// `field:asc` or `field:desc` in the catalog's names.
    pub order_by: &'static str,
    /// Words that must occur.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// A category, those below it included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The lowest price, in minor units, inclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_min: Option<u64>,
    /// The highest price, in minor units, inclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_max: Option<u64>,
}

impl Catalog {
    /// On this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// A part of the list of products. The catalog is the same for everyone, so nobody's token goes along.
    ///
    /// # Errors
    /// Any [`DownstreamError`].
    pub async fn products(
        &self,
        ctx: &RequestContext,
        search: &ProductSearch,
    ) -> Result<Fetched<ProductList>, DownstreamError> {
        self.downstream.get(ctx, &["products"]).query(search).cached().json().await
    }
    /// One product.
    ///
    /// # Errors
    /// Any [`DownstreamError`]; status 404 when there is no such product.
    pub async fn product(&self, ctx: &RequestContext, sku: &str) -> Result<Fetched<Product>, DownstreamError> {
        self.downstream.get(ctx, &["products", sku]).cached().json().await
    }
}
