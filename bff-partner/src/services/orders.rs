//! Orders: the partner's own, as a Spring Data service gives them.

use actix_web::http::{Method, StatusCode, header::HeaderName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared_lib::{
    downstream::{Call, Downstream, DownstreamError, Failure, Fetched},
    pagination::{PageRequest, Place, Sort, Walk},
    problem::{Problem, ProblemKind, kinds},
};

use crate::{
    auth::AsPartner,
    money::{Money, NotAnAmount},
};

/// The longest id of an order, in bytes.
const MAX_ID_BYTES: usize = 64;

/// The most digits of an amount, before its point and behind it.
const MAX_DIGITS: usize = 18;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Unprocessable: the order cannot be placed.
pub static ORDER_NOT_ACCEPTED: ProblemKind = ProblemKind {
    code: "order-not-accepted",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The order cannot be placed",
    remedy: "Check that every product exists; the same order will be refused again.",
};

/// Conflict: the order is on its way.
pub static ORDER_NOT_CANCELLABLE: ProblemKind = ProblemKind {
    code: "order-not-cancellable",
    status: StatusCode::CONFLICT,
    title: "The order can no longer be cancelled",
    remedy: "Wait for the delivery and return it.",
};

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[&ORDER_NOT_ACCEPTED, &ORDER_NOT_CANCELLABLE];

/// The service that keeps the orders.
pub struct Orders {
    downstream: Downstream,
}

/// A page of orders.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPage {
    /// The orders of the page.
    pub content: Vec<Order>,
    /// How many there are in all.
    pub total_elements: u64,
}

/// What comes next in a walk through the orders.
#[derive(Debug, Clone, Deserialize)]
pub struct OrderWindow {
    /// The orders.
    pub content: Vec<Order>,
    /// Whether there are no more.
    pub last: bool,
}

/// An order.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "OrderDto")]
pub struct Order {
    /// Its id.
    pub id: String,
    /// Where it stands, such as `SHIPPED`.
    pub status: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// What was ordered.
    pub lines: Vec<OrderLine>,
    /// What it costs in all.
    pub total: Money,
}

/// A line of an order.
#[derive(Debug, Clone)]
pub struct OrderLine {
    /// The product's id.
    pub sku: String,
    /// How many.
    pub quantity: u32,
    /// What one costs.
    pub unit_price: Money,
}

/// What is ordered.
#[derive(Debug, Clone, Serialize)]
pub struct NewOrder {
    /// Its lines.
    pub lines: Vec<NewOrderLine>,
}

/// A line of what is ordered.
#[derive(Debug, Clone, Serialize)]
pub struct NewOrderLine {
    /// The product's id.
    pub sku: String,
    /// How many.
    pub quantity: u32,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderDto {
    order_id: String,
    status: String,
    placed_at: Timestamp,
    lines: Vec<LineDto>,
    /// A decimal, such as `129.90`.
    total: String,
    currency: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LineDto {
    sku: String,
    quantity: u32,
    /// A decimal, such as `12.99`.
    unit_price: String,
}

impl TryFrom<OrderDto> for Order {
    type Error = NotAnAmount;

    fn try_from(dto: OrderDto) -> Result<Self, NotAnAmount> {
        let line = |line: LineDto| {
            let unit_price = Money::from_decimal(&line.unit_price, &dto.currency)?;
            Ok(OrderLine { sku: line.sku, quantity: line.quantity, unit_price })
        };
        Ok(Self {
            total: Money::from_decimal(&dto.total, &dto.currency)?,
            lines: dto.lines.into_iter().map(line).collect::<Result<_, _>>()?,
            id: dto.order_id,
            status: dto.status,
            placed_at: dto.placed_at,
        })
    }
}

#[derive(Serialize)]
struct PageQuery {
    page: u32,
    size: u32,
    sort: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScrollQuery<'a> {
    limit: u32,
    sort: String,
    after_value: Option<&'a str>,
    after_id: Option<&'a str>,
}

impl Order {
    /// Where it stands in a list of this order.
    #[must_use]
    pub fn place(&self, sort: Sort) -> Place {
        let value = if sort.field == "total" { self.total.amount.clone() } else { self.placed_at.to_string() };
        Place { value, id: self.id.clone() }
    }

    /// Whether an order can stand there.
    #[must_use]
    pub fn can_stand_at(sort: Sort, place: &Place) -> bool {
        let is_value = match sort.field {
            "total" => is_decimal(&place.value),
            _ => place.value.parse::<Timestamp>().is_ok(),
        };
        is_value && is_id(&place.id)
    }
}

/// Whether this can be the id of an order.
#[must_use]
pub fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(plain)
}

fn is_decimal(text: &str) -> bool {
    let plain =
        |part: &str| !part.is_empty() && part.len() <= MAX_DIGITS && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').map_or_else(|| plain(text), |(whole, fraction)| plain(whole) && plain(fraction))
}

impl Orders {
    /// The service behind this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// A page of the partner's orders. The fields of `page.sort` are the service's own names.
    ///
    /// # Errors
    /// As any call.
    pub async fn list(&self, partner: &AsPartner, page: &PageRequest) -> Result<Fetched<OrderPage>, DownstreamError> {
        let query = PageQuery { page: page.page, size: page.size, sort: order_by(page.sort) };
        let answer = partner.sign(self.call(partner, Method::GET, &[]).query(&query)).json().await;
        partner.notice(answer)
    }

