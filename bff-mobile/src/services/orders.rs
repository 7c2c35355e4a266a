//! Orders: the caller's own, as a Spring Data service gives them.

use actix_web::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, Failure, Fetched},
    idempotency::{IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_REUSED, IdempotencyKey, Scope},
    pagination::PageRequest,
    problem::{FieldError, Problem, ProblemKind},
};

use crate::{
    auth::OnBehalf,
    money::{Money, NotAnAmount},
};

/// Unprocessable content: the order was refused.
pub static ORDER_REFUSED: ProblemKind = ProblemKind {
    code: "order-refused",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The order was refused",
    remedy: "Order products that exist, in quantities that can be had.",
};

/// The service that keeps the orders.
pub struct Orders {
    downstream: Downstream,
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
    pub lines: Vec<Line>,
    /// What it costs in all.
    pub total: Money,
}

/// A line of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// The product.
    pub sku: String,
    /// How many of it.
    pub quantity: u32,
}

#[derive(Serialize)]
struct NewOrder<'a> {
    lines: &'a [Line],
}

/// What the service says when it refuses: Spring Boot's error, which has no code.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderDto {
    order_id: String,
    status: String,
    placed_at: Timestamp,
    #[serde(default)]
    lines: Vec<Line>,
    /// A decimal, such as `129.90`.
    total: String,
    currency: String,
}

impl TryFrom<OrderDto> for Order {
    type Error = NotAnAmount;

    fn try_from(dto: OrderDto) -> Result<Self, NotAnAmount> {
        let total = Money::from_decimal(&dto.total, &dto.currency)?;
        Ok(Self { id: dto.order_id, status: dto.status, placed_at: dto.placed_at, lines: dto.lines, total })
    }
}

#[derive(Serialize)]
struct PageQuery {
    page: u32,
    size: u32,
    /// As `placedAt,desc`.
    sort: String,
}

/// A page of orders.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPage {
    /// The orders of the page.
    pub content: Vec<Order>,
    /// How many there are in all.
    pub total_elements: u64,
}

impl Orders {
    /// The service behind this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// The caller's latest order; none when there never was one.
    ///
    /// # Errors
    /// As any call.
    pub async fn latest(&self, user: &OnBehalf) -> Result<Fetched<Option<Order>>, DownstreamError> {
        let query = PageQuery { page: 0, size: 1, sort: "placedAt,desc".to_owned() };
        let fetched = self.downstream.get(user.context(), &[]).query(&query).as_caller().json::<OrderPage>().await?;
        Ok(fetched.map(|page| page.content.into_iter().next()))
    }

    /// A page of the caller's orders. The fields of `page.sort` are the service's own names.
    ///
    /// # Errors
    /// As any call.
    pub async fn page(&self, user: &OnBehalf, page: &PageRequest) -> Result<Fetched<OrderPage>, DownstreamError> {
        let sort = format!("{},{}", page.sort.field, page.sort.direction.as_str());
        let query = PageQuery { page: page.page, size: page.size, sort };
        self.downstream.get(user.context(), &[]).query(&query).as_caller().json().await
    }

    /// Places an order, once for each intent: asked again, the service gives the order that it placed.
    ///
    /// # Errors
    /// [`ORDER_REFUSED`], [`IDEMPOTENCY_KEY_REUSED`], or as any call.
    pub async fn place(&self, user: &OnBehalf, intent: Scope, lines: &[Line]) -> Result<Order, Problem> {
        let call = self.downstream.post(user.context(), &[]).as_caller().body_json(&NewOrder { lines });
        let call = call.header(IDEMPOTENCY_KEY, &intent.to_string()).idempotent();
        call.json::<Order>().await.map(|fetched| fetched.value).map_err(refused)
    }
}

/// The most lines of one order.
const MAX_LINES: usize = 50;
/// The longest id of a product, in bytes.
const MAX_ID_BYTES: usize = 64;

/// Checks what is ordered.
///
/// # Errors
/// A `validation-failed` problem with every fault.
pub fn check_lines(lines: &[Line]) -> Result<(), Problem> {
    let mut errors = Vec::new();
    if !(1..=MAX_LINES).contains(&lines.len()) {
        errors.push(FieldError::body("/lines", "must have 1 to 50 entries"));
    }
    for (number, line) in lines.iter().enumerate().take(MAX_LINES) {
        if line.sku.is_empty() || line.sku.len() > MAX_ID_BYTES {
            errors.push(FieldError::body(format!("/lines/{number}/product"), "must be the id of a product"));
        }
        if line.quantity == 0 {
            errors.push(FieldError::body(format!("/lines/{number}/quantity"), "must be 1 or more"));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::validation(&errors)) }
}

/// What a caller means by a key when it orders: one intent, through whichever door of this BFF it is asked for. The service
/// gets this in the place of the key, so that two callers with the same key do not meet, and a key that was used for
/// something else is another.
///
/// # Errors
/// When there is no caller.
pub fn intent(context: &RequestContext, key: &IdempotencyKey) -> Result<Scope, Problem> {
    Ok(Scope::new(&context.require_caller()?.subject, "bff-mobile", "POST", "/v1/orders", key))
}

/// What the client can do something about is told; the service's own words are not passed on.
fn refused(error: DownstreamError) -> Problem {
    let kind = match &error.failure {
        Failure::Status { status: StatusCode::UNPROCESSABLE_ENTITY, body, .. } => {
            let refusal = serde_json::from_slice::<Refusal>(body);
            let reused = refusal.is_ok_and(|refusal| refusal.message.contains("Idempotency-Key"));
            if reused { &IDEMPOTENCY_KEY_REUSED } else { &ORDER_REFUSED }
        }
        _ => return error.into(),
    };
    Problem::new(kind).caused_by(error)
}
