//! Products for endless scrolling: what comes next, without counting pages.
//!
//! The token stands for a place in one list (its order, search and category). It is an offset, so a product that is added
//! or removed meanwhile shifts the rest by one: an app leaves out what it already has by id.

use actix_web::{get, web};
use serde::Serialize;
use shared_lib::{
    context::RequestContext,
    pagination::{FromQuery, PageRequest, Query, QueryReader},
    problem::{FieldError, Problem},
};
use utoipa::{IntoParams, ToSchema};

use super::products::{FIELDS, PRODUCTS, ProductFilters, ProductItem, category};
use crate::{
    fields::{Fields, FieldsParam, Trimmed},
    opaque,
    openapi::Refusals,
    services::Services,
};

/// What the tokens are for.
const FEED: &str = "products";

/// What a stretch of the list is asked for by.
pub struct FeedParams {
    page: PageRequest,
    category: Option<String>,
    offset: u64,
    fields: Fields,
}

/// The same, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct FeedQuery {
    /// `next` of the answer before, with the same `sort`, `search` and `category`; left out: from the beginning.
    after: Option<String>,
    /// How many products. A larger value than 100 gets 100.
    #[param(default = 20, minimum = 1)]
    size: Option<u32>,
    /// The order: `name,asc` (the default), `name,desc`, `price,asc`, `price,desc`, `rating,desc`.
    sort: Option<String>,
    /// Text to search for; at most 100 characters.
    #[param(max_length = 100)]
    search: Option<String>,
}

impl FeedParams {
    fn token(&self, offset: u64) -> String {
        opaque::encode(FEED, &bound_to(&self.page, self.category.as_deref()), offset)
    }
}

fn bound_to<'a>(page: &'a PageRequest, category: Option<&'a str>) -> [&'a str; 4] {
    let search = page.search.as_deref().unwrap_or_default();
    [page.sort.field, page.sort.direction.as_str(), search, category.unwrap_or_default()]
}

impl FromQuery for FeedParams {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        let page = query.page(&PRODUCTS);
        if page.page != 0 {
            query.reject(FieldError::query("page", "is not a parameter here"));
        }
        let category = category(query);
        let mut offset = 0;
        if let Some(token) = query.text("after") {
            match opaque::decode(FEED, &bound_to(&page, category.as_deref()), &token) {
                Ok(place) => offset = place,
                Err(_) => {
                    query.reject(FieldError::query("after", "must be `next` of an earlier answer about the same list"));
                }
            }
        }
        Self { page, category, offset, fields: Fields::read(query, FIELDS) }
    }
}

/// A stretch of the list.
#[derive(Serialize, ToSchema)]
pub struct FeedView<T> {
    items: Vec<T>,
    /// What to send as `after` for what comes next; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The products that come next, for endless scrolling.
#[utoipa::path(
    tag = "products",
    params(FeedQuery, ProductFilters, FieldsParam),
    responses((status = 200, description = "The next products", body = FeedView<ProductItem>), Refusals)
)]
#[get("/products/feed")]
pub async fn scroll_products(
    context: RequestContext,
    services: web::Data<Services>,
    Query(params): Query<FeedParams>,
) -> Result<web::Json<FeedView<Trimmed<ProductItem>>>, Problem> {
    let category = params.category.as_deref();
    let list = services.catalog.products_from(&context, params.offset, &params.page, category).await?.value;
    let end = params.offset.saturating_add(list.items.len() as u64);
    let next = (end < list.total && !list.items.is_empty()).then(|| params.token(end));
    let items = list.items.into_iter().map(|product| params.fields.trim(ProductItem::from(product))).collect();
    Ok(web::Json(FeedView { items, next }))
}
