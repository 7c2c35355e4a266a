//! A partner's own orders.

pub mod bulk;

use std::{rc::Rc, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, get, http::StatusCode, post, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared_lib::{
    idempotency::{Idempotency, IdempotencyKey, KeptAnswer, Outcome, Scope},
    pagination::{
        CursorParams, FromQuery, Listing, PageParams, PageRequest, PageResponse, PageSpec, Query, QueryReader,
        UnknownSort, Walk,
    },
    problem::{FieldError, PROBLEM_JSON, Problem, ProblemView, kinds},
};
use utoipa::ToSchema;

use crate::{
    auth::{AdmittedKey, AsPartner},
    body::{JsonBody, whole_number},
    money::Money,
    openapi::{OrderIsThere, OrderRefusals, Refusals},
    services::{
        Services,
        orders::{self, NewOrder, NewOrderLine, Order, OrderLine},
    },
};

/// The fields are the orders service's own names.
const ORDERS: PageSpec = PageSpec {
    default_size: 20,
    sorts: &["placedAt,desc", "placedAt,asc", "total,desc", "total,asc"],
    unknown_sort: UnknownSort::Refuse,
};

const MAX_LINES: usize = 50;
const MAX_QUANTITY: u32 = 999;
const MAX_PRODUCT_CHARS: usize = 64;

/// The list's name in its cursors.
const LIST: &str = "orders";

/// What a list of orders is asked for by.
pub struct OrdersParams {
    page: PageRequest,
    walk: Option<Walk>,
}

impl FromQuery for OrdersParams {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        let cursor = query.cursor();
        let page = query.page(&ORDERS);
        if page.search.is_some() {
            query.reject(FieldError::query("search", "orders cannot be searched"));
        }
        let walk = cursor.map(|cursor| query.walk(&cursor, LIST, &page, &[], Order::can_stand_at));
        Self { page, walk }
    }
}

/// An order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderView {
    #[schema(example = "ord_0123456789abcdef")]
    id: String,
    /// Where it stands: `PLACED`, `PAID`, `SHIPPED`, `DELIVERED` or `CANCELLED`.
    #[schema(example = "SHIPPED")]
    status: String,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    placed_at: Timestamp,
    lines: Vec<OrderLineView>,
    total: Money,
}

/// A line of an order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderLineView {
    #[schema(example = "SKU-00001")]
    product_id: String,
    quantity: u32,
    unit_price: Money,
}

impl From<Order> for OrderView {
    fn from(order: Order) -> Self {
        let line = |line: OrderLine| OrderLineView {
            product_id: line.sku,
            quantity: line.quantity,
            unit_price: line.unit_price,
        };
        Self {
            id: order.id,
            status: order.status,
            placed_at: order.placed_at,
            lines: order.lines.into_iter().map(line).collect(),
            total: order.total,
        }
    }
}

/// What is ordered.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOrderBody {
    #[schema(min_items = 1, max_items = 50)]
    lines: Vec<NewOrderLineBody>,
}

/// A line of what is ordered.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOrderLineBody {
    #[schema(min_length = 1, max_length = 64, example = "SKU-00001")]
    product_id: String,
    #[serde(deserialize_with = "whole_number")]
    #[schema(minimum = 1, maximum = 999)]
    quantity: u32,
}

impl NewOrderBody {
    /// What the service is asked for. Every wrong member is named.
    fn check(self) -> Result<NewOrder, Problem> {
        let mut errors = Vec::new();
        if !(1..=MAX_LINES).contains(&self.lines.len()) {
            errors.push(FieldError::body("/lines", format!("must have 1 to {MAX_LINES} lines")));
        }
        for (at, line) in self.lines.iter().enumerate().take(MAX_LINES) {
            if !(1..=MAX_PRODUCT_CHARS).contains(&line.product_id.chars().count()) {
                errors.push(FieldError::body(format!("/lines/{at}/productId"), "must be the id of a product"));
            }
            if !(1..=MAX_QUANTITY).contains(&line.quantity) {
                let message = format!("must be from 1 to {MAX_QUANTITY}");
                errors.push(FieldError::body(format!("/lines/{at}/quantity"), message));
            }
        }
        if !errors.is_empty() {
            return Err(Problem::validation(&errors));
        }
        let line = |line: NewOrderLineBody| NewOrderLine { sku: line.product_id, quantity: line.quantity };
        Ok(NewOrder { lines: self.lines.into_iter().map(line).collect() })
    }
}

