//! The list of products: a page, an order from an allowlist, and filters. It is the same for everyone.

use actix_web::{HttpRequest, HttpResponse, get, web};
use shared_lib::{
    context::RequestContext,
    pagination::{PageParams, PageResponse, Query},
    problem::{Problem, ProblemView},
};

use crate::{
    answer::Answers,
    links,
    product_list::{self, ProductFilters, ProductView, ProductsParams},
    services::Services,
};

/// A page of products
///
/// Accepted values of `sort`: `name,asc` (default), `name,desc`, `price,asc`, `price,desc`, `createdAt,desc`.
/// Products that are equal in that keep the order that the catalog has for them, so pages neither overlap nor leave one out.
#[utoipa::path(
    tag = "screens",
    params(PageParams, ProductFilters),
    responses(
        (status = 200, description = "A page of products", body = PageResponse<ProductView>),
        (status = 400, description = "A parameter is wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The catalog failed", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The catalog is away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The catalog took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/products")]
pub async fn list_products(
    ctx: RequestContext,
    request: HttpRequest,
    services: web::Data<Services>,
    answers: web::Data<Answers>,
    Query(params): Query<ProductsParams>,
) -> Result<HttpResponse, Problem> {
    let list = product_list::fetch(&services.catalog, &ctx, &params).await?;
    let link = links::of_page(&request, &list.value);
    answers.public_list(&list.value, link, list.freshness, list.as_of)
}
