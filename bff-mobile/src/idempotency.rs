//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): an app that lost an answer asks again with the same
//! key, and what it asked for happens once.
//!
//! This BFF keeps nothing. It hands a key on to the service that makes the effect, derived from the caller and the
//! route as well, so that two callers with the same key do not meet, and no caller can reach a key of another route.

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{StatusCode, header::HeaderMap},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use shared_lib::problem::{FieldError, Problem, ProblemKind};
use std::future::{Ready, ready};

use crate::context::Context;

/// The header.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// Bad request: the call needs an idempotency key.
pub static IDEMPOTENCY_KEY_REQUIRED: ProblemKind = ProblemKind {
    code: "idempotency-key-required",
    status: StatusCode::BAD_REQUEST,
    title: "The call needs an idempotency key",
    remedy: "Send a new random `Idempotency-Key` with each new intent, and the same one when asking again.",
};

/// Unprocessable content: the idempotency key was used for something else.
pub static IDEMPOTENCY_KEY_REUSED: ProblemKind = ProblemKind {
    code: "idempotency-key-reused",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The idempotency key was used for something else",
    remedy: "Send a new random `Idempotency-Key` for a new intent.",
};

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[&IDEMPOTENCY_KEY_REQUIRED, &IDEMPOTENCY_KEY_REUSED];

/// The key that goes to the service: the same for the same caller, route and key, and for nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedKey(String);

impl DerivedKey {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn new(subject: &str, method: &str, path: &str, key: &str) -> Self {
        let mut digest = Sha256::new();
        for part in ["bff-mobile", subject, method, path, key] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(URL_SAFE_NO_PAD.encode(digest.finalize()))
    }

    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let context = Context::of(request)?;
        let caller = context.require_caller()?;
        let key = read(request.headers())?;
        Ok(Self::new(&caller.subject, request.method().as_str(), request.path(), &key))
    }
}

/// The key without the quotes that the draft's syntax has and many clients leave out.
fn read(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY);
    let wrong = |detail: &str| Problem::validation(&[FieldError::header("Idempotency-Key", detail)]);
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(Problem::new(&IDEMPOTENCY_KEY_REQUIRED)),
        (Some(_), Some(_)) => return Err(wrong("must be given once")),
        (Some(value), None) => value.to_str().map(str::trim).unwrap_or_default(),
    };
    let key = value.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(value);
    let plain = key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    if key.is_empty() || key.len() > MAX_KEY_BYTES || !plain {
        return Err(wrong("must be 1 to 255 visible characters without quotes and backslashes"));
    }
    Ok(key.to_owned())
}

impl FromRequest for DerivedKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn read_all(values: &[&str]) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            let name = HeaderName::from_static(IDEMPOTENCY_KEY);
            headers.append(name, HeaderValue::from_str(value).expect("a header value"));
        }
        read(&headers).map_err(|problem| problem.kind().code)
    }

    /// Shows: M8
    #[test]
    fn a_quoted_key_is_the_same_key() {
        assert_eq!(read_all(&["\"8e03978e-40d5\""]), Ok("8e03978e-40d5".to_owned()));
        assert_eq!(read_all(&["8e03978e-40d5"]), Ok("8e03978e-40d5".to_owned()));
    }

    /// Shows: M8
    #[test]
    fn a_key_that_is_missing_or_wrong_is_refused() {
        assert_eq!(read_all(&[]), Err("idempotency-key-required"));
        let long = "k".repeat(256);
        for values in [&[""][..], &["\"\""], &["a b"], &["a\"b"], &["a", "a"], &[&long]] {
            assert_eq!(read_all(values), Err("validation-failed"), "{values:?}");
        }
    }

    /// Shows: M8
    #[test]
    fn the_key_that_goes_on_belongs_to_one_caller_and_one_route() {
        let key = DerivedKey::new("alice", "POST", "/v1/orders", "k");
        assert_eq!(key, DerivedKey::new("alice", "POST", "/v1/orders", "k"));
        for other in [
            DerivedKey::new("bob", "POST", "/v1/orders", "k"),
            DerivedKey::new("alice", "PUT", "/v1/orders", "k"),
            DerivedKey::new("alice", "POST", "/v1/order", "sk"),
            DerivedKey::new("alice", "POST", "/v1/orders", "l"),
        ] {
            assert_ne!(key, other);
        }
    }
}
