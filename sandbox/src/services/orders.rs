//! Orders, in the manner of a Spring Data REST service: pages, decimal strings, Spring Boot's errors.

mod book;
mod sorting;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderValue, LOCATION, WWW_AUTHENTICATE},
    },
    web,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) use self::book::Orders;
use self::{
    book::{NewOrder, Order, OrderError},
    sorting::Sorting,
};
use super::{World, error, not_found};
use crate::access::{Caller, Demand};

/// Spring Data's own limit; larger sizes are cut down to it.
const MAX_SIZE: usize = 2000;
const MAX_KEY: usize = 255;

/// Orders of so many pieces ask for a stronger sign-in of a user, and a recent one.
const LARGE_ORDER: u64 = 1_000;
const LARGE_ORDER_DEMAND: Demand = Demand { acr: "urn:sandbox:mfa", max_age: 300 };

/// Parameters of a page of orders.
#[derive(Debug, Deserialize)]
struct PageParams {
    page: Option<usize>,
    size: Option<usize>,
    /// `placedAt`, `total`, `status` or `orderId`, then `,asc` or `,desc`.
    sort: Option<String>,
}

/// Parameters of a window of orders, in the manner of Spring Data's keyset scrolling.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScrollParams {
    limit: Option<usize>,
    /// As for pages.
    sort: Option<String>,
    /// With `afterId`: only what stands behind this place in the order. It is the value that orders are sorted by.
    after_value: Option<String>,
    /// The id of the place, which tells orders of the same value apart.
    after_id: Option<String>,
}

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/orders")
            .route("", web::get().to(list_orders))
            .route("", web::post().to(place_order))
            .route("/scroll", web::get().to(scroll_orders))
            .route("/{id}", web::get().to(show_order))
            .route("/{id}/cancel", web::post().to(cancel_order))
            .default_service(web::to(not_found)),
    );
}

async fn list_orders(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    params: web::Query<PageParams>,
) -> HttpResponse {
    let Some(sorting) = Sorting::read(params.sort.as_deref()) else { return refuse_sort(&request) };
    let mut orders = world.orders.all(&caller.owner());
    sorting.sort(&mut orders);
    let size = params.size.unwrap_or(20).clamp(1, MAX_SIZE);
    let page = params.page.unwrap_or(0);
    HttpResponse::Ok().json(spring_page(&orders, page, size, params.sort.is_some()))
}

async fn scroll_orders(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    params: web::Query<ScrollParams>,
) -> HttpResponse {
    let Some(sorting) = Sorting::read(params.sort.as_deref()) else { return refuse_sort(&request) };
    let mut orders = world.orders.all(&caller.owner());
    match (&params.after_value, &params.after_id) {
        (None, None) => {}
        (Some(value), Some(id)) if sorting.keep_after(&mut orders, value, id).is_some() => {}
        _ => {
            let message = "afterValue and afterId name a place together, of the order in sort";
            return error(&request, StatusCode::BAD_REQUEST, "invalid_place", message);
        }
    }
    sorting.sort(&mut orders);
    let limit = params.limit.unwrap_or(20).clamp(1, MAX_SIZE);
    let window = &orders[..limit.min(orders.len())];
    HttpResponse::Ok().json(json!({ "content": window, "empty": window.is_empty(), "last": limit >= orders.len() }))
}

async fn show_order(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    id: web::Path<String>,
) -> HttpResponse {
    match world.orders.find(&caller.owner(), &id) {
        Some(order) => HttpResponse::Ok().json(order),
        None => refuse(&request, &OrderError::Unknown),
    }
}

async fn place_order(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    new: web::Json<NewOrder>,
) -> HttpResponse {
    let Ok(key) = idempotency_key(&request) else {
        let message = "Idempotency-Key must have 1 to 255 printable characters";
        return error(&request, StatusCode::BAD_REQUEST, "invalid_key", message);
    };
    let now = u64::try_from(world.now().as_second()).unwrap_or(0);
    if new.pieces() >= LARGE_ORDER && !LARGE_ORDER_DEMAND.is_met_by(&caller, now) {
        let message = "an order of this size needs a stronger or more recent sign-in";
        let mut refusal = error(&request, StatusCode::UNAUTHORIZED, "insufficient_user_authentication", message);
        if let Ok(challenge) = HeaderValue::try_from(LARGE_ORDER_DEMAND.challenge()) {
            refusal.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        return refusal;
    }
    match world.orders.place(&caller.owner(), key.as_deref(), new.into_inner(), world.now()) {
        Ok(placement) => {
            let mut answer = HttpResponse::Created();
            answer.insert_header((LOCATION, format!("/orders/{}", placement.order.order_id)));
            if placement.replayed {
                answer.insert_header(("idempotency-replayed", "true"));
            }
            answer.json(placement.order)
        }
        Err(cause) => refuse(&request, &cause),
    }
}

async fn cancel_order(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    id: web::Path<String>,
) -> HttpResponse {
    match world.orders.cancel(&caller.owner(), &id) {
        Ok(order) => HttpResponse::Ok().json(order),
        Err(cause) => refuse(&request, &cause),
    }
}

fn refuse(request: &HttpRequest, cause: &OrderError) -> HttpResponse {
    let (status, code) = match cause {
        OrderError::Lines => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_lines"),
        OrderError::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "key_reused"),
        OrderError::Unknown => (StatusCode::NOT_FOUND, "unknown_order"),
        OrderError::TooLate => (StatusCode::CONFLICT, "too_late"),
    };
    error(request, status, code, &cause.to_string())
}

/// The key without the quotes of the structured field; none when none was sent.
fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, ()> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().map_err(|_| ())?.trim();
    let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    if key.is_empty() || key.len() > MAX_KEY { Err(()) } else { Ok(Some(key.to_owned())) }
}

fn refuse_sort(request: &HttpRequest) -> HttpResponse {
    let message = "sort must be placedAt, total, status or orderId, then ,asc or ,desc";
    error(request, StatusCode::BAD_REQUEST, "invalid_sort", message)
}

/// The JSON of Spring Data's `PageImpl`.
fn spring_page(orders: &[Order], page: usize, size: usize, sorted: bool) -> Value {
    let total_pages = orders.len().div_ceil(size);
    let offset = page.saturating_mul(size);
    let start = offset.min(orders.len());
    let content = &orders[start..start.saturating_add(size).min(orders.len())];
    let sort = json!({ "empty": !sorted, "sorted": sorted, "unsorted": !sorted });
    json!({
        "content": content,
        "pageable": {
            "pageNumber": page,
            "pageSize": size,
            "offset": offset,
            "paged": true,
            "unpaged": false,
            "sort": sort,
        },
        "totalElements": orders.len(),
        "totalPages": total_pages,
        "number": page,
        "size": size,
        "first": page == 0,
        "last": page.saturating_add(1) >= total_pages,
        "numberOfElements": content.len(),
        "empty": content.is_empty(),
        "sort": sort,
    })
}
