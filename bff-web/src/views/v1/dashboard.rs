//! The dashboard as version 1 says it.

use actix_web::{HttpResponse, get, web};
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    context::RequestContext,
    problem::{Problem, ProblemView},
};
use utoipa::ToSchema;

use crate::{
    answer::{Answers, Composed},
    money::Money,
    services::Services,
    views::dashboard::{self, DashboardView, RecentOrderView, UserView},
};

/// The dashboard. The names of the receipt's parts are those of version 2.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DashboardViewV1)]
pub struct View {
    /// The signed-in user.
    pub customer: CustomerView,
    /// The five latest orders, newest first; absent when they could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_orders: Option<Vec<LastOrderView>>,
    /// What the user's account holds; absent when it could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<f64>,
    /// ISO 4217; absent with the balance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance_currency: Option<String>,
    /// How many notifications the user has not read; absent when it could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<u32>,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomerV1)]
pub struct CustomerView {
    /// The stable id.
    pub id: String,
    /// The name to show.
    pub name: String,
    /// The address for mail.
    pub email: String,
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LastOrderV1)]
pub struct LastOrderView {
    /// Its id.
    pub order_id: String,
    /// What has become of it.
    pub state: String,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    pub date: Timestamp,
    /// The sum.
    pub total: f64,
    /// ISO 4217.
    pub currency: String,
}

/// The start page of a signed-in user, in version 1
#[utoipa::path(
    tag = "version 1",
    responses(
        (status = 200, description = "The dashboard", body = Composed<View>),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 410, description = "Version 1 has come to its end", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The user could not be fetched", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The users service is away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The users service took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/dashboard")]
pub async fn get_dashboard_v1(
    ctx: RequestContext,
    services: web::Data<Services>,
    answers: web::Data<Answers>,
) -> Result<HttpResponse, Problem> {
    answers.private_page(&dashboard::compose(&ctx, &services).await?.map(View::from))
}

impl From<DashboardView> for View {
    fn from(page: DashboardView) -> Self {
        Self {
            customer: page.user.into(),
            last_orders: page.recent_orders.map(|orders| orders.into_iter().map(Into::into).collect()),
            balance: page.balance.as_ref().map(Money::to_number),
            balance_currency: page.balance.map(|money| money.currency),
            unread: page.unread_notifications,
        }
    }
}

impl From<UserView> for CustomerView {
    fn from(user: UserView) -> Self {
        Self { id: user.id, name: user.display_name, email: user.email }
    }
}

impl From<RecentOrderView> for LastOrderView {
    fn from(order: RecentOrderView) -> Self {
        Self {
            order_id: order.id,
            state: order.status,
            date: order.placed_at,
            total: order.total.to_number(),
            currency: order.total.currency,
        }
    }
}
