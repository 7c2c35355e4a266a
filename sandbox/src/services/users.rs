//! Who a user is: `GET /users/me`, snake_case, problems after RFC 9457.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use rand::Rng;
use serde_json::json;

use super::{World, error, not_found};
use crate::{access::Caller, provider::User};

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(web::scope("/users").route("/me", web::get().to(show_me)).default_service(web::to(not_found)));
}

async fn show_me(request: HttpRequest, world: web::Data<World>, caller: Caller) -> HttpResponse {
    let Some(user) = User::by_sub(&caller.subject) else {
        return error(&request, StatusCode::NOT_FOUND, "not_found", "the token's subject is not a user");
    };
    let mut random = world.seed.random(&format!("{} joined", user.sub));
    let (year, month, day) =
        (random.random_range(2015..2025), random.random_range(1..=12), random.random_range(1..=28));
    HttpResponse::Ok().json(json!({
        "id": user.sub,
        "given_name": user.given_name,
        "family_name": user.family_name,
        "email": user.email,
        "locale": user.locale,
        "member_since": format!("{year}-{month:02}-{day:02}"),
    }))
}
