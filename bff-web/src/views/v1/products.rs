//! The list of products as version 1 says it.

use actix_web::{HttpRequest, HttpResponse, get, web};
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    context::RequestContext,
    pagination::{FromQuery, PageParams, PageResponse, Query, QueryReader},
    problem::{Problem, ProblemView},
};
use utoipa::ToSchema;

use crate::{
    answer::Answers,
    links,
    product_list::{self, ProductFilters, ProductView, ProductsParams},
    services::Services,
};

/// The parameters of version 2, with a lenient `sort`.
pub struct Params(pub(super) ProductsParams);

impl FromQuery for Params {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        Self(ProductsParams::lenient(query))
    }
}

/// A product.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProductV1)]
pub struct View {
    /// Its id.
    pub product_id: String,
    /// Its name.
    pub title: String,
    /// What it is.
    pub description: String,
    /// The category that it is in.
    pub category: String,
    /// What it costs.
    pub price: f64,
    /// ISO 4217.
    pub currency: String,
    /// When it came into the catalog.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// The mean of its ratings, 0 to 5.
    pub rating: f64,
    /// Whether it can be had now.
    pub available: bool,
    /// The path of its picture.
    pub image: String,
}

/// A page of products, in version 1
///
/// Accepted values of `sort`: `name,asc` (default), `name,desc`, `price,asc`, `price,desc`, `createdAt,desc`; any other
/// means the default.
#[utoipa::path(
    tag = "version 1",
    params(PageParams, ProductFilters),
    responses(
        (status = 200, description = "A page of products", body = PageResponse<View>),
        (status = 400, description = "A parameter is wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 410, description = "Version 1 has come to its end", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The catalog failed", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The catalog is away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The catalog took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/products")]
pub async fn list_products_v1(
    ctx: RequestContext,
    request: HttpRequest,
    services: web::Data<Services>,
    answers: web::Data<Answers>,
    Query(Params(params)): Query<Params>,
) -> Result<HttpResponse, Problem> {
    let list = product_list::fetch(&services.catalog, &ctx, &params).await?;
    let (freshness, as_of) = (list.freshness, list.as_of);
    let page = list.value.map(View::from);
    answers.public_list(&page, links::of_page(&request, &page), freshness, as_of)
}

impl From<ProductView> for View {
    fn from(product: ProductView) -> Self {
        Self {
            product_id: product.id,
            title: product.name,
            description: product.description,
            category: product.category_id,
            price: product.price.to_number(),
            currency: product.price.currency,
            created: product.created_at,
            rating: product.rating,
            available: product.in_stock,
            image: product.image_path,
        }
    }
}
