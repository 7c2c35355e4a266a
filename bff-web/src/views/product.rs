//! The page of one product: what it is, the category that it is in, and the promotions that are about it.
//!
//! Without the product there is no page; category and promotions may be missing, and the receipt says why.

use actix_web::{HttpResponse, get, http::StatusCode, web};
use futures_util::try_join;
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    aggregate::Composite,
    context::RequestContext,
    downstream::{DownstreamError, Fetched},
    pagination::{FromQuery, Query, QueryReader},
    problem::{Problem, ProblemView, kinds},
};
use utoipa::ToSchema;

use crate::{
    answer::{Answers, Composed},
    body::is_product_id,
    product_list::ProductView,
    services::{Services, categories::Category, promotions::Promotion},
};

/// This page has no parameters.
pub struct NoParams;

impl FromQuery for NoParams {
    fn from_query(_: &mut QueryReader<'_>) -> Self {
        Self
    }
}

/// The page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProductPage)]
pub struct ProductPageView {
    /// The product.
    pub product: ProductView,
    /// The category that it is in; absent when it could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<ProductCategoryView>,
    /// The promotions that are about it; absent when they could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotions: Option<Vec<ProductPromotionView>>,
}

/// The category of a product.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProductCategory)]
pub struct ProductCategoryView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A promotion of a product.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProductPromotion)]
pub struct ProductPromotionView {
    /// Its id.
    pub id: String,
    /// What it says.
    pub headline: String,
    /// By how much prices are reduced, in percent.
    pub discount_percent: u32,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub valid_until: Timestamp,
}

/// The page of one product
#[utoipa::path(
    tag = "screens",
    params(("id" = String, Path, description = "The product's id", max_length = 64)),
    responses(
        (status = 200, description = "The page", body = Composed<ProductPageView>),
        (status = 400, description = "A parameter is wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "There is no such product", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The product could not be fetched", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The catalog is away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The catalog took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/products/{id}")]
pub async fn get_product(
    ctx: RequestContext,
    services: web::Data<Services>,
    answers: web::Data<Answers>,
    id: web::Path<String>,
    Query(NoParams): Query<NoParams>,
) -> Result<HttpResponse, Problem> {
    if !is_product_id(&id) {
        return Err(Problem::new(&kinds::NOT_FOUND));
    }
    let parts = Composite::new();
    let (product, categories, promotions) = try_join!(
        product(&parts, services.catalog.product(&ctx, &id)),
        parts.optional("category", services.categories.all(&ctx)),
        parts.optional("promotions", services.promotions.active(&ctx)),
    )?;
    let category = categories.and_then(|all| all.into_iter().find(|category| category.id == product.category_id));
    let promotions = promotions.map(|all| all.into_iter().filter(|promotion| promotion.skus.contains(&product.id)));
    let page = ProductPageView {
        category: category.map(Into::into),
        promotions: promotions.map(|promotions| promotions.map(Into::into).collect()),
        product,
    };
    answers.public_page(&Composed { page, receipt: parts.into_receipt() })
}

/// A product that does not exist is no failure of the catalog.
async fn product(
    parts: &Composite,
    part: impl Future<Output = Result<Fetched<crate::services::catalog::Product>, DownstreamError>>,
) -> Result<ProductView, Problem> {
    let outcome = part.await;
    if let Err(error) = &outcome
        && error.status() == Some(StatusCode::NOT_FOUND)
    {
        return Err(Problem::new(&kinds::NOT_FOUND).detail("There is no such product."));
    }
    parts.required("product", async { outcome.map(|product| product.map(ProductView::from)) }).await
}

impl From<Category> for ProductCategoryView {
    fn from(category: Category) -> Self {
        Self { id: category.id, name: category.name }
    }
}

impl From<Promotion> for ProductPromotionView {
    fn from(promotion: Promotion) -> Self {
        Self {
            id: promotion.promotion_id,
            headline: promotion.headline,
            discount_percent: promotion.discount_percent,
            valid_until: promotion.valid_until,
        }
    }
}