    /// What comes next in a walk through the partner's orders.
    ///
    /// # Errors
    /// As any call.
    pub async fn list_after(&self, partner: &AsPartner, walk: &Walk) -> Result<OrderWindow, DownstreamError> {
        let query = ScrollQuery {
            limit: walk.size,
            sort: order_by(walk.sort),
            after_value: walk.after.as_ref().map(|place| place.value.as_str()),
            after_id: walk.after.as_ref().map(|place| place.id.as_str()),
        };
        let answer = partner.sign(self.call(partner, Method::GET, &["scroll"]).query(&query)).json().await;
        Ok(partner.notice(answer)?.value)
    }

    /// One order, if it is the partner's.
    ///
    /// # Errors
    /// Not found; otherwise as any call.
    pub async fn find(&self, partner: &AsPartner, id: &str) -> Result<Order, Problem> {
        let answer = partner.sign(self.call(partner, Method::GET, &[id])).json().await;
        Ok(partner.notice(answer).map_err(translate)?.value)
    }

    /// Places an order, once for each key, however often this is called.
    ///
    /// # Errors
    /// [`ORDER_NOT_ACCEPTED`]; otherwise as any call.
    pub async fn place(&self, partner: &AsPartner, key: &str, order: &NewOrder) -> Result<Order, Problem> {
        let call = self.call(partner, Method::POST, &[]).header(IDEMPOTENCY_KEY, key).idempotent().body_json(order);
        let answer = partner.sign(call).json().await;
        Ok(partner.notice(answer).map_err(translate)?.value)
    }

    /// Cancels an order that is not on its way yet. To cancel it again changes nothing.
    ///
    /// # Errors
    /// Not found, [`ORDER_NOT_CANCELLABLE`]; otherwise as any call.
    pub async fn cancel(&self, partner: &AsPartner, id: &str) -> Result<Order, Problem> {
        let call = self.call(partner, Method::POST, &[id, "cancel"]).idempotent();
        let answer = partner.sign(call).json().await;
        Ok(partner.notice(answer).map_err(translate)?.value)
    }

    fn call(&self, partner: &AsPartner, method: Method, path: &[&str]) -> Call {
        self.downstream.call(partner.context(), method, path)
    }
}

fn order_by(sort: Sort) -> String {
    format!("{},{}", sort.field, sort.direction.as_str())
}

/// What the service refuses and the partner can do something about.
fn translate(error: DownstreamError) -> Problem {
    let kind = match &error.failure {
        Failure::Status { status, .. } if *status == StatusCode::NOT_FOUND => &kinds::NOT_FOUND,
        Failure::Status { status, .. } if *status == StatusCode::CONFLICT => &ORDER_NOT_CANCELLABLE,
        Failure::Status { status, .. } if *status == StatusCode::UNPROCESSABLE_ENTITY => &ORDER_NOT_ACCEPTED,
        _ => return error.into(),
    };
    Problem::new(kind).caused_by(error)
}
