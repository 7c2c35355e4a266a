//! Products: lists with offset and limit or behind a product, filters, an order, and conditional requests.

use std::{cmp::Ordering, fmt::Write};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{ETAG, IF_NONE_MATCH},
    },
    web,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{World, error, not_found};
use crate::seed::{Product, ProductKey};

/// The longest list that is answered.
const MAX_LIMIT: usize = 500;

/// Parameters of a product list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParams {
    offset: Option<usize>,
    limit: Option<usize>,
    /// `name`, `price`, `created_at` or `rating`, then `:asc` or `:desc`.
    order_by: Option<String>,
    /// Words that title or description must all contain, whatever their case.
    q: Option<String>,
    /// Id of a category; a root stands for all in it.
    category: Option<String>,
    /// Minor units, inclusive.
    price_min: Option<u64>,
    /// Minor units, inclusive.
    price_max: Option<u64>,
    /// Ids of products, with commas between them.
    skus: Option<String>,
    /// With `after_sku`: only what stands behind this place in the order. It is the value of `order_by`, in the form in
    /// which products have it.
    after_value: Option<String>,
    /// The id of the place, which tells products of the same value apart.
    after_sku: Option<String>,
}

/// A place in an ordered list; the product that stood there may be gone.
struct Place {
    value: Value,
    sku: String,
    descending: bool,
}

/// What products are ordered by.
enum Value {
    Text(String),
    Number(u64),
    Time(jiff::Timestamp),
    Real(f64),
}

impl Place {
    /// The place that the parameters name, if they name one.
    fn of(params: &ListParams, key: Option<ProductKey>, descending: bool) -> Result<Option<Self>, ()> {
        let (value, sku) = match (&params.after_value, &params.after_sku) {
            (Some(value), Some(sku)) => (value.clone(), sku.clone()),
            (None, None) => return Ok(None),
            _ => return Err(()),
        };
        let key = key.filter(|_| params.offset.is_none()).ok_or(())?;
        let value = match key {
            ProductKey::Name => Value::Text(value),
            ProductKey::Price => Value::Number(value.parse().map_err(drop)?),
            ProductKey::CreatedAt => Value::Time(value.parse().map_err(drop)?),
            ProductKey::Rating => Value::Real(value.parse().map_err(drop)?),
        };
        Ok(Some(Self { value, sku, descending }))
    }

    fn is_before(&self, product: &Product) -> bool {
        let by_value = match &self.value {
            Value::Text(value) => product.title.cmp(value),
            Value::Number(value) => product.price.amount_minor.cmp(value),
            Value::Time(value) => product.created_at.cmp(value),
            Value::Real(value) => product.rating.total_cmp(value),
        };
        let order = by_value.then_with(|| product.sku.cmp(&self.sku));
        order == if self.descending { Ordering::Less } else { Ordering::Greater }
    }
}

#[derive(Serialize)]
struct ProductList<'a> {
    items: &'a [&'a Product],
    total: usize,
    offset: usize,
    limit: usize,
}

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/catalog")
            .route("/products", web::get().to(list_products))
            .route("/products/{sku}", web::get().to(show_product))
            .default_service(web::to(not_found)),
    );
}

async fn list_products(request: HttpRequest, world: web::Data<World>, params: web::Query<ListParams>) -> HttpResponse {
    let offset = params.offset.unwrap_or(0);
    let limit = params.limit.unwrap_or(20);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return refuse(&request, "limit must be between 1 and 500");
    }
    let Ok((key, descending)) = order(params.order_by.as_deref()) else {
        return refuse(&request, "order_by must be one of name, price, created_at, rating, with :asc or :desc");
    };
    let Ok(place) = Place::of(&params, key, descending) else {
        return refuse(
            &request,
            "after_value and after_sku name a place together, of the order in order_by, and without offset",
        );
    };
    let words: Vec<String> =
        params.q.as_deref().unwrap_or_default().split_whitespace().map(str::to_lowercase).collect();
    let wanted = |product: &Product, text: &str| {
        params.skus.as_deref().is_none_or(|skus| skus.split(',').any(|sku| sku == product.sku))
            && params.category.as_deref().is_none_or(|category| is_in(product, category))
            && params.price_min.is_none_or(|min| product.price.amount_minor >= min)
            && params.price_max.is_none_or(|max| product.price.amount_minor <= max)
            && words.iter().all(|word| text.contains(word.as_str()))
    };
    let found = world.seed.catalog().select(key, descending, wanted);
    let first = match &place {
        Some(place) => found.iter().position(|product| place.is_before(product)).unwrap_or(found.len()),
        None => offset.min(found.len()),
    };
    let items = &found[first..first.saturating_add(limit).min(found.len())];
    conditional(&request, &ProductList { items, total: found.len(), offset, limit })
}

async fn show_product(request: HttpRequest, world: web::Data<World>, sku: web::Path<String>) -> HttpResponse {
    match world.seed.catalog().by_sku(&sku) {
        Some(product) => conditional(&request, product),
        None => error(&request, StatusCode::NOT_FOUND, "product_not_found", "there is no product with this SKU"),
    }
}

fn refuse(request: &HttpRequest, message: &str) -> HttpResponse {
    error(request, StatusCode::BAD_REQUEST, "invalid_parameter", message)
}

/// Key and direction; without a key the order of the products' numbers.
fn order(order_by: Option<&str>) -> Result<(Option<ProductKey>, bool), ()> {
    let Some(order_by) = order_by else { return Ok((None, false)) };
    let (key, direction) = order_by.split_once(':').unwrap_or((order_by, "asc"));
    let key = match key {
        "name" => ProductKey::Name,
        "price" => ProductKey::Price,
        "created_at" => ProductKey::CreatedAt,
        "rating" => ProductKey::Rating,
        _ => return Err(()),
    };
    match direction {
        "asc" => Ok((Some(key), false)),
        "desc" => Ok((Some(key), true)),
        _ => Err(()),
    }
}

fn is_in(product: &Product, category: &str) -> bool {
    product.category_id.strip_prefix(category).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The answer with a validator, or 304 when the caller has it already (RFC 9110, section 13.1.2).
fn conditional(request: &HttpRequest, body: &impl Serialize) -> HttpResponse {
    let Ok(body) = serde_json::to_vec(body) else {
        return error(request, StatusCode::INTERNAL_SERVER_ERROR, "internal", "the answer cannot be written");
    };
    let etag = etag(&body);
    let known = request
        .headers()
        .get_all(IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag);
    if known {
        return HttpResponse::NotModified().insert_header((ETAG, etag)).finish();
    }
    HttpResponse::Ok().insert_header((ETAG, etag)).content_type("application/json").body(body)
}

fn etag(body: &[u8]) -> String {
    let mut tag = String::from("\"");
    for byte in &Sha256::digest(body)[..12] {
        // Writing into a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}
