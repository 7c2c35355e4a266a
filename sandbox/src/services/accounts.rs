//! Account balances: `GET /accounts/balance`, minor units as integers and times as epoch seconds.

use actix_web::{HttpResponse, web};
use rand::Rng;
use serde_json::json;

use super::{World, not_found};
use crate::access::Caller;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/accounts").route("/balance", web::get().to(show_balance)).default_service(web::to(not_found)),
    );
}

async fn show_balance(world: web::Data<World>, caller: Caller) -> HttpResponse {
    let mut random = world.seed.random(&format!("balance of {}", caller.owner()));
    HttpResponse::Ok().json(json!({
        "available": random.random_range(0..1_000_000_u64),
        "pending": random.random_range(0..20_000_u64),
        "currency": "EUR",
        "as_of": world.now().as_second(),
    }))
}
