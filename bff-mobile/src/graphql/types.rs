//! The types of the graph, and what the services' answers become in it.

use async_graphql::{ComplexObject, Context, Enum, InputObject, Result, SimpleObject, dataloader::DataLoader};
use shared_lib::pagination::{Direction, Sort};

use super::{
    asker::Asker,
    loader::ProductLoader,
    problems::field_error,
    scalars::{DateTime, Long},
};
use crate::{auth::scopes, money, services};

/// Who asks.
#[derive(SimpleObject)]
pub(super) struct User {
    /// The first name.
    pub(super) name: String,
}

/// An amount of money.
#[derive(SimpleObject)]
pub(super) struct Money {
    /// In the currency's smallest unit: 1299 EUR are 12.99 euros.
    minor: Long,
    /// ISO 4217.
    currency: String,
}

impl From<money::Money> for Money {
    fn from(money: money::Money) -> Self {
        Self { minor: Long(money.minor), currency: money.currency }
    }
}

/// A promotion that runs now.
#[derive(SimpleObject)]
pub(super) struct Promotion {
    id: String,
    title: String,
    /// The discount in percent.
    percent: u8,
}

impl From<services::promotions::Promotion> for Promotion {
    fn from(promotion: services::promotions::Promotion) -> Self {
        Self { id: promotion.promotion_id, title: promotion.headline, percent: promotion.discount_percent }
    }
}

/// A product.
#[derive(SimpleObject)]
pub(super) struct Product {
    id: String,
    name: String,
    price: Money,
    /// Where the picture stands, from the root of the image host.
    img: String,
}

impl From<services::catalog::Product> for Product {
    fn from(product: services::catalog::Product) -> Self {
        let services::catalog::Price { amount_minor, currency } = product.price;
        let price = Money { minor: Long(amount_minor), currency };
        Self { id: product.sku, name: product.title, price, img: product.image_path }
    }
}

/// A page of products.
#[derive(SimpleObject)]
pub(super) struct ProductPage {
    pub(super) content: Vec<Product>,
    /// How many there are in all.
    pub(super) total_elements: Long,
}

/// How products are ordered.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProductOrder {
    NameAsc,
    NameDesc,
    PriceAsc,
    PriceDesc,
    RatingDesc,
}

impl ProductOrder {
    pub(super) fn sort(self) -> Sort {
        let (field, direction) = match self {
            Self::NameAsc => ("name", Direction::Asc),
            Self::NameDesc => ("name", Direction::Desc),
            Self::PriceAsc => ("price", Direction::Asc),
            Self::PriceDesc => ("price", Direction::Desc),
            Self::RatingDesc => ("rating", Direction::Desc),
        };
        Sort { field, direction }
    }
}

/// An order.
#[derive(SimpleObject)]
pub(super) struct Order {
    id: String,
    /// Where it stands, such as `SHIPPED`.
    status: String,
    placed_at: DateTime,
    /// How many pieces were ordered.
    items: u32,
    total: Money,
    #[graphql(complexity = "3 * child_complexity")]
    lines: Vec<Line>,
}

impl From<services::orders::Order> for Order {
    fn from(order: services::orders::Order) -> Self {
        let items = order.lines.iter().fold(0, |sum: u32, line| sum.saturating_add(line.quantity));
        Self {
            id: order.id,
            status: order.status,
            placed_at: DateTime(order.placed_at),
            items,
            total: order.total.into(),
            lines: order.lines.into_iter().map(Line::from).collect(),
        }
    }
}

/// A page of orders.
#[derive(SimpleObject)]
pub(super) struct OrderPage {
    pub(super) content: Vec<Order>,
    /// How many there are in all.
    pub(super) total_elements: Long,
}

/// How orders are ordered.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(super) enum OrderOrder {
    PlacedAtDesc,
    PlacedAtAsc,
    TotalDesc,
    TotalAsc,
}

impl OrderOrder {
    pub(super) fn sort(self) -> Sort {
        let (field, direction) = match self {
            Self::PlacedAtDesc => ("placedAt", Direction::Desc),
            Self::PlacedAtAsc => ("placedAt", Direction::Asc),
            Self::TotalDesc => ("total", Direction::Desc),
            Self::TotalAsc => ("total", Direction::Asc),
        };
        Sort { field, direction }
    }
}

/// A line of an order.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(super) struct Line {
    /// The id of the product.
    product_id: String,
    quantity: u32,
}

impl From<services::orders::Line> for Line {
    fn from(line: services::orders::Line) -> Self {
        Self { product_id: line.sku, quantity: line.quantity }
    }
}

#[ComplexObject]
impl Line {
    /// The product; null when it is sold no more. The products of all lines of a document are asked for together.
    async fn product(&self, context: &Context<'_>) -> Option<Result<Product>> {
        let product = async {
            Asker::with_scopes(context, scopes::PRODUCTS)?;
            let loader = context.data::<DataLoader<ProductLoader>>()?;
            let product = loader.load_one(self.product_id.clone()).await.map_err(field_error)?;
            Ok(product.map(Product::from))
        };
        product.await.transpose()
    }
}

/// A notification.
#[derive(SimpleObject)]
pub(super) struct Notification {
    id: String,
    title: String,
    body: String,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z.
    at: Long,
    read: bool,
}

impl From<services::notifications::Notification> for Notification {
    fn from(notification: services::notifications::Notification) -> Self {
        let services::notifications::Notification { id, title, body, created_at_ms, read, .. } = notification;
        Self { id, title, body, at: Long(created_at_ms.div_euclid(1000)), read }
    }
}

/// One line of an order to place.
#[derive(InputObject)]
pub(super) struct NewLine {
    /// The id of a product.
    pub(super) product: String,
    /// How many of it.
    pub(super) quantity: u32,
}
