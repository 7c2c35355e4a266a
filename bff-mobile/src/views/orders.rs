//! The list of the user's orders, a page at a time.

use actix_web::{get, web};
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    pagination::{FromQuery, PageRequest, PageResponse, PageSpec, Query, QueryReader, UnknownSort},
    problem::{FieldError, Problem},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::OnBehalf,
    fields::{Fields, FieldsParam, Trimmed},
    money::Money,
    openapi::Refusals,
    services::{Services, orders::Order},
};

/// The fields are the service's own names.
const ORDERS: PageSpec = PageSpec {
    default_size: 20,
    sorts: &["placedAt,desc", "placedAt,asc", "total,desc", "total,asc"],
    unknown_sort: UnknownSort::Refuse,
};

/// What can be asked for by `fields`.
const FIELDS: &[&str] = &["id", "status", "placedAt", "items", "total"];

/// What a list of orders is asked for by.
pub struct OrdersParams {
    page: PageRequest,
    fields: Fields,
}

/// The same, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct OrdersQuery {
    /// The page's number; the first is 0.
    #[param(default = 0, minimum = 0, maximum = 4_294_967_295_u64)]
    page: Option<u32>,
    /// Elements a page. A larger value than 100 gets 100.
    #[param(minimum = 1)]
    size: Option<u32>,
    /// The order: `placedAt,desc` (the default), `placedAt,asc`, `total,desc`, `total,asc`.
    sort: Option<String>,
}

impl FromQuery for OrdersParams {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        let page = query.page(&ORDERS);
        if page.search.is_some() {
            query.reject(FieldError::query("search", "is not a parameter here"));
        }
        Self { page, fields: Fields::read(query, FIELDS) }
    }
}

/// An order, as a row.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderItem {
    id: String,
    /// Where it stands.
    #[schema(example = "SHIPPED")]
    status: String,
    /// When it was placed (RFC 3339, UTC).
    #[schema(value_type = String, format = DateTime)]
    placed_at: Timestamp,
    /// How many pieces were ordered.
    #[schema(example = 3)]
    items: u32,
    total: Money,
}

impl From<Order> for OrderItem {
    fn from(order: Order) -> Self {
        let items = order.lines.iter().fold(0, |sum: u32, line| sum.saturating_add(line.quantity));
        Self { id: order.id, status: order.status, placed_at: order.placed_at, items, total: order.total }
    }
}

/// A page of the user's orders.
#[utoipa::path(
    tag = "orders",
    params(OrdersQuery, FieldsParam),
    responses((status = 200, description = "A page of orders", body = PageResponse<OrderItem>), Refusals)
)]
#[get("/orders")]
pub async fn list_orders(
    user: OnBehalf,
    services: web::Data<Services>,
    Query(params): Query<OrdersParams>,
) -> Result<web::Json<PageResponse<Trimmed<OrderItem>>>, Problem> {
    let list = services.orders.page(&user, &params.page).await?.value;
    let orders = list.content.into_iter().map(|order| params.fields.trim(OrderItem::from(order))).collect();
    Ok(web::Json(PageResponse::new(orders, &params.page, list.total_elements)))
}
