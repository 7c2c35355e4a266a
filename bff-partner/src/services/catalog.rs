//! The catalog: products, the same for everyone, as lists with offset and limit, or behind a product.

use serde::{Deserialize, Serialize};
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
    pagination::{PageRequest, Place, Sort, Walk},
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

/// The longest id of a product, in bytes.
const MAX_SKU_BYTES: usize = 64;

#[derive(Serialize)]
struct ListQuery<'a> {
    offset: Option<u64>,
    limit: u32,
    /// As `name:asc`.
    order_by: String,
    q: Option<&'a str>,
    category: Option<&'a str>,
    after_value: Option<&'a str>,
    after_sku: Option<&'a str>,
}

impl Product {
    /// Where it stands in a list of this order.
    #[must_use]
    pub fn place(&self, sort: Sort) -> Place {
        let value = if sort.field == "price" { self.price.amount_minor.to_string() } else { self.title.clone() };
        Place { value, id: self.sku.clone() }
    }

    /// Whether a product can stand there.
    #[must_use]
    pub fn can_stand_at(sort: Sort, place: &Place) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_id = (1..=MAX_SKU_BYTES).contains(&place.id.len()) && place.id.bytes().all(plain);
        is_id && (sort.field != "price" || place.value.parse::<i64>().is_ok())
    }
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
            offset: Some(page.offset()),
            limit: page.size,
            order_by: order_by(page.sort),
            q: page.search.as_deref(),
            category,
            after_value: None,
            after_sku: None,
        };
        self.downstream.get(context, &["products"]).query(&query).json().await
    }

    /// What comes next in a walk, and one product more where there is more.
    ///
    /// # Errors
    /// As any call.
    pub async fn products_after(
        &self,
        context: &RequestContext,
        walk: &Walk,
        category: Option<&str>,
    ) -> Result<Vec<Product>, DownstreamError> {
        let query = ListQuery {
            offset: None,
            limit: walk.one_more(),
            order_by: order_by(walk.sort),
            q: walk.search.as_deref(),
            category,
            after_value: walk.after.as_ref().map(|place| place.value.as_str()),
            after_sku: walk.after.as_ref().map(|place| place.id.as_str()),
        };
        let list: Fetched<ProductList> = self.downstream.get(context, &["products"]).query(&query).json().await?;
        Ok(list.value.items)
    }
}

fn order_by(sort: Sort) -> String {
    format!("{}:{}", sort.field, sort.direction.as_str())
}
