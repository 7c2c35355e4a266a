//! Placing an order, once, however often a bad network makes the app ask.

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Deserialize;
use shared_lib::{idempotency::IdempotencyKey, problem::Problem};
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

impl From<NewLineParams> for Line {
    fn from(line: NewLineParams) -> Self {
        Self { sku: line.product, quantity: line.quantity }
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
    let lines: Vec<_> = order.into_inner().lines.into_iter().map(Line::from).collect();
    orders::check_lines(&lines)?;
    let order = services.orders.place(&user, orders::intent(user.context(), &key)?, &lines).await?;
    Ok(HttpResponse::Created().json(OrderItem::from(order)))
}
