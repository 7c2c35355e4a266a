//! The list of products, a page at a time, each no larger than its row on the screen.

use actix_web::{get, web};
use serde::Serialize;
use shared_lib::{
    context::RequestContext,
    pagination::{FromQuery, PageParams, PageRequest, PageResponse, PageSpec, Query, QueryReader, UnknownSort},
    problem::{FieldError, Problem},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    fields::{Fields, FieldsParam, Trimmed},
    money::Money,
    openapi::Refusals,
    services::{
        Services,
        catalog::{Product, is_category},
    },
};

/// The fields are the catalog's own names.
pub(super) const PRODUCTS: PageSpec = PageSpec {
    default_size: 20,
    sorts: &["name,asc", "name,desc", "price,asc", "price,desc", "rating,desc"],
    unknown_sort: UnknownSort::Refuse,
};

/// What can be asked for by `fields`.
pub(super) const FIELDS: &[&str] = &["id", "name", "price", "img"];

/// What a list of products is asked for by.
pub struct ProductsParams {
    page: PageRequest,
    category: Option<String>,
    fields: Fields,
}

/// What narrows the list down.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct ProductFilters {
    /// The id of a category; a category that holds others stands for all of them.
    #[param(max_length = 64, example = "audio-headphones")]
    category: Option<String>,
}

impl FromQuery for ProductsParams {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        let page = query.page(&PRODUCTS);
        let category = category(query);
        Self { page, category, fields: Fields::read(query, FIELDS) }
    }
}

/// Reads `category`.
pub(super) fn category(query: &mut QueryReader<'_>) -> Option<String> {
    let category = query.text("category");
    if category.as_deref().is_some_and(|id| !is_category(id)) {
        query.reject(FieldError::query("category", "must be the id of a category"));
    }
    category
}

/// A product, as a row.
#[derive(Serialize, ToSchema)]
pub struct ProductItem {
    id: String,
    #[schema(example = "Nordic Oak Kettle")]
    name: String,
    price: Money,
    /// Where the picture stands, from the root of the image host.
    #[schema(example = "/images/products/SKU-00001.webp")]
    img: String,
}

impl From<Product> for ProductItem {
    fn from(product: Product) -> Self {
        let price = Money { minor: product.price.amount_minor, currency: product.price.currency };
        Self { id: product.sku, name: product.title, price, img: product.image_path }
    }
}

/// A page of products.
///
/// Accepted orders: `name,asc` (the default), `name,desc`, `price,asc`, `price,desc`, `rating,desc`.
#[utoipa::path(
    tag = "products",
    params(PageParams, ProductFilters, FieldsParam),
    responses((status = 200, description = "A page of products", body = PageResponse<ProductItem>), Refusals)
)]
#[get("/products")]
pub async fn list_products(
    context: RequestContext,
    services: web::Data<Services>,
    Query(params): Query<ProductsParams>,
) -> Result<web::Json<PageResponse<Trimmed<ProductItem>>>, Problem> {
    let list = services.catalog.products(&context, &params.page, params.category.as_deref()).await?.value;
    let items = list.items.into_iter().map(|product| params.fields.trim(ProductItem::from(product))).collect();
    Ok(web::Json(PageResponse::new(items, &params.page, list.total)))
}
