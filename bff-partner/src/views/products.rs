//! The list of products, a page at a time.

use actix_web::{get, web};
use serde::Serialize;
use shared_lib::{
    context::RequestContext,
    pagination::{FromQuery, PageParams, PageRequest, PageResponse, PageSpec, Query, QueryReader, UnknownSort},
    problem::{FieldError, Problem},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    money::Money,
    openapi::Refusals,
    services::{Services, catalog::Product},
};

/// The fields are the catalog's own names.
const PRODUCTS: PageSpec = PageSpec {
    default_size: 50,
    sorts: &["name,asc", "name,desc", "price,asc", "price,desc"],
    unknown_sort: UnknownSort::Refuse,
};

/// The longest id of a category, in bytes.
const MAX_CATEGORY_BYTES: usize = 64;

/// What a list of products is asked for by.
pub struct ProductsParams {
    page: PageRequest,
    category: Option<String>,
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
        let category = query.text("category");
        let wrong = category.as_ref().is_some_and(|id| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            id.is_empty() || id.len() > MAX_CATEGORY_BYTES || !id.bytes().all(plain)
        });
        if wrong {
            query.reject(FieldError::query("category", "must be the id of a category"));
        }
        Self { page, category }
    }
}

/// A product.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductView {
    /// What an order names it by.
    #[schema(example = "SKU-00001")]
    id: String,
    #[schema(example = "Nordic Oak Kettle")]
    name: String,
    description: String,
    /// The id of its category.
    #[schema(example = "kitchen-kettles")]
    category: String,
    price: Money,
    /// How many can be had at once.
    stock: u32,
}

impl From<Product> for ProductView {
    fn from(product: Product) -> Self {
        Self {
            id: product.sku,
            name: product.title,
            description: product.description,
            category: product.category_id,
            price: product.price.into(),
            stock: product.stock_level,
        }
    }
}

/// A page of products.
///
/// Accepted orders: `name,asc` (the default), `name,desc`, `price,asc`, `price,desc`.
#[utoipa::path(
    tag = "products",
    params(PageParams, ProductFilters),
    responses((status = 200, description = "A page of products", body = PageResponse<ProductView>), Refusals)
)]
#[get("/products")]
pub async fn list_products(
    context: RequestContext,
    services: web::Data<Services>,
    Query(params): Query<ProductsParams>,
) -> Result<web::Json<PageResponse<ProductView>>, Problem> {
    let list = services.catalog.products(&context, &params.page, params.category.as_deref()).await?.value;
    let items = list.items.into_iter().map(ProductView::from).collect();
    Ok(web::Json(PageResponse::new(items, &params.page, list.total)))
}
