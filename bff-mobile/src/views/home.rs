//! The first screen after the start of the app: one call, small, and there even when most of what is behind it is not.

use actix_web::{get, web};
use futures_util::try_join;
use serde::Serialize;
use shared_lib::{
    aggregate::{Composite, Receipt},
    context::RequestContext,
    problem::Problem,
};
use utoipa::ToSchema;

use crate::{
    auth::OnBehalf,
    money::Money,
    openapi::Refusals,
    services::{Services, orders::Order, promotions::Promotion},
};

/// How many promotions fit on the screen.
const PROMOTIONS: usize = 3;

/// The home screen.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HomeView {
    /// The user's first name.
    #[schema(example = "Alice")]
    name: String,
    /// What the user can spend; absent when it is not known at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<Money>,
    /// Notifications that were not read; absent when it is not known at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<u32>,
    /// The latest order; absent when there is none, or it is not known at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_order: Option<LastOrderView>,
    /// At most three promotions that run now.
    #[schema(max_items = 3)]
    promotions: Vec<PromotionView>,
    receipt: Receipt,
}

/// The latest order, in one line.
#[derive(Serialize, ToSchema)]
pub struct LastOrderView {
    id: String,
    /// Where it stands.
    #[schema(example = "SHIPPED")]
    status: String,
    total: Money,
}

/// A promotion, as a card.
#[derive(Serialize, ToSchema)]
pub struct PromotionView {
    id: String,
    #[schema(example = "Kitchen week")]
    title: String,
    /// The discount in percent.
    #[schema(example = 25)]
    percent: u8,
}

impl From<Order> for LastOrderView {
    fn from(order: Order) -> Self {
        Self { id: order.id, status: order.status, total: order.total }
    }
}

impl From<Promotion> for PromotionView {
    fn from(promotion: Promotion) -> Self {
        Self { id: promotion.promotion_id, title: promotion.headline, percent: promotion.discount_percent }
    }
}

/// The home screen.
///
/// Only the user is needed; every other part may be missing, and `receipt` says so.
#[utoipa::path(tag = "home", responses((status = 200, description = "The home screen", body = HomeView), Refusals))]
#[get("/home")]
pub async fn get_home(
    context: RequestContext,
    user: OnBehalf,
    services: web::Data<Services>,
) -> Result<web::Json<HomeView>, Problem> {
    let parts = Composite::new();
    let (person, balance, unread, order, promotions) = try_join!(
        parts.required("user", services.users.me(&user)),
        parts.optional("balance", services.accounts.balance(&user)),
        parts.optional("unread", services.notifications.unread_count(&user)),
        parts.optional("lastOrder", services.orders.latest(&user)),
        parts.optional_or("promotions", services.promotions.active(&context), Vec::new),
    )?;
    Ok(web::Json(HomeView {
        name: person.given_name,
        balance,
        unread,
        last_order: order.flatten().map(LastOrderView::from),
        promotions: promotions.into_iter().take(PROMOTIONS).map(PromotionView::from).collect(),
        receipt: parts.into_receipt(),
    }))
}
