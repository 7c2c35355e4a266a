//! The list of products: a page at a time, or walked through by cursor.

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;
use shared_lib::{
    context::RequestContext,
    pagination::{
        CursorParams, FromQuery, Listing, PageParams, PageRequest, PageResponse, PageSpec, Query, QueryReader,
        UnknownSort, Walk,
    },
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

/// The list's name in its cursors.
const LIST: &str = "products";

/// The longest id of a category, in bytes.
const MAX_CATEGORY_BYTES: usize = 64;

/// What a list of products is asked for by.
pub struct ProductsParams {
    page: PageRequest,
    category: Option<String>,
    walk: Option<Walk>,
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
        let cursor = query.cursor();
        let page = query.page(&PRODUCTS);
        let category = query.text("category");
        let wrong = category.as_ref().is_some_and(|id| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            id.is_empty() || id.len() > MAX_CATEGORY_BYTES || !id.bytes().all(plain)
        });
        if wrong {
            query.reject(FieldError::query("category", "must be the id of a category"));
        }
        let filters = [category.as_deref()];
        let walk = cursor.map(|cursor| query.walk(&cursor, LIST, &page, &filters, Product::can_stand_at));
        Self { page, category, walk }
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

/// A page of products, or what comes next of all of them.
///
/// Accepted orders: `name,asc` (the default), `name,desc`, `price,asc`, `price,desc`. With `cursor` the list is walked
/// through: `Link` leads to what comes next, and a product that is there throughout is met once, whatever is added or
/// removed meanwhile.
#[utoipa::path(
    tag = "products",
    params(PageParams, CursorParams, ProductFilters),
    responses(
        (
            status = 200,
            description = "A page of products; with `cursor`, a stretch of the list",
            body = Listing<ProductView>,
            headers(("Link" = String, description = "With `cursor`: where what comes next is (RFC 8288)"))
        ),
        Refusals
    )
)]
#[get("/products")]
pub async fn list_products(
    request: HttpRequest,
    context: RequestContext,
    services: web::Data<Services>,
    Query(params): Query<ProductsParams>,
) -> Result<HttpResponse, Problem> {
    let (catalog, category) = (&services.catalog, params.category.as_deref());
    let listing = if let Some(walk) = &params.walk {
        let products = catalog.products_after(&context, walk, category).await?;
        let stretch = walk.answer(products, false, |last| last.place(walk.sort))?;
        Listing::Stretch(stretch.map(ProductView::from))
    } else {
        let list = catalog.products(&context, &params.page, category).await?.value;
        let items = list.items.into_iter().map(ProductView::from).collect();
        Listing::Page(PageResponse::new(items, &params.page, list.total))
    };
    Ok(listing.into_response(&request))
}
