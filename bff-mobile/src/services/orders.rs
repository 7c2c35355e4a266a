//! Orders: the caller's own, as a Spring Data service gives them.

use serde::{Deserialize, Serialize};
use shared_lib::downstream::{Downstream, DownstreamError, Fetched};

use crate::{
    auth::OnBehalf,
    money::{Money, NotAnAmount},
};

/// The service that keeps the orders.
pub struct Orders {
    downstream: Downstream,
}

/// An order.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "OrderDto")]
pub struct Order {
    /// Its id.
    pub id: String,
    /// Where it stands, such as `SHIPPED`.
    pub status: String,
    /// What it costs in all.
    pub total: Money,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderDto {
    order_id: String,
    status: String,
    /// A decimal, such as `129.90`.
    total: String,
    currency: String,
}

impl TryFrom<OrderDto> for Order {
    type Error = NotAnAmount;

    fn try_from(dto: OrderDto) -> Result<Self, NotAnAmount> {
        let total = Money::from_decimal(&dto.total, &dto.currency)?;
        Ok(Self { id: dto.order_id, status: dto.status, total })
    }
}

#[derive(Serialize)]
struct PageQuery {
    page: u32,
    size: u32,
    sort: &'static str,
}

#[derive(Clone, Deserialize)]
struct Page {
    content: Vec<Order>,
}

impl Orders {
    /// The service behind this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// The caller's latest order; none when there never was one.
    ///
    /// # Errors
    /// As any call.
    pub async fn latest(&self, user: &OnBehalf) -> Result<Fetched<Option<Order>>, DownstreamError> {
        let query = PageQuery { page: 0, size: 1, sort: "placedAt,desc" };
        let fetched = self.downstream.get(user.context(), &[]).query(&query).as_caller().json::<Page>().await?;
        Ok(fetched.map(|page| page.content.into_iter().next()))
    }
}
