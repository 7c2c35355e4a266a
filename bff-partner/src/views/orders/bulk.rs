//! Several orders in one call, each of which is placed or refused for itself.

use std::{collections::HashSet, rc::Rc, time::Duration};

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::RETRY_AFTER},
    post, web,
};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use shared_lib::{
    context::RequestContext,
    idempotency::{
        IDEMPOTENCY_KEY_INVALID, IDEMPOTENCY_KEY_MISSING, IDEMPOTENCY_UNAVAILABLE, Idempotency, IdempotencyKey, Outcome,
    },
    problem::{FieldError, Problem, ProblemKind, kinds, report},
};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{NewOrderBody, NewOrderLineBody, OrderView, Placing};
use crate::{
    auth::{AdmittedKey, AsPartner, Toll},
    body::{JsonBody, malformed},
    limits,
    openapi::{OrderRefusals, Refusals},
    services::Services,
};

/// The most orders of one call.
const MAX_ORDERS: usize = 20;

/// Where they are placed, as in the table of weights.
const PATH: &str = "/v1/orders/bulk";

/// How many orders of a call are placed at the same time. It is the share of a downstream's connections that one call may
/// take.
const AT_A_TIME: usize = 5;

/// How long after the request's deadline an order is given up whose calls should have ended by themselves; shorter than
/// what the gate gives, so that the results of the others are still told.
const GRACE: Duration = Duration::from_millis(100);

/// Bad request: a key stands twice in one call.
pub static IDEMPOTENCY_KEY_REPEATED: ProblemKind = ProblemKind {
    code: "idempotency-key-repeated",
    status: StatusCode::BAD_REQUEST,
    title: "The `idempotencyKey` stands twice in one call",
    remedy: "Give each order of a call a key of its own. The first with this key was taken, this one was not.",
};

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[&IDEMPOTENCY_KEY_REPEATED];

/// What is ordered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkOrdersBody {
    #[schema(value_type = Vec<BulkOrderBody>, min_items = 1, max_items = 20)]
    orders: Vec<Box<RawValue>>,
}

/// One order, with a name of its own.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BulkOrderBody {
    /// Your name for this order; 1 to 255 printable characters. It is the same as `Idempotency-Key` of `POST /v1/orders`.
    #[schema(value_type = String, required, nullable = false, pattern = "^(\"([ !#-\\[\\]-~]|\\\\[\"\\\\]){1,255}\"|[!#-~]([ -~]{0,253}[!-~])?)$", example = "2026-000117")]
    idempotency_key: Option<String>,
    #[schema(min_items = 1, max_items = 50)]
    lines: Vec<NewOrderLineBody>,
}

/// What became of the orders.
#[derive(Serialize, ToSchema)]
pub struct BulkOrdersView {
    /// One for each order, in the order of the request.
    results: Vec<BulkOrderView>,
    /// How many are placed, those that had been placed before among them.
    succeeded: usize,
    /// How many are not.
    failed: usize,
}

/// What became of one order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BulkOrderView {
    /// Its place in the request; the first is 0.
    index: usize,
    /// Its name, as it was sent; absent when it had none that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2026-000117")]
    idempotency_key: Option<String>,
    /// What `POST /v1/orders` would have answered.
    #[schema(example = 201)]
    status: u16,
    /// Whether it had been placed before, and this is what was answered then; absent when it was not.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    replayed: bool,
    /// Where the order is; absent when it was not placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/v1/orders/ord_0123456789abcdef")]
    location: Option<String>,
    /// The order; absent when it was not placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OrderView>, nullable = false)]
    order: Option<Box<RawValue>>,
    /// Why it was not placed; absent when it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<shared_lib::problem::ProblemView>, nullable = false)]
    problem: Option<Value>,
    /// How long to wait before it is sent again, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_seconds: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// One order of the request, read.
struct Item {
    index: usize,
    name: Option<String>,
    order: Result<(IdempotencyKey, NewOrderBody), Problem>,
}

