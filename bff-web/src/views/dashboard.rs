//! The dashboard: who the user is, the latest orders, the balance, and how many notifications wait.
//!
//! Without the user there is no page; each of the other parts may be missing, and the receipt says why.

use actix_web::{HttpResponse, get, web};
use futures_util::try_join;
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    aggregate::Composite,
    context::RequestContext,
    problem::{Problem, ProblemView},
};
use utoipa::ToSchema;

use crate::{
    answer::{Answers, Composed},
    money::Money,
    services::{Services, accounts::Balance, orders::Order, users::User},
};

/// How many orders the dashboard shows.
const LATEST_ORDERS: u32 = 5;

/// The dashboard.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DashboardView {
    /// The signed-in user.
    pub user: UserView,
    /// The five latest orders, newest first; absent when they could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recent_orders: Option<Vec<RecentOrderView>>,
    /// What the user's account holds; absent when it could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Money>,
    /// How many notifications the user has not read; absent when it could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread_notifications: Option<u32>,
    /// Where the stream of notifications goes on from, for its `lastEventId`: what changes the number above afterwards comes
    /// there. Absent with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "17")]
    pub last_event_id: Option<String>,
}

/// A user as the screen greets them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DashboardUser)]
pub struct UserView {
    /// The stable id.
    pub id: String,
    /// The name to show.
    pub display_name: String,
    /// The address for mail.
    pub email: String,
}

/// An order in the list of the latest.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RecentOrder)]
pub struct RecentOrderView {
    /// Its id.
    pub id: String,
    /// What has become of it, such as `SHIPPED`.
    pub status: String,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: Timestamp,
    /// The sum.
    pub total: Money,
}

/// The start page of a signed-in user
#[utoipa::path(
    tag = "screens",
    responses(
        (status = 200, description = "The dashboard", body = Composed<DashboardView>),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The user could not be fetched", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The users service is away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The users service took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/dashboard")]
pub async fn get_dashboard(
    ctx: RequestContext,
    services: web::Data<Services>,
    answers: web::Data<Answers>,
) -> Result<HttpResponse, Problem> {
    answers.private_page(&compose(&ctx, &services).await?)
}

/// Asks for the parts, all at once.
///
/// # Errors
/// Without the user there is no page.
pub async fn compose(ctx: &RequestContext, services: &Services) -> Result<Composed<DashboardView>, Problem> {
    let parts = Composite::new();
    let (user, orders, balance, unread) = try_join!(
        parts.required("user", services.users.me(ctx)),
        parts.optional("recentOrders", services.orders.latest(ctx, LATEST_ORDERS)),
        parts.optional("balance", services.accounts.balance(ctx)),
        parts.optional("unreadNotifications", services.notifications.unread(ctx)),
    )?;
    let page = DashboardView {
        user: user.into(),
        recent_orders: orders.map(|orders| orders.into_iter().map(Into::into).collect()),
        balance: balance.map(money),
        unread_notifications: unread.map(|unread| unread.count),
        // A number of 64 bits does not survive in script.
        last_event_id: unread.map(|unread| unread.last_event_id.to_string()),
    };
    Ok(Composed { page, receipt: parts.into_receipt() })
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self { id: user.id, display_name: format!("{} {}", user.given_name, user.family_name), email: user.email }
    }
}

impl From<Order> for RecentOrderView {
    fn from(order: Order) -> Self {
        Self {
            id: order.order_id,
            status: order.status,
            placed_at: order.placed_at,
            total: Money { amount: order.total, currency: order.currency },
        }
    }
}

fn money(balance: Balance) -> Money {
    Money::from_minor(balance.available, balance.currency)
}
