//! How a request is refused: as a problem with a stable code. Those about the key itself carry the challenge that a 401
//! must have (RFC 9110 section 11.6.1).

use std::time::Duration;

use actix_web::http::{
    StatusCode,
    header::{HeaderValue, WWW_AUTHENTICATE},
};
use shared_lib::problem::{Problem, ProblemKind, kinds};

use super::credentials::CredentialsError;
use crate::keys::RingError;

const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"bff-partner\"");

/// Bad request: the credentials cannot be read.
pub static INVALID_CREDENTIALS: ProblemKind = ProblemKind {
    code: "invalid-credentials",
    status: StatusCode::BAD_REQUEST,
    title: "The credentials cannot be read",
    remedy: "Send the API key once: as `Authorization: Bearer` or as `X-API-Key`, not both.",
};

/// Unauthorized: the API key is not valid.
pub static INVALID_API_KEY: ProblemKind = ProblemKind {
    code: "invalid-api-key",
    status: StatusCode::UNAUTHORIZED,
    title: "The API key is not valid",
    remedy: "Check the key, and whether it has expired or was revoked; if in doubt, ask for a new one.",
};

/// Too many requests: too many keys that are not valid came from this address.
pub static TOO_MANY_INVALID_KEYS: ProblemKind = ProblemKind {
    code: "too-many-invalid-keys",
    status: StatusCode::TOO_MANY_REQUESTS,
    title: "Too many API keys that are not valid came from this address",
    remedy: "Stop repeating the call with this key; a valid key is let in at any time. `Retry-After` says when the next wrong one is told why.",
};

/// Forbidden: the API key lacks a scope.
pub static INSUFFICIENT_SCOPE: ProblemKind = ProblemKind {
    code: "insufficient-scope",
    status: StatusCode::FORBIDDEN,
    title: "The API key lacks a scope",
    remedy: "Ask for a key with the scopes that `scopes` lists.",
};

/// Forbidden: the API key may not be used from here.
pub static ADDRESS_NOT_ALLOWED: ProblemKind = ProblemKind {
    code: "address-not-allowed",
    status: StatusCode::FORBIDDEN,
    title: "The API key may not be used from this address",
    remedy: "Call from one of the networks that the key was made for, or have yours added.",
};

/// Service unavailable: API keys cannot be checked.
pub static KEY_CHECK_UNAVAILABLE: ProblemKind = ProblemKind {
    code: "key-check-unavailable",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "API keys cannot be checked at the moment",
    remedy: "Keep the key and wait for the time in `Retry-After`.",
};

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[
    &INVALID_CREDENTIALS,
    &INVALID_API_KEY,
    &TOO_MANY_INVALID_KEYS,
    &INSUFFICIENT_SCOPE,
    &ADDRESS_NOT_ALLOWED,
    &KEY_CHECK_UNAVAILABLE,
];

/// There is no key.
#[must_use]
pub fn missing() -> Problem {
    Problem::new(&kinds::UNAUTHENTICATED)
        .detail("Send an API key as `Authorization: Bearer` or as `X-API-Key`.")
        .header(WWW_AUTHENTICATE, CHALLENGE)
}

/// The credentials cannot be read.
#[must_use]
pub fn unreadable(error: CredentialsError) -> Problem {
    Problem::new(&INVALID_CREDENTIALS).caused_by(error)
}

/// The key is not let in. Why, is the same for all of them: it would tell a thief which keys to keep.
#[must_use]
pub fn refused() -> Problem {
    Problem::new(&INVALID_API_KEY).header(WWW_AUTHENTICATE, CHALLENGE)
}

/// The key is not let in, as many from the same address before it.
#[must_use]
pub fn refused_too_often(wait: Duration) -> Problem {
    Problem::new(&TOO_MANY_INVALID_KEYS).retry_after(wait)
}

/// It cannot be said what the key is worth.
#[must_use]
pub fn unavailable(error: RingError) -> Problem {
    Problem::new(&KEY_CHECK_UNAVAILABLE).retry_after(Duration::from_secs(1)).caused_by(error)
}

/// The key lacks one of these scopes.
#[must_use]
pub fn insufficient_scope(needed: &[&str]) -> Problem {
    Problem::new(&INSUFFICIENT_SCOPE).extension("scopes", needed)
}

/// The key may not be used from where the request comes from.
#[must_use]
pub fn address_not_allowed() -> Problem {
    Problem::new(&ADDRESS_NOT_ALLOWED)
}
