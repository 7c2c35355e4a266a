//! The page around the list of products as version 1 says it.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use shared_lib::{
    context::RequestContext,
    pagination::{PageParams, PageResponse, Query},
    problem::{Problem, ProblemView},
};
use utoipa::ToSchema;

use super::products::{Params, View as ProductView};
use crate::{
    answer::{Answers, Composed},
    product_list::ProductFilters,
    services::Services,
    views::products_page::{self, CategoryView, ProductsPageView, PromotionView},
};

/// The page. The names of the receipt's parts are those of version 2.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProductsPageViewV1)]
pub struct View {
    /// The products.
    pub product_list: PageResponse<ProductView>,
    /// All categories; absent when they could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<CategoryV1View>>,
    /// The promotions that run now; absent when they could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offers: Option<Vec<OfferView>>,
}

/// A category.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CategoryV1)]
pub struct CategoryV1View {
    /// Its id.
    pub id: String,
    /// Its name.
    pub title: String,
    /// The category that it is in; absent for a root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// A promotion.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OfferV1)]
pub struct OfferView {
    /// Its id.
    pub id: String,
    /// What it says.
    pub title: String,
    /// By how much prices are reduced, in percent.
    pub percent: u32,
    /// The products that it is about.
    pub products: Vec<String>,
}

/// The page around the list of products, in version 1
///
/// The parameters are those of the list of products.
#[utoipa::path(
    tag = "version 1",
    params(PageParams, ProductFilters),
    responses(
        (status = 200, description = "The page", body = Composed<View>),
        (status = 400, description = "A parameter is wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 410, description = "Version 1 has come to its end", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The products could not be fetched", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The catalog is away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The catalog took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/products-page")]
pub async fn get_products_page_v1(
    ctx: RequestContext,
    services: web::Data<Services>,
    answers: web::Data<Answers>,
    Query(Params(params)): Query<Params>,
) -> Result<HttpResponse, Problem> {
    answers.public_page(&products_page::compose(&ctx, &services, &params).await?.map(View::from))
}

impl From<ProductsPageView> for View {
    fn from(page: ProductsPageView) -> Self {
        Self {
            product_list: page.products.map(Into::into),
            categories: page.categories.map(|all| all.into_iter().map(Into::into).collect()),
            offers: page.promotions.map(|all| all.into_iter().map(Into::into).collect()),
        }
    }
}

impl From<CategoryView> for CategoryV1View {
    fn from(category: CategoryView) -> Self {
        Self { id: category.id, title: category.name, parent: category.parent_id }
    }
}

impl From<PromotionView> for OfferView {
    fn from(promotion: PromotionView) -> Self {
        Self {
            id: promotion.id,
            title: promotion.headline,
            percent: promotion.discount_percent,
            products: promotion.product_ids,
        }
    }
}
