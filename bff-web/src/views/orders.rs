//! The orders of the signed-in user: the list, and placing one.

mod new_order;

use actix_web::{HttpRequest, HttpResponse, get, http::StatusCode, post, web};
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    context::RequestContext,
    downstream::{DownstreamError, Failure},
    idempotency::{IDEMPOTENCY_KEY_REUSED, IdempotencyKey, Scope},
    pagination::{FromQuery, PageRequest, PageResponse, PageSpec, Query, QueryReader, UnknownSort, any_page, any_size},
    problem::{FieldError, Problem, ProblemKind, ProblemView, kinds},
};
use utoipa::{IntoParams, ToSchema};

pub use self::new_order::NewOrderView;
use crate::{
    answer::Answers,
    links,
    money::Money,
    services::{
        Services,
        orders::{Order, OrderSearch},
    },
};

/// What the list allows.
pub const SPEC: PageSpec = PageSpec {
    default_size: 20,
    sorts: &["placedAt,desc", "placedAt,asc", "total,desc", "total,asc"],
    unknown_sort: UnknownSort::Refuse,
};

/// Unprocessable content: the order was not taken.
pub static ORDER_REFUSED: ProblemKind = ProblemKind {
    code: "order-refused",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The order was not taken",
    remedy: "Correct every field listed in `errors`; nothing was ordered.",
};

/// What a client asks for, checked.
pub struct OrdersParams(PageRequest);

/// The parameters of the list, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct OrderListParams {
    /// The page's number; the first is 0.
    #[param(schema_with = any_page)]
    page: Option<u32>,
    /// Elements a page. A larger value than 100 gets 100.
    #[param(schema_with = any_size)]
    size: Option<u32>,
    /// The order, as `field,asc` or `field,desc`; the operation lists the accepted values.
    sort: Option<String>,
}

impl FromQuery for OrdersParams {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        let page = query.page(&SPEC);
        if page.search.is_some() {
            query.reject(FieldError::query("search", "is not a parameter here"));
        }
        Self(page)
    }
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Order)]
pub struct OrderView {
    /// Its id.
    pub id: String,
    /// What has become of it, such as `SHIPPED`.
    pub status: String,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: Timestamp,
    /// What was ordered.
    pub lines: Vec<OrderLineView>,
    /// The sum.
    pub total: Money,
}

/// A product of an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderLine)]
pub struct OrderLineView {
    /// The product.
    pub product_id: String,
    /// How many of it.
    pub quantity: u32,
    /// What one cost.
    pub unit_price: Money,
}

/// The user's orders
///
/// Accepted values of `sort`: `placedAt,desc` (default), `placedAt,asc`, `total,desc`, `total,asc`. Orders that are equal in
/// that come by their id, ascending, so pages neither overlap nor leave one out.
#[utoipa::path(
    tag = "screens",
    params(OrderListParams),
    responses(
        (status = 200, description = "A page of orders", body = PageResponse<OrderView>),
        (status = 400, description = "A parameter is wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The orders failed", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The orders are away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The orders took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/orders")]
pub async fn list_orders(
    ctx: RequestContext,
    request: HttpRequest,
    services: web::Data<Services>,
    answers: web::Data<Answers>,
    Query(OrdersParams(asked)): Query<OrdersParams>,
) -> Result<HttpResponse, Problem> {
    let sort = format!("{},{}", asked.sort.field, asked.sort.direction.as_str());
    let search = OrderSearch { page: asked.page, size: asked.size, sort };
    let found = services.orders.page(&ctx, &search).await?.value;
    let content = found.content.into_iter().map(OrderView::from).collect();
    let page = PageResponse::new(content, &asked, found.total_elements);
    answers.private_list(&page, links::of_page(&request, &page))
}

/// Place an order
///
/// Repeating the call with the same `Idempotency-Key` and the same body answers the same order again and has no further
/// effect.
#[utoipa::path(
    tag = "screens",
    params(("Idempotency-Key" = String, Header, description = "A text of the client's that names this order, such as a UUID", pattern = "^(\"([ !#-\\[\\]-~]|\\\\[\"\\\\]){1,255}\"|[!#-~]([ -~]{0,253}[!-~])?)$")),
    request_body = NewOrderView,
    responses(
        (status = 201, description = "The order", body = OrderView),
        (status = 400, description = "The key is missing, or a field is wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 401, description = "Nobody is signed in; or an order of this size needs a stronger or more recent sign-in, at `login`", body = ProblemView, content_type = "application/problem+json"),
        (status = 403, description = "The request does not show that our own page made it", body = ProblemView, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemView, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "The order was not taken, or the key belongs to another one", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The orders failed", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The orders are away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The orders took too long; ask again with the same key", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[post("/orders")]
pub async fn place_order(
    ctx: RequestContext,
    request: HttpRequest,
    services: web::Data<Services>,
    body: web::Json<serde_json::Value>,
) -> Result<HttpResponse, Problem> {
    let key = IdempotencyKey::required(request.headers())?;
    let order = new_order::read(&body)?;
    let subject = &ctx.require_caller()?.subject;
    let intent = Scope::new(subject, "bff-web", request.method().as_str(), request.path(), &key);
    let outcome = services.orders.place(&ctx, &order, intent).await;
    // Also after a failure: what became of the order is not known then.
    services.forget_subject(subject);
    let placed = outcome.map_err(refused)?;
    Ok(HttpResponse::Created().json(OrderView::from(placed)))
}

/// The service's own refusals in the client's terms. It says which of the two it is in words only.
fn refused(error: DownstreamError) -> Problem {
    #[derive(serde::Deserialize)]
    struct SpringError {
        message: String,
    }
    let Failure::Status { status, body, .. } = &error.failure else { return error.into() };
    match *status {
        StatusCode::UNPROCESSABLE_ENTITY => {
            let said = serde_json::from_slice::<SpringError>(body).map(|error| error.message).unwrap_or_default();
            if said.contains("Idempotency-Key") {
                return Problem::new(&IDEMPOTENCY_KEY_REUSED).caused_by(error);
            }
            let wrong = FieldError::body("/lines", "names a product that cannot be ordered, or a quantity of it");
            Problem::new(&ORDER_REFUSED).extension("errors", [wrong]).caused_by(error)
        }
        StatusCode::CONFLICT => Problem::new(&kinds::CONFLICT).caused_by(error),
        _ => error.into(),
    }
}

impl From<Order> for OrderView {
    fn from(order: Order) -> Self {
        let currency = order.currency;
        let lines = order.lines.into_iter().map(|line| OrderLineView {
            product_id: line.sku,
            quantity: line.quantity,
            unit_price: Money { amount: line.unit_price, currency: currency.clone() },
        });
        Self {
            id: order.order_id,
            status: order.status,
            placed_at: order.placed_at,
            lines: lines.collect(),
            total: Money { amount: order.total, currency },
        }
    }
}
