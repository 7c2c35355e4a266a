//! The order of a list of orders, and places in it.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::book::{Order, Status};

/// Newest first unless told otherwise. Equal orders stay apart by their id, so that pages do not overlap.
pub(super) struct Sorting {
    key: Key,
    descending: bool,
}

#[derive(Clone, Copy)]
enum Key {
    PlacedAt,
    Total,
    Status,
    OrderId,
}

/// What an order is sorted by. Values of one key compare with each other.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Time(Timestamp),
    Minor(u64),
    Status(Status),
    Id(String),
}

impl Sorting {
    /// Reads `placedAt`, `total`, `status` or `orderId`, then `,asc` or `,desc`.
    pub(super) fn read(sort: Option<&str>) -> Option<Self> {
        let (key, direction) = sort.map_or(("placedAt", "desc"), |sort| sort.split_once(',').unwrap_or((sort, "asc")));
        let key = match key {
            "placedAt" => Key::PlacedAt,
            "total" => Key::Total,
            "status" => Key::Status,
            "orderId" => Key::OrderId,
            _ => return None,
        };
        let descending = match direction {
            "asc" => false,
            "desc" => true,
            _ => return None,
        };
        Some(Self { key, descending })
    }

    /// Sorts in place.
    pub(super) fn sort(&self, orders: &mut [Order]) {
        orders.sort_by(|a, b| self.compare((&self.value(a), &a.order_id), (&self.value(b), &b.order_id)));
    }

    /// Leaves what stands behind a place, whether or not an order stands there. None when there is no such place.
    pub(super) fn keep_after(&self, orders: &mut Vec<Order>, value: &str, id: &str) -> Option<()> {
        let value = self.parse(value)?;
        orders.retain(|order| self.compare((&self.value(order), &order.order_id), (&value, id)) == Ordering::Greater);
        Some(())
    }

    fn compare(&self, (value, id): (&Value, &str), (other, other_id): (&Value, &str)) -> Ordering {
        let order = value.cmp(other);
        let order = if self.descending { order.reverse() } else { order };
        order.then_with(|| id.cmp(other_id))
    }

    fn value(&self, order: &Order) -> Value {
        match self.key {
            Key::PlacedAt => Value::Time(order.placed_at),
            Key::Total => Value::Minor(order.total),
            Key::Status => Value::Status(order.status),
            Key::OrderId => Value::Id(order.order_id.clone()),
        }
    }

    /// A value as orders show it.
    fn parse(&self, text: &str) -> Option<Value> {
        match self.key {
            Key::PlacedAt => text.parse().ok().map(Value::Time),
            Key::Total => {
                let (whole, hundredths) = text.split_once('.').filter(|(_, hundredths)| hundredths.len() == 2)?;
                let (whole, hundredths): (u64, u64) = (whole.parse().ok()?, hundredths.parse().ok()?);
                whole.checked_mul(100)?.checked_add(hundredths).map(Value::Minor)
            }
            Key::Status => Status::ALL.into_iter().find(|status| status.name() == text).map(Value::Status),
            Key::OrderId => Some(Value::Id(text.to_owned())),
        }
    }
}
