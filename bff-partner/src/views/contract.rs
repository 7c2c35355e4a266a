//! The contract itself, for generators and for partners' own checks.

use actix_web::{
    HttpResponse, get,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web,
};
use utoipa::openapi::OpenApi;

use crate::openapi::Refusals;

/// The OpenAPI document as text. Made once a process.
pub struct Contract(String);

impl Contract {
    pub(crate) fn new(document: &OpenApi) -> Self {
        // The document is made of texts and lists, which JSON always has a form for.
        Self(document.to_pretty_json().unwrap_or_default())
    }
}

/// This document.
#[utoipa::path(
    tag = "contract",
    responses((status = 200, description = "The OpenAPI document", content_type = "application/json"), Refusals)
)]
#[get("/openapi.json")]
pub async fn get_contract(contract: web::Data<Contract>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(contract.0.clone())
}
