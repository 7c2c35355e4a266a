//! `/chaos`: rules and journals over HTTP, for tests and people outside this process.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::{Chaos, ChaosError, Rule};
use crate::part::Part;

/// The endpoints under `/chaos`. They need the [`Chaos`] as application data.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/chaos")
            .route("", web::get().to(list_rules))
            .route("", web::delete().to(clear_rules))
            .route("/calls/{service}", web::get().to(list_calls))
            .route("/calls/{service}", web::delete().to(clear_calls))
            .route("/{service}", web::put().to(replace_rules))
            .route("/{service}", web::delete().to(delete_rules)),
    );
}

async fn list_rules(chaos: web::Data<Chaos>) -> HttpResponse {
    HttpResponse::Ok().json(chaos.rules())
}

async fn clear_rules(chaos: web::Data<Chaos>) -> HttpResponse {
    chaos.clear();
    HttpResponse::NoContent().finish()
}

async fn replace_rules(chaos: web::Data<Chaos>, service: web::Path<String>, body: web::Bytes) -> HttpResponse {
    match serde_json::from_slice::<Vec<Rule>>(&body) {
        Ok(rules) => set(&chaos, &service, rules),
        Err(error) => refusal(StatusCode::BAD_REQUEST, &error),
    }
}

async fn delete_rules(chaos: web::Data<Chaos>, service: web::Path<String>) -> HttpResponse {
    set(&chaos, &service, Vec::new())
}

async fn list_calls(chaos: web::Data<Chaos>, service: web::Path<String>) -> HttpResponse {
    match Part::parse(&service) {
        Ok(part) => HttpResponse::Ok().json(chaos.calls(part.name())),
        Err(error) => refusal(StatusCode::NOT_FOUND, &error),
    }
}

async fn clear_calls(chaos: web::Data<Chaos>, service: web::Path<String>) -> HttpResponse {
    match Part::parse(&service) {
        Ok(part) => {
            chaos.clear_calls_of(part);
            HttpResponse::NoContent().finish()
        }
        Err(error) => refusal(StatusCode::NOT_FOUND, &error),
    }
}

fn set(chaos: &Chaos, service: &str, rules: Vec<Rule>) -> HttpResponse {
    match chaos.set(service, rules) {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(error @ ChaosError::UnknownPart(_)) => refusal(StatusCode::NOT_FOUND, &error),
        Err(error @ ChaosError::Rule { .. }) => refusal(StatusCode::BAD_REQUEST, &error),
    }
}

/// An error with its causes: whoever sets rules is its reader.
fn refusal(status: StatusCode, error: &dyn std::error::Error) -> HttpResponse {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    HttpResponse::build(status).json(json!({ "error": message }))
}
