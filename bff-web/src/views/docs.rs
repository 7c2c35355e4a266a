//! The contract, for people and for machines. It is there in development, and in production where the settings say so.

use actix_web::{
    HttpResponse, get,
    http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    web,
};
use shared_lib::problem::{Problem, ProblemView, kinds};

use crate::api_docs::ApiDocs;

/// This documentation
#[utoipa::path(
    tag = "contract",
    responses(
        (status = 200, description = "A page for people", content_type = "text/html"),
        (status = 404, description = "It is turned off", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("")]
pub async fn get_docs(docs: web::Data<Option<ApiDocs>>) -> Result<HttpResponse, Problem> {
    let docs = docs.as_ref().as_ref().ok_or_else(|| Problem::new(&kinds::NOT_FOUND))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, docs.policy.as_str()))
        .body(docs.page.clone()))
}

/// This document
#[utoipa::path(
    tag = "contract",
    responses(
        (status = 200, description = "The OpenAPI document", content_type = "application/json"),
        (status = 404, description = "It is turned off", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/openapi.json")]
pub async fn get_openapi(docs: web::Data<Option<ApiDocs>>) -> Result<HttpResponse, Problem> {
    let docs = docs.as_ref().as_ref().ok_or_else(|| Problem::new(&kinds::NOT_FOUND))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(docs.document.clone()))
}
