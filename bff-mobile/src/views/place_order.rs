//! Placing an order, once, however often a bad network makes the app ask.

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Deserialize;
use shared_lib::{
    idempotency::IdempotencyKey,
    problem::{FieldError, Problem},
};
use utoipa::ToSchema;

use super::orders::OrderItem;
use crate::{
    auth::OnBehalf,
    openapi::Refusals,
    services::{
        Services,
        orders::{self, Line},
    },
};

/// The most lines of one order.
const MAX_LINES: usize = 50;
/// The longest id of a product, in bytes.
const MAX_ID_BYTES: usize = 64;

/// What is ordered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrderParams {
    #[schema(min_items = 1, max_items = 50)]
    lines: Vec<NewLineParams>,
}

/// One line of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLineParams {
    /// The id of a product.
    #[schema(example = "SKU-00001", max_length = 64)]
    product: String,
    /// How many of it.
    #[schema(example = 1, minimum = 1)]
    quantity: u32,
}

impl NewOrderParams {
    fn into_lines(self) -> Result<Vec<Line>, Problem> {
        let mut errors = Vec::new();
        if !(1..=MAX_LINES).contains(&self.lines.len()) {
            errors.push(FieldError::body("/lines", "must have 1 to 50 entries"));
        }
        for (number, line) in self.lines.iter().enumerate().take(MAX_LINES) {
            if line.product.is_empty() || line.product.len() > MAX_ID_BYTES {
                errors.push(FieldError::body(format!("/lines/{number}/product"), "must be the id of a product"));
            }
            if line.quantity == 0 {
                errors.push(FieldError::body(format!("/lines/{number}/quantity"), "must be 1 or more"));
            }
        }
        if !errors.is_empty() {
            return Err(Problem::validation(&errors));
        }
        Ok(self.lines.into_iter().map(|line| Line { sku: line.product, quantity: line.quantity }).collect())
    }
}

/// Places an order.
///
/// Ask again with the same `Idempotency-Key` when the answer was lost: the order is placed once.
#[utoipa::path(
    tag = "orders",
    params(("Idempotency-Key" = String, Header, description = "A random name of this intent, 1 to 255 characters")),
    request_body = NewOrderParams,
    responses(
        (status = 201, description = "The order that was placed, now or before under this key", body = OrderItem),
        (status = 422, description = "The order was refused, or the key was used for another one",
            body = shared_lib::problem::ProblemView, content_type = "application/problem+json"),
        Refusals
    )
)]
#[post("/orders")]
pub async fn place_order(
    user: OnBehalf,
    services: web::Data<Services>,
    request: HttpRequest,
    order: web::Json<NewOrderParams>,
) -> Result<HttpResponse, Problem> {
    let key = IdempotencyKey::required(request.headers())?;
    let lines = order.into_inner().into_lines()?;
    let order = services.orders.place(&user, orders::intent(user.context(), &key)?, &lines).await?;
    Ok(HttpResponse::Created().json(OrderItem::from(order)))
}
