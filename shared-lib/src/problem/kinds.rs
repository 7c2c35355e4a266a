//! The codes that every BFF can answer with. A BFF declares its own beside the code that answers with them.

use actix_web::http::StatusCode;

use super::ProblemKind;

/// Every kind of this module, in the order of its status; for documentation and tests.
pub static ALL: &[&ProblemKind] = &[
    &VALIDATION_FAILED,
    &MALFORMED_BODY,
    &UNAUTHENTICATED,
    &INSUFFICIENT_USER_AUTHENTICATION,
    &FORBIDDEN,
    &NOT_FOUND,
    &METHOD_NOT_ALLOWED,
    &NOT_ACCEPTABLE,
    &REQUEST_TIMEOUT,
    &CONFLICT,
    &GONE,
    &PAYLOAD_TOO_LARGE,
    &UNSUPPORTED_MEDIA_TYPE,
    &TOO_MANY_REQUESTS,
    &HEADERS_TOO_LARGE,
    &INTERNAL_ERROR,
    &DOWNSTREAM_ERROR,
    &DOWNSTREAM_INVALID_RESPONSE,
    &DOWNSTREAM_UNAVAILABLE,
    &DOWNSTREAM_TIMEOUT,
    &OVERLOADED,
    &SHUTTING_DOWN,
];

/// Bad request: the request is not valid.
pub static VALIDATION_FAILED: ProblemKind = ProblemKind {
    code: "validation-failed",
    status: StatusCode::BAD_REQUEST,
    title: "The request is not valid",
    remedy: "Correct every field listed in `errors`.",
};

/// Bad request: the request body cannot be read.
pub static MALFORMED_BODY: ProblemKind = ProblemKind {
    code: "malformed-body",
    status: StatusCode::BAD_REQUEST,
    title: "The request body cannot be read",
    remedy: "Send well-formed JSON of the documented shape.",
};

/// Unauthorized: authentication is required.
pub static UNAUTHENTICATED: ProblemKind = ProblemKind {
    code: "unauthenticated",
    status: StatusCode::UNAUTHORIZED,
    title: "Authentication is required",
    remedy: "Sign in, or send valid credentials.",
};

/// Unauthorized: a stronger or more recent sign-in is required (RFC 9470).
pub static INSUFFICIENT_USER_AUTHENTICATION: ProblemKind = ProblemKind {
    code: "insufficient-user-authentication",
    status: StatusCode::UNAUTHORIZED,
    title: "A stronger or more recent sign-in is required",
    remedy: "Sign in again as `acrValues` and `maxAge` ask, and repeat the request.",
};

/// Forbidden: this is not allowed.
pub static FORBIDDEN: ProblemKind = ProblemKind {
    code: "forbidden",
    status: StatusCode::FORBIDDEN,
    title: "This is not allowed",
    remedy: "Ask for the permission that the documentation names.",
};

/// Not found: there is nothing here.
pub static NOT_FOUND: ProblemKind = ProblemKind {
    code: "not-found",
    status: StatusCode::NOT_FOUND,
    title: "There is nothing here",
    remedy: "Check the address.",
};

/// Method not allowed: the method is not allowed here.
pub static METHOD_NOT_ALLOWED: ProblemKind = ProblemKind {
    code: "method-not-allowed",
    status: StatusCode::METHOD_NOT_ALLOWED,
    title: "The method is not allowed here",
    remedy: "Use a method that `Allow` lists.",
};

/// Not acceptable: no representation fits the Accept header.
pub static NOT_ACCEPTABLE: ProblemKind = ProblemKind {
    code: "not-acceptable",
    status: StatusCode::NOT_ACCEPTABLE,
    title: "No representation fits the Accept header",
    remedy: "Accept `application/json`.",
};

/// Request timeout: the request took too long to arrive.
pub static REQUEST_TIMEOUT: ProblemKind = ProblemKind {
    code: "request-timeout",
    status: StatusCode::REQUEST_TIMEOUT,
    title: "The request took too long to arrive",
    remedy: "Send the request again, faster.",
};

