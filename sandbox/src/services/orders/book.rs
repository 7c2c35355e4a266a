//! The orders themselves: several hundred for each owner, made when they are first asked for, and those placed since.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::seed::Seed;

/// The newest order of the demo data was placed at about this moment (2026-10-01T00:00:00Z).
const NEWEST: i64 = 1_790_812_800;
/// An order has at most this many lines.
const MAX_LINES: usize = 50;
const MAX_QUANTITY: u32 = 999;

/// What becomes of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Placed,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
}

impl Status {
    pub(super) const ALL: [Self; 5] = [Self::Placed, Self::Paid, Self::Shipped, Self::Delivered, Self::Cancelled];

    /// As orders show it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Placed => "PLACED",
            Self::Paid => "PAID",
            Self::Shipped => "SHIPPED",
            Self::Delivered => "DELIVERED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One order.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    pub(super) order_id: String,
    pub(super) status: Status,
    pub(super) placed_at: Timestamp,
    lines: Vec<Line>,
    #[serde(serialize_with = "decimal")]
    pub(super) total: u64,
    currency: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    sku: String,
    quantity: u32,
    #[serde(serialize_with = "decimal")]
    unit_price: u64,
}

/// What is ordered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrder {
    lines: Vec<NewLine>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLine {
    sku: String,
    quantity: u32,
}

impl NewOrder {
    /// How many pieces are ordered, over all lines.
    pub(super) fn pieces(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity)).sum()
    }
}

/// Why an order is not placed or not cancelled.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    #[error("lines must be 1 to 50 known SKUs, each with a quantity from 1 to 999")]
    Lines,
    #[error("the Idempotency-Key was used for another order")]
    KeyReused,
    #[error("there is no such order")]
    Unknown,
    #[error("an order that is on its way cannot be cancelled")]
    TooLate,
}

/// A placed order, and whether it had been placed before under the same key.
pub(super) struct Placement {
    pub(super) order: Order,
    pub(super) replayed: bool,
}

/// The orders by owner.
pub(in crate::services) struct Orders {
    seed: Arc<Seed>,
    owners: Mutex<HashMap<String, Book>>,
}

/// One owner's orders.
struct Book {
    orders: Vec<Order>,
    placed: u64,
    /// By idempotency key: what was asked, and the order that came of it.
    keys: HashMap<String, (NewOrder, String)>,
}

impl Orders {
    /// The demo data of a seed.
    pub(in crate::services) fn new(seed: Arc<Seed>) -> Self {
        Self { seed, owners: Mutex::default() }
    }

    /// All orders of an owner, unordered.
    pub(super) fn all(&self, owner: &str) -> Vec<Order> {
        self.with_book(owner, |book| book.orders.clone())
    }

    /// One order, if it is this owner's.
    pub(super) fn find(&self, owner: &str, id: &str) -> Option<Order> {
        self.with_book(owner, |book| book.orders.iter().find(|order| order.order_id == id).cloned())
    }

    /// Places an order, once for each key.
    pub(super) fn place(
        &self,
        owner: &str,
        key: Option<&str>,
        new: NewOrder,
        now: Timestamp,
    ) -> Result<Placement, OrderError> {
        let lines = self.price(&new)?;
        self.with_book(owner, |book| {
            if let Some((asked, id)) = key.and_then(|key| book.keys.get(key)) {
                if !same(asked, &new) {
                    return Err(OrderError::KeyReused);
                }
                let order =
                    book.orders.iter().find(|order| &order.order_id == id).cloned().ok_or(OrderError::Unknown)?;
                return Ok(Placement { order, replayed: true });
            }
            book.placed += 1;
            let id = order_id(owner, &format!("placed {}", book.placed));
            let order = finish(id, Status::Placed, now, lines);
            book.orders.push(order.clone());
            if let Some(key) = key {
                book.keys.insert(key.to_owned(), (new, order.order_id.clone()));
            }
            Ok(Placement { order, replayed: false })
        })
    }

    /// Cancels an order that has not been shipped. To cancel it again changes nothing.
    pub(super) fn cancel(&self, owner: &str, id: &str) -> Result<Order, OrderError> {
        self.with_book(owner, |book| {
            let order = book.orders.iter_mut().find(|order| order.order_id == id).ok_or(OrderError::Unknown)?;
            match order.status {
                Status::Placed | Status::Paid | Status::Cancelled => order.status = Status::Cancelled,
                Status::Shipped | Status::Delivered => return Err(OrderError::TooLate),
            }
            Ok(order.clone())
        })
    }

    fn price(&self, new: &NewOrder) -> Result<Vec<Line>, OrderError> {
        if !(1..=MAX_LINES).contains(&new.lines.len()) {
            return Err(OrderError::Lines);
        }
        new.lines
            .iter()
            .map(|line| {
                let product = self.seed.catalog().by_sku(&line.sku).ok_or(OrderError::Lines)?;
                if !(1..=MAX_QUANTITY).contains(&line.quantity) {
                    return Err(OrderError::Lines);
                }
                Ok(Line { sku: line.sku.clone(), quantity: line.quantity, unit_price: product.price.amount_minor })
            })
            .collect()
    }

    fn with_book<T>(&self, owner: &str, act: impl FnOnce(&mut Book) -> T) -> T {
        let mut owners: MutexGuard<'_, _> = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let book = owners.entry(owner.to_owned()).or_insert_with(|| Book {
            orders: demo_orders(&self.seed, owner),
            placed: 0,
            keys: HashMap::new(),
        });
        act(book)
    }
}

fn same(one: &NewOrder, other: &NewOrder) -> bool {
    one.lines.len() == other.lines.len()
        && one.lines.iter().zip(&other.lines).all(|(a, b)| a.sku == b.sku && a.quantity == b.quantity)
}

fn demo_orders(seed: &Seed, owner: &str) -> Vec<Order> {
    let products = seed.catalog().products();
    let mut random = seed.random(&format!("orders of {owner}"));
    let count = random.random_range(300..500_u32);
    let mut placed_at = Timestamp::from_second(NEWEST).unwrap_or(Timestamp::UNIX_EPOCH);
    (0..count)
        .map(|number| {
            placed_at -= SignedDuration::from_secs(random.random_range(600..200_000));
            let status = match number {
                0..5 => [Status::Placed, Status::Paid, Status::Shipped][random.random_range(0..3)],
                _ if random.random_ratio(1, 12) => Status::Cancelled,
                _ => Status::Delivered,
            };
            let lines = (0..random.random_range(1..=5))
                .map(|_| {
                    let product = &products[random.random_range(0..products.len())];
                    let quantity = random.random_range(1..=3);
                    Line { sku: product.sku.clone(), quantity, unit_price: product.price.amount_minor }
                })
                .collect();
            finish(order_id(owner, &format!("demo {number}")), status, placed_at, lines)
        })
        .collect()
}

fn finish(order_id: String, status: Status, placed_at: Timestamp, lines: Vec<Line>) -> Order {
    let total = lines.iter().map(|line| line.unit_price * u64::from(line.quantity)).sum();
    Order { order_id, status, placed_at, lines, total, currency: "EUR" }
}

/// An id that says nothing of its owner and that no other owner's order has.
fn order_id(owner: &str, number: &str) -> String {
    let digest = Sha256::digest(format!("{owner}\n{number}"));
    let mut id = String::from("ord_");
    for byte in &digest[..8] {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

fn decimal<S: Serializer>(minor: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}.{:02}", minor / 100, minor % 100))
}