/// A page of your orders, or what comes next of all of them.
///
/// Accepted orders: `placedAt,desc` (the default), `placedAt,asc`, `total,desc`, `total,asc`. They cannot be searched. With
/// `cursor` the list is walked through: `Link` leads to what comes next, and an order that is there throughout is met once,
/// whatever is placed meanwhile.
#[utoipa::path(
    tag = "orders",
    params(PageParams, CursorParams),
    responses(
        (
            status = 200,
            description = "A page of your orders; with `cursor`, a stretch of the list",
            body = Listing<OrderView>,
            headers(("Link" = String, description = "With `cursor`: where what comes next is (RFC 8288)"))
        ),
        Refusals
    )
)]
#[get("/orders")]
pub async fn list_orders(
    request: HttpRequest,
    partner: AsPartner,
    services: web::Data<Services>,
    Query(params): Query<OrdersParams>,
) -> Result<HttpResponse, Problem> {
    let listing = if let Some(walk) = &params.walk {
        let window = services.orders.list_after(&partner, walk).await?;
        let stretch = walk.answer(window.content, !window.last, |last| last.place(walk.sort))?;
        Listing::Stretch(stretch.map(OrderView::from))
    } else {
        let page = services.orders.list(&partner, &params.page).await?.value;
        let orders = page.content.into_iter().map(OrderView::from).collect();
        Listing::Page(PageResponse::new(orders, &params.page, page.total_elements))
    };
    Ok(listing.into_response(&request))
}

/// Places an order.
///
/// Send `Idempotency-Key` with a value of your own: however often you repeat the call with it within a day, there is one
/// order, and you get the first answer again, marked `Idempotency-Replayed: true`.
#[utoipa::path(
    tag = "orders",
    params(("Idempotency-Key" = String, Header, description = "Your name for this order; 1 to 255 printable characters", pattern = "^(\"([ !#-\\[\\]-~]|\\\\[\"\\\\]){1,255}\"|[!#-~]([ -~]{0,253}[!-~])?)$")),
    request_body = NewOrderBody,
    responses(
        (status = 201, description = "The order was placed; `Location` says where it is", body = OrderView),
        OrderRefusals,
        Refusals
    )
)]
#[post("/orders")]
pub async fn place_order(
    request: HttpRequest,
    key: AdmittedKey,
    partner: AsPartner,
    services: web::Data<Services>,
    idempotency: web::Data<Idempotency>,
    JsonBody(body): JsonBody<NewOrderBody>,
) -> Result<HttpResponse, Problem> {
    let name = IdempotencyKey::required(request.headers())?;
    let placing = Placing { key, partner: Rc::new(partner), services, idempotency: idempotency.into_inner() };
    Ok(placing.place(&name, body).await?.into_response())
}

/// Where an order is placed alone. Its name means the same wherever it is placed, so this is the address in its scope.
const PLACED_AT: (&str, &str) = ("POST", "/v1/orders");

/// Places orders of one partner, each once for its name.
struct Placing {
    key: AdmittedKey,
    partner: Rc<AsPartner>,
    services: web::Data<Services>,
    idempotency: Arc<Idempotency>,
}

impl Placing {
    async fn place(&self, name: &IdempotencyKey, body: NewOrderBody) -> Result<Outcome, Problem> {
        // Written anew, so that spaces and the order of members make no other body of it.
        let said = serde_json::to_vec(&body).map_err(|error| Problem::new(&kinds::INTERNAL_ERROR).caused_by(error))?;
        let order = body.check()?;
        let record = self.key.record();
        let (method, path) = PLACED_AT;
        let operation = Scope::new(&record.partner, record.environment.as_str(), method, path, name);
        let (services, partner) = (self.services.clone(), Rc::clone(&self.partner));
        let run = async move {
            let order = services.orders.place(&partner, &operation.to_string(), &order).await?;
            let location = format!("/v1/orders/{}", order.id);
            KeptAnswer::json(StatusCode::CREATED, Some(location), &OrderView::from(order))
        };
        self.idempotency.run(operation, &said, run).await
    }
}

/// One of your orders.
#[utoipa::path(
    tag = "orders",
    params(("id" = String, Path, description = "The order's id")),
    responses((status = 200, description = "The order", body = OrderView), OrderIsThere, Refusals)
)]
#[get("/orders/{id}")]
pub async fn get_order(
    partner: AsPartner,
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<web::Json<OrderView>, Problem> {
    check_id(&id)?;
    Ok(web::Json(services.orders.find(&partner, &id).await?.into()))
}

/// Cancels an order that is not on its way yet.
///
/// To cancel it again changes nothing, so this needs no `Idempotency-Key`.
#[utoipa::path(
    tag = "orders",
    params(("id" = String, Path, description = "The order's id")),
    responses(
        (status = 200, description = "The order, cancelled", body = OrderView),
        (status = 409, description = "The order is on its way", body = ProblemView, content_type = PROBLEM_JSON),
        OrderIsThere,
        Refusals
    )
)]
#[post("/orders/{id}/cancel")]
pub async fn cancel_order(
    partner: AsPartner,
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<web::Json<OrderView>, Problem> {
    check_id(&id)?;
    Ok(web::Json(services.orders.cancel(&partner, &id).await?.into()))
}

/// What cannot be an order's id is not there, and nobody needs to be asked.
fn check_id(id: &str) -> Result<(), Problem> {
    if orders::is_id(id) { Ok(()) } else { Err(Problem::new(&kinds::NOT_FOUND)) }
}
