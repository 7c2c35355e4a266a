//! How a request is refused because of its key.

use actix_web::http::StatusCode;

use crate::problem::ProblemKind;

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[&IDEMPOTENCY_KEY_MISSING, &IDEMPOTENCY_KEY_INVALID];

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
