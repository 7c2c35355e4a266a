//! The catalog: products, the same for everyone, as lists with offset and limit.

use serde::{Deserialize, Serialize};
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
    pagination::PageRequest,
};

use crate::money::Money;

/// The service that keeps the products.
pub struct Catalog {
    downstream: Downstream,
}

/// A page of products.
#[derive(Debug, Clone, Deserialize)]
pub struct ProductList {
    /// The products of the page.
    pub items: Vec<Product>,
    /// How many there are in all.
    pub total: u64,
}

/// A product.
#[derive(Debug, Clone, Deserialize)]
pub struct Product {
    /// Its id.
    pub sku: String,
    /// Its name.
    pub title: String,
    /// What it is, in words.
    pub description: String,
    /// The id of its category.
    pub category_id: String,
    /// Its price.
    pub price: Price,
    /// How many can be had at once.
    pub stock_level: u32,
}

/// A price.
#[derive(Debug, Clone, Deserialize)]
pub struct Price {
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
}

impl From<Price> for Money {
    fn from(price: Price) -> Self {
        Self::from_minor(price.amount_minor, &price.currency)
    }
}

#[derive(Serialize)]
struct ListQuery<'a> {
    offset: u64,
    limit: u32,
    /// As `name:asc`.
    order_by: String,
    q: Option<&'a str>,
    category: Option<&'a str>,
}

impl Catalog {
    /// The service behind this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// A page of products, of one category where one is given. The fields of `page.sort` are the service's own names.
    ///
    /// # Errors
    /// As any call.
    pub async fn products(
        &self,
        context: &RequestContext,
        page: &PageRequest,
        category: Option<&str>,
    ) -> Result<Fetched<ProductList>, DownstreamError> {
        let query = ListQuery {
            offset: page.offset(),
            limit: page.size,
            order_by: format!("{}:{}", page.sort.field, page.sort.direction.as_str()),
            q: page.search.as_deref(),
            category,
        };
        self.downstream.get(context, &["products"]).query(&query).json().await
    }
}
