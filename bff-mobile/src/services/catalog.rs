//! The catalog: products, the same for everyone, as lists with offset and limit.

use serde::{Deserialize, Serialize};
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
    pagination::PageRequest,
};

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
    /// Its price.
    pub price: Price,
    /// Where its picture stands, from the root of the image host.
    pub image_path: String,
}

/// A price.
#[derive(Debug, Clone, Deserialize)]
pub struct Price {
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
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
        self.products_from(context, page.offset(), page, category).await
    }

    /// As many products as a page has from this place on; `page` says in which order and which.
    ///
    /// # Errors
    /// As any call.
    pub async fn products_from(
        &self,
        context: &RequestContext,
        offset: u64,
        page: &PageRequest,
        category: Option<&str>,
    ) -> Result<Fetched<ProductList>, DownstreamError> {
        let query = ListQuery {
            offset,
            limit: page.size,
            order_by: format!("{}:{}", page.sort.field, page.sort.direction.as_str()),
            q: page.search.as_deref(),
            category,
        };
        self.downstream.get(context, &["products"]).query(&query).json().await
    }
}
