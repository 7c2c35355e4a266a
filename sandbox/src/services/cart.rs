//! Shopping carts: read, and replaced as a whole by whoever has seen the last version.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{ETAG, IF_MATCH},
    },
    web,
};
use serde::{Deserialize, Serialize};

use super::{World, error, not_found};
use crate::access::Caller;

/// More different products than this do not fit into a cart.
const MAX_ITEMS: usize = 100;

/// The carts by owner.
#[derive(Debug, Default)]
pub(super) struct Carts {
    carts: Mutex<HashMap<String, Cart>>,
}

#[derive(Debug, Clone, Default, Serialize)]
struct Cart {
    items: Vec<Item>,
    version: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    sku: String,
    qty: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replacement {
    items: Vec<Item>,
    /// Sent back by clients that return the cart as they got it; `If-Match` is what counts.
    #[serde(rename = "version")]
    _version: Option<u64>,
}

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/cart")
            .route("", web::get().to(show_cart))
            .route("", web::put().to(replace_cart))
            .default_service(web::to(not_found)),
    );
}

impl Carts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Cart>> {
        self.carts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn show_cart(world: web::Data<World>, caller: Caller) -> HttpResponse {
    let cart = world.carts.lock().get(&caller.owner()).cloned().unwrap_or_default();
    answer(&cart)
}

async fn replace_cart(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    body: web::Json<Replacement>,
) -> HttpResponse {
    let Some(expected) = request.headers().get(IF_MATCH).and_then(|value| value.to_str().ok()) else {
        let message = "If-Match must name the version that is replaced";
        return error(&request, StatusCode::PRECONDITION_REQUIRED, "version_required", message);
    };
    let items = body.into_inner().items;
    let unknown = |item: &Item| item.qty == 0 || world.seed.catalog().by_sku(&item.sku).is_none();
    if items.len() > MAX_ITEMS || items.iter().any(unknown) {
        let message = "items must be at most 100 known SKUs, each with a qty above 0";
        return error(&request, StatusCode::UNPROCESSABLE_ENTITY, "invalid_items", message);
    }
    let mut carts = world.carts.lock();
    let cart = carts.entry(caller.owner()).or_default();
    if expected != "*" && expected != etag(cart) {
        let message = "the cart has another version by now";
        return error(&request, StatusCode::PRECONDITION_FAILED, "version_mismatch", message);
    }
    *cart = Cart { items, version: cart.version + 1 };
    answer(cart)
}

fn answer(cart: &Cart) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, etag(cart))).json(cart)
}

fn etag(cart: &Cart) -> String {
    format!("\"{}\"", cart.version)
}
