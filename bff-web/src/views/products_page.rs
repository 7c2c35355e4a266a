//! The page around the list of products: the list, the categories to choose from, and the promotions that run now.
//!
//! Without products there is no page; categories and promotions may be missing, and the receipt says why.

use actix_web::{HttpResponse, get, web};
use futures_util::try_join;
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    aggregate::Composite,
    context::RequestContext,
    pagination::{PageParams, PageResponse, Query},
    problem::{Problem, ProblemView},
};
use utoipa::ToSchema;

use crate::{
    answer::{Answers, Composed},
    product_list::{self, ProductFilters, ProductView, ProductsParams},
    services::{Services, categories::Category, promotions::Promotion},
};

/// The page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductsPageView {
    /// The products.
    pub products: PageResponse<ProductView>,
    /// All categories; absent when they could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<CategoryView>>,
    /// The promotions that run now; absent when they could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotions: Option<Vec<PromotionView>>,
}

/// A category.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Category)]
pub struct CategoryView {
    /// Its id, for the filter `category`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The category that it is in; absent for a root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
}

/// A promotion.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Promotion)]
pub struct PromotionView {
    /// Its id.
    pub id: String,
    /// What it says.
    pub headline: String,
    /// By how much prices are reduced, in percent.
    pub discount_percent: u32,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub valid_until: Timestamp,
    /// The products that it is about.
    pub product_ids: Vec<String>,
}

/// The page around the list of products
///
/// The parameters are those of the list of products.
#[utoipa::path(
    tag = "screens",
    params(PageParams, ProductFilters),
    responses(
        (status = 200, description = "The page", body = Composed<ProductsPageView>),
        (status = 400, description = "A parameter is wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The products could not be fetched", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The catalog is away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The catalog took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/products-page")]
pub async fn get_products_page(
    ctx: RequestContext,
    services: web::Data<Services>,
    answers: web::Data<Answers>,
    Query(params): Query<ProductsParams>,
) -> Result<HttpResponse, Problem> {
    answers.public_page(&compose(&ctx, &services, &params).await?)
}

/// Asks for the parts, all at once.
///
/// # Errors
/// Without products there is no page.
pub async fn compose(
    ctx: &RequestContext,
    services: &Services,
    params: &ProductsParams,
) -> Result<Composed<ProductsPageView>, Problem> {
    let parts = Composite::new();
    let (products, categories, promotions) = try_join!(
        parts.required("products", product_list::fetch(&services.catalog, ctx, params)),
        parts.optional("categories", services.categories.all(ctx)),
        parts.optional("promotions", services.promotions.active(ctx)),
    )?;
    let page = ProductsPageView {
        products,
        categories: categories.map(|categories| categories.into_iter().map(Into::into).collect()),
        promotions: promotions.map(|promotions| promotions.into_iter().map(Into::into).collect()),
    };
    Ok(Composed { page, receipt: parts.into_receipt() })
}

impl From<Category> for CategoryView {
    fn from(category: Category) -> Self {
        Self { id: category.id, name: category.name, parent_id: category.parent_id }
    }
}

impl From<Promotion> for PromotionView {
    fn from(promotion: Promotion) -> Self {
        Self {
            id: promotion.promotion_id,
            headline: promotion.headline,
            discount_percent: promotion.discount_percent,
            valid_until: promotion.valid_until,
            product_ids: promotion.skus,
        }
    }
}
