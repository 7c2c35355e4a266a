//! The tree of product categories: `GET /categories`, a bare array.

use actix_web::{HttpResponse, web};

use super::not_found;
use crate::seed;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/categories").route("", web::get().to(list_categories)).default_service(web::to(not_found)),
    );
}

async fn list_categories() -> HttpResponse {
    HttpResponse::Ok().json(seed::categories())
}