/// Conflict: the request conflicts with the present state.
pub static CONFLICT: ProblemKind = ProblemKind {
    code: "conflict",
    status: StatusCode::CONFLICT,
    title: "The request conflicts with the present state",
    remedy: "Read the resource again and decide anew.",
};

/// Gone: this is no longer available.
pub static GONE: ProblemKind = ProblemKind {
    code: "gone",
    status: StatusCode::GONE,
    title: "This is no longer available",
    remedy: "Move to the version that the documentation names.",
};

/// Payload too large: the request body is too large.
pub static PAYLOAD_TOO_LARGE: ProblemKind = ProblemKind {
    code: "payload-too-large",
    status: StatusCode::PAYLOAD_TOO_LARGE,
    title: "The request body is too large",
    remedy: "Send less than the documented limit.",
};

/// Unsupported media type: the media type is not supported.
pub static UNSUPPORTED_MEDIA_TYPE: ProblemKind = ProblemKind {
    code: "unsupported-media-type",
    status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
    title: "The media type is not supported",
    remedy: "Send `application/json`.",
};

/// Too many requests: too many requests.
pub static TOO_MANY_REQUESTS: ProblemKind = ProblemKind {
    code: "too-many-requests",
    status: StatusCode::TOO_MANY_REQUESTS,
    title: "Too many requests",
    remedy: "Wait for the time in `Retry-After`.",
};

/// Request header fields too large: the head of the request is too large (RFC 6585 section 5).
pub static HEADERS_TOO_LARGE: ProblemKind = ProblemKind {
    code: "headers-too-large",
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    title: "The head of the request is too large",
    remedy: "Send fewer or shorter headers, cookies included, and a shorter address.",
};

/// Internal server error: something went wrong on our side.
pub static INTERNAL_ERROR: ProblemKind = ProblemKind {
    code: "internal-error",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    title: "Something went wrong on our side",
    remedy: "Try again later; give support the `requestId`.",
};

/// Bad gateway: a service behind this one failed.
pub static DOWNSTREAM_ERROR: ProblemKind = ProblemKind {
    code: "downstream-error",
    status: StatusCode::BAD_GATEWAY,
    title: "A service behind this one failed",
    remedy: "Try again later; `part` names what is missing.",
};

/// Bad gateway: a service behind this one answered nonsense.
pub static DOWNSTREAM_INVALID_RESPONSE: ProblemKind = ProblemKind {
    code: "downstream-invalid-response",
    status: StatusCode::BAD_GATEWAY,
    title: "A service behind this one answered nonsense",
    remedy: "Tell support the `requestId`.",
};

/// Service unavailable: a service behind this one is not available.
pub static DOWNSTREAM_UNAVAILABLE: ProblemKind = ProblemKind {
    code: "downstream-unavailable",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "A service behind this one is not available",
    remedy: "Wait for the time in `Retry-After`.",
};

/// Gateway timeout: a service behind this one took too long.
pub static DOWNSTREAM_TIMEOUT: ProblemKind = ProblemKind {
    code: "downstream-timeout",
    status: StatusCode::GATEWAY_TIMEOUT,
    title: "A service behind this one took too long",
    remedy: "Try again later; `part` names what is missing.",
};

/// Service unavailable: the service is busy.
pub static OVERLOADED: ProblemKind = ProblemKind {
    code: "overloaded",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "The service is busy",
    remedy: "Wait for the time in `Retry-After`.",
};

/// Service unavailable: this instance is shutting down.
pub static SHUTTING_DOWN: ProblemKind = ProblemKind {
    code: "shutting-down",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "This instance is shutting down",
    remedy: "Send the request again; another instance will answer.",
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_in_kebab_case() {
        let codes: HashSet<_> = ALL.iter().map(|kind| kind.code).collect();
        assert_eq!(codes.len(), ALL.len());
        for code in codes {
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
        }
    }

    #[test]
    fn only_failures_have_codes() {
        for kind in ALL {
            assert!(kind.status.is_client_error() || kind.status.is_server_error(), "{}", kind.code);
        }
    }
}