/// Places several orders.
///
/// Each order is placed or refused for itself, as `POST /v1/orders` would with the same `Idempotency-Key`: an order that
/// either call has placed under a key is not placed again, and comes back marked `replayed`. So a call whose answer was
/// lost, or that was answered only in part, is repeated as it is. The call itself needs no `Idempotency-Key` and takes no
/// notice of one. It weighs as much as its orders one by one, and a plan that never admits as much at once never admits it.
#[utoipa::path(
    tag = "orders",
    request_body = BulkOrdersBody,
    responses(
        (status = 200, description = "What became of each order", body = BulkOrdersView),
        OrderRefusals,
        Refusals
    )
)]
#[post("/orders/bulk")]
#[allow(clippy::too_many_arguments, reason = "each is something that the framework finds")]
pub async fn place_orders(
    toll: Toll,
    context: RequestContext,
    key: AdmittedKey,
    partner: Result<AsPartner, Problem>,
    services: web::Data<Services>,
    idempotency: web::Data<Idempotency>,
    body: Result<JsonBody<BulkOrdersBody>, Problem>,
) -> Result<HttpResponse, Problem> {
    // What cannot be read weighs as one order; nothing gets further than this unpaid.
    let items = body.and_then(|JsonBody(body)| read(body));
    let count = items.as_ref().map_or(1, Vec::len);
    let paid = toll.pay(count).await?;
    let place = async {
        let (items, partner) = (items?, Rc::new(partner?));
        let placing = Placing { key, partner, services, idempotency: idempotency.into_inner() };
        let give_up_at = Instant::now() + context.budget().remaining().unwrap_or_default() + GRACE;
        let answers = stream::iter(items).map(|item| answer(item, &placing, &context, give_up_at));
        let results = answers.buffered(AT_A_TIME);
        let results: Vec<BulkOrderView> = results.collect().await;
        let succeeded = results.iter().filter(|result| result.order.is_some()).count();
        Ok(HttpResponse::Ok().json(BulkOrdersView { succeeded, failed: results.len() - succeeded, results }))
    };
    paid.say(place.await)
}

/// How many orders a call may have of who may have so many units at once.
pub fn most_orders(units: u64) -> usize {
    let each = u64::from(limits::weight_of("POST", PATH).get());
    usize::try_from(units / each).unwrap_or(usize::MAX).min(MAX_ORDERS)
}

/// The orders of a request. One that is wrong is wrong for itself; only a request without orders, or with too many, is
/// refused as a whole.
fn read(body: BulkOrdersBody) -> Result<Vec<Item>, Problem> {
    if !(1..=MAX_ORDERS).contains(&body.orders.len()) {
        let message = format!("must have 1 to {MAX_ORDERS} orders");
        return Err(Problem::validation(&[FieldError::body("/orders", message)]));
    }
    let mut seen = HashSet::new();
    let item = |(index, text): (usize, Box<RawValue>)| {
        let body = match serde_json::from_str::<BulkOrderBody>(text.get()) {
            Ok(body) => body,
            Err(error) => return Item { index, name: None, order: Err(malformed("order", &error)) },
        };
        let Some(name) = body.idempotency_key else {
            return Item { index, name: None, order: Err(Problem::new(&IDEMPOTENCY_KEY_MISSING)) };
        };
        let Some(key) = IdempotencyKey::parse(&name) else {
            return Item { index, name: None, order: Err(Problem::new(&IDEMPOTENCY_KEY_INVALID)) };
        };
        let order = if seen.insert(key.as_str().to_owned()) {
            Ok((key, NewOrderBody { lines: body.lines }))
        } else {
            Err(Problem::new(&IDEMPOTENCY_KEY_REPEATED))
        };
        Item { index, name: Some(name), order }
    };
    Ok(body.orders.into_iter().enumerate().map(item).collect())
}

/// Places one order, and tells what became of it.
async fn answer(item: Item, placing: &Placing, context: &RequestContext, give_up_at: Instant) -> BulkOrderView {
    let Item { index, name, order } = item;
    let outcome = match order {
        Ok((key, order)) => {
            if context.budget().remaining().is_none() {
                let late = "The time of the call was over before this order was begun.";
                Err(Problem::new(&kinds::DOWNSTREAM_TIMEOUT).detail(late))
            } else {
                // Nobody knows whether it was placed, and it goes on; its key finds out.
                let given_up = || Problem::new(&IDEMPOTENCY_UNAVAILABLE).retry_after(GRACE);
                let outcome = tokio::time::timeout_at(give_up_at, placing.place(&key, order)).await;
                outcome.unwrap_or_else(|_| Err(given_up()))
            }
        }
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(outcome) => placed(index, name, outcome),
        Err(problem) => refused(index, name, &problem, context),
    }
}

fn placed(index: usize, idempotency_key: Option<String>, outcome: Outcome) -> BulkOrderView {
    let Outcome { answer, replayed } = outcome;
    BulkOrderView {
        index,
        idempotency_key,
        status: answer.status,
        replayed,
        location: answer.location,
        // It was written as JSON.
        order: RawValue::from_string(answer.body).ok(),
        problem: None,
        retry_after_seconds: None,
    }
}

fn refused(index: usize, name: Option<String>, problem: &Problem, context: &RequestContext) -> BulkOrderView {
    report(problem);
    let wait = problem.headers().iter().find(|(name, _)| *name == RETRY_AFTER);
    BulkOrderView {
        index,
        idempotency_key: name,
        status: problem.kind().status.as_u16(),
        replayed: false,
        location: None,
        order: None,
        problem: Some(problem.to_json(Some(context.request_id().as_str()))),
        retry_after_seconds: wait.and_then(|(_, wait)| wait.to_str().ok()?.parse().ok()),
    }
}
