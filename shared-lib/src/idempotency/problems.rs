//! How a request is refused because of its key.

use actix_web::http::StatusCode;

use crate::problem::ProblemKind;

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[
    &IDEMPOTENCY_KEY_MISSING,
    &IDEMPOTENCY_KEY_INVALID,
    &IDEMPOTENCY_IN_FLIGHT,
    &IDEMPOTENCY_KEY_REUSED,
    &IDEMPOTENCY_UNAVAILABLE,
];

/// Bad request: a key is needed.
pub static IDEMPOTENCY_KEY_MISSING: ProblemKind = ProblemKind {
    code: "idempotency-key-missing",
    status: StatusCode::BAD_REQUEST,
    title: "An `Idempotency-Key` is needed",
    remedy: "Send `Idempotency-Key` with a new value for each operation, and the same value when you repeat one.",
};

/// Bad request: the key cannot be read.
pub static IDEMPOTENCY_KEY_INVALID: ProblemKind = ProblemKind {
    code: "idempotency-key-invalid",
    status: StatusCode::BAD_REQUEST,
    title: "The `Idempotency-Key` cannot be read",
    remedy: "Send the field once, with 1 to 255 printable ASCII characters, such as a UUID.",
};

/// Conflict: the operation is under way.
pub static IDEMPOTENCY_IN_FLIGHT: ProblemKind = ProblemKind {
    code: "idempotency-in-flight",
    status: StatusCode::CONFLICT,
    title: "The operation with this `Idempotency-Key` is under way",
    remedy: "Wait for the time in `Retry-After` and repeat the call; it then gets the answer of the first.",
};

/// Unprocessable: the key was used for something else.
pub static IDEMPOTENCY_KEY_REUSED: ProblemKind = ProblemKind {
    code: "idempotency-key-reused",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The `Idempotency-Key` was used with another body",
    remedy: "Repeat the call with the body of the first, or send a new key for a new operation.",
};

/// Service unavailable: what was done before cannot be looked up.
pub static IDEMPOTENCY_UNAVAILABLE: ProblemKind = ProblemKind {
    code: "idempotency-unavailable",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "It cannot be said whether the operation was done before",
    remedy: "Repeat the call with the same key after the time in `Retry-After`.",
};
