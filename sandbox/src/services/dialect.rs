//! How each service says that something is wrong. No two teams agree, and a BFF has to live with it.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};

use super::World;
use crate::part::Part;

/// An error in the shape of the service that the request is for.
pub(crate) fn error(request: &HttpRequest, status: StatusCode, code: &str, message: &str) -> HttpResponse {
    let part = Part::of_path(request.path()).unwrap_or(Part::Notifications);
    shaped(part, request, status, code, message)
}

/// An error with nothing to say but its status, in the shape of a part.
pub(crate) fn failure(part: Part, request: &HttpRequest, status: StatusCode) -> HttpResponse {
    let code = status.canonical_reason().unwrap_or("error").to_lowercase().replace([' ', '-'], "_");
    shaped(part, request, status, &code, "set by a fault rule")
}

fn shaped(part: Part, request: &HttpRequest, status: StatusCode, code: &str, message: &str) -> HttpResponse {
    let reason = status.canonical_reason().unwrap_or("Error");
    let body = match part {
        Part::Catalog => json!({ "error": { "code": code, "message": message } }),
        Part::Orders => spring(request, status, reason, message),
        Part::Accounts => json!({ "errorCode": code.to_uppercase(), "errorMessage": message }),
        Part::Promotions => json!({ "errors": [{ "code": code, "detail": message }] }),
        Part::Users | Part::Devices => {
            let problem =
                json!({ "type": "about:blank", "title": reason, "status": status.as_u16(), "detail": message });
            return HttpResponse::build(status).content_type("application/problem+json").body(problem.to_string());
        }
        Part::Provider => json!({ "error": "server_error", "error_description": message }),
        Part::Cart => json!({ "error": code, "error_description": message }),
        Part::Categories | Part::Support | Part::Notifications => json!({ "code": code, "message": message }),
    };
    HttpResponse::build(status).json(body)
}

/// The body of Spring Boot's `DefaultErrorAttributes`.
fn spring(request: &HttpRequest, status: StatusCode, reason: &str, message: &str) -> Value {
    let now = request.app_data::<web::Data<World>>().map(|world| world.now().to_string());
    json!({
        "timestamp": now,
        "status": status.as_u16(),
        "error": reason,
        "message": message,
        "path": request.path(),
    })
}
