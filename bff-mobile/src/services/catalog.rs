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

/// The longest id of a category, in bytes.
const MAX_CATEGORY_BYTES: usize = 64;

/// Whether a text can be the id of a category.
#[must_use]
pub fn is_category(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_CATEGORY_BYTES).contains(&id.len()) && id.bytes().all(plain)
}

#[derive(Serialize)]
struct ByIdsQuery {
    /// Ids, with commas between them.
    skus: String,
    limit: usize,
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

    /// The products of these ids, in no order; those that are sold no more are left out.
    ///
    /// # Errors
    /// As any call.
    pub async fn by_ids(
        &self,
        context: &RequestContext,
        ids: &[String],
    ) -> Result<Fetched<ProductList>, DownstreamError> {
        let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        // Equal questions are asked once, so the same ids have to be the same question.
        ids.sort_unstable();
        let query = ByIdsQuery { skus: ids.join(","), limit: ids.len().max(1) };
        self.downstream.get(context, &["products"]).query(&query).json().await
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
