//! Pages of other origins that may call the API: those of a development server, each by its name, never in production.

use actix_cors::Cors;

use crate::settings::CorsSettings;

/// How long a browser remembers what it may do, in seconds.
const MAX_AGE_SECONDS: usize = 600;

/// The middleware for these origins.
pub(crate) fn cors(settings: &CorsSettings) -> Cors {
    let cors = settings.allowed_origins.iter().fold(Cors::default(), |cors, origin| cors.allowed_origin(origin));
    cors.supports_credentials()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([
            "accept",
            "content-type",
            "idempotency-key",
            "if-match",
            "if-none-match",
            "last-event-id",
            "x-app-version",
            "x-request-id",
            "x-xsrf-token",
        ])
        .expose_headers(["deprecation", "etag", "link", "location", "retry-after", "sunset", "x-request-id"])
        .max_age(MAX_AGE_SECONDS)
        // Our own pages name their origin too; whether a request may do something is for the CSRF check to say.
        .block_on_origin_mismatch(false)
}
