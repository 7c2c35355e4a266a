//! The orders service: Spring Data pages, camelCase, decimal texts.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Fetched},
    idempotency::{IDEMPOTENCY_KEY, Scope},
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
    /// What was ordered.
    pub lines: Vec<OrderLine>,
    /// The sum, a decimal text.
    #[serde(deserialize_with = "decimal")]
    pub total: String,
    /// ISO 4217.
    pub currency: String,
}

/// A product of an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// The product.
    pub sku: String,
    /// How many of it.
    pub quantity: u32,
    /// What one cost, a decimal text.
    #[serde(deserialize_with = "decimal")]
    pub unit_price: String,
}

/// A page of orders.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPage {
    /// The orders of the page.
    pub content: Vec<Order>,
    /// Orders in the whole list.
    pub total_elements: u64,
}

/// Which page.
#[derive(Debug, Clone, Serialize)]
pub struct OrderSearch {
    /// Its number; the first is 0.
    pub page: u32,
    /// Orders a page.
    pub size: u32,
    /// `field,asc` or `field,desc` in the service's names, which are ours.
    pub sort: String,
}

/// What is ordered.
#[derive(Debug, Clone, Serialize)]
pub struct NewOrder {
    /// One entry a product.
    pub lines: Vec<NewOrderLine>,
}

/// A product to order.
#[derive(Debug, Clone, Serialize)]
pub struct NewOrderLine {
    /// The product.
    pub sku: String,
    /// How many of it.
    pub quantity: u32,
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
        let search = OrderSearch { page: 0, size: count, sort: "placedAt,desc".to_owned() };
        let page = self.downstream.get(ctx, &[]).query(&search).as_caller().cached().json::<OrderPage>().await?;
        Ok(page.map(|page| page.content))
    }

    /// A page of the orders of the signed-in user. It is asked for each time: a list has no receipt that could say that
    /// it is an old one.
    ///
    /// # Errors
    /// Any [`DownstreamError`].
    pub async fn page(
        &self,
        ctx: &RequestContext,
        search: &OrderSearch,
    ) -> Result<Fetched<OrderPage>, DownstreamError> {
        self.downstream.get(ctx, &[]).query(search).as_caller().json().await
    }

    /// Places an order for the signed-in user, once for each intent.
    ///
    /// # Errors
    /// Any [`DownstreamError`]; status 422 for lines that the service does not take, and for an intent that was another
    /// order.
    pub async fn place(&self, ctx: &RequestContext, order: &NewOrder, intent: Scope) -> Result<Order, DownstreamError> {
        // The key makes a repetition harmless, so a lost answer may be asked for again.
        let key = intent.to_string();
        let call = self.downstream.post(ctx, &[]).as_caller().header(IDEMPOTENCY_KEY, &key).idempotent();
        Ok(call.body_json(order).json::<Order>().await?.value)
    }

    /// Forgets what was kept of this subject's orders.
    pub fn forget(&self, subject: &str) {
        self.downstream.forget_subject(subject);
    }
}

/// A decimal number as a text. What is not one never reaches a page.
fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let digits = |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(whole.strip_prefix('-').unwrap_or(whole)) && digits(fraction) {
        Ok(text)
    } else {
        Err(D::Error::custom("not a decimal number"))
    }
}
