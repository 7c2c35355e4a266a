//! Promotions that run now: `GET /promotions/active`, camelCase in an envelope called `data`.

use actix_web::{HttpResponse, web};
use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{World, not_found};

const HEADLINES: [&str; 6] = [
    "Autumn at home",
    "Back to the office",
    "For the long way",
    "Gifts that last",
    "Kitchen week",
    "Sound of the season",
];

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/promotions").route("/active", web::get().to(list_active)).default_service(web::to(not_found)),
    );
}

async fn list_active(world: web::Data<World>) -> HttpResponse {
    let products = world.seed.catalog().products();
    let mut random = world.seed.random("promotions");
    let promotions: Vec<Value> = (1..)
        .zip(HEADLINES)
        .map(|(number, headline)| {
            let skus: Vec<&str> =
                products.choose_multiple(&mut random, 4).map(|product| product.sku.as_str()).collect();
            json!({
                "promotionId": format!("promo-{number}"),
                "headline": headline,
                "discountPercent": random.random_range(1..=10) * 5,
                "validUntil": format!("2035-{number:02}-28T23:59:59Z"),
                "skus": skus,
            })
        })
        .collect();
    HttpResponse::Ok().json(json!({ "data": promotions }))
}
