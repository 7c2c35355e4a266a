//! The key as it is sent, and within what it is one's own.

use std::fmt;

use actix_web::http::header::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

use super::problems::{IDEMPOTENCY_KEY_INVALID, IDEMPOTENCY_KEY_MISSING};
use crate::problem::Problem;

/// The field.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key, in characters.
const MAX_CHARACTERS: usize = 255;

/// A client's name for one operation. The draft has it as a structured string (in double quotes); many clients send it
/// bare. Both are the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads the field.
    ///
    /// # Errors
    /// [`IDEMPOTENCY_KEY_MISSING`], [`IDEMPOTENCY_KEY_INVALID`].
    pub fn required(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY);
        let value = values.next().ok_or_else(|| Problem::new(&IDEMPOTENCY_KEY_MISSING))?;
        let key = if values.next().is_none() { value.to_str().ok().and_then(Self::parse) } else { None };
        key.ok_or_else(|| Problem::new(&IDEMPOTENCY_KEY_INVALID))
    }

    /// Reads a value: a string of RFC 9651 section 3.3.3, or the same characters without quotes.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim_matches([' ', '\t']);
        let text = match value.strip_prefix('"') {
            Some(quoted) => unescape(quoted.strip_suffix('"')?)?,
            None => value.to_owned(),
        };
        let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        let fits = (1..=MAX_CHARACTERS).contains(&text.len());
        (printable && fits).then_some(Self(text))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A quote and a backslash are written with a backslash before them, and nothing else is.
fn unescape(quoted: &str) -> Option<String> {
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(characters.next().filter(|next| matches!(next, '"' | '\\'))?),
            '"' => return None,
            character => text.push(character),
        }
    }
    Some(text)
}

/// What a key belongs to: the same key of another caller, or at another address, is another operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope([u8; 32]);

impl Scope {
    /// The scope of a request. `caller` must tell callers apart who may not see each other's operations.
    #[must_use]
    pub fn new(caller: &str, environment: &str, method: &str, path: &str, key: &IdempotencyKey) -> Self {
        let mut hash = Sha256::new();
        for piece in [caller, environment, method, path, key.as_str()] {
            // With its length before it, no piece can reach into the next.
            hash.update((piece.len() as u64).to_be_bytes());
            hash.update(piece);
        }
        Self(hash.finalize().into())
    }
}

/// 64 hexadecimal digits: the name of the operation in a store, and the key for the service that has the effect.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use actix_web::http::header::HeaderValue;

    use super::*;

    fn key(value: &str) -> Option<String> {
        IdempotencyKey::parse(value).map(|key| key.0)
    }

    /// Shows: P6
    #[test]
    fn quoted_and_bare_forms_are_the_same_key() {
        for value in ["k-1", "\"k-1\"", " k-1 ", "\t\"k-1\""] {
            assert_eq!(key(value).as_deref(), Some("k-1"), "{value:?}");
        }
        assert_eq!(key(r#""a\"b\\c""#).as_deref(), Some(r#"a"b\c"#));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let too_long = "x".repeat(256);
        for value in ["", " ", "\"\"", "\"", "\"a", r#""a"b""#, r#""a\b""#, r#""a\""#, "ä", "a\u{7f}", &too_long] {
            assert_eq!(key(value), None, "{value:?}");
        }
        assert!(key(&too_long[..255]).is_some());
    }

    /// Shows: P6
    #[test]
    fn the_field_must_be_there_once() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static(value));
            }
            IdempotencyKey::required(&headers).map(|key| key.0).map_err(|problem| problem.kind().code)
        };
        assert_eq!(of(&["k"]), Ok("k".to_owned()));
        assert_eq!(of(&[]), Err("idempotency-key-missing"));
        assert_eq!(of(&["k", "k"]), Err("idempotency-key-invalid"));
        assert_eq!(of(&["\"k"]), Err("idempotency-key-invalid"));
    }

    /// Shows: P6
    #[test]
    fn a_key_is_one_callers_in_one_environment_for_one_operation() {
        let k = IdempotencyKey::parse("k").expect("a key");
        let other = IdempotencyKey::parse("l").expect("a key");
        let scopes = [
            Scope::new("acme", "live", "POST", "/v1/orders", &k),
            Scope::new("bolt", "live", "POST", "/v1/orders", &k),
            Scope::new("acme", "test", "POST", "/v1/orders", &k),
            Scope::new("acme", "live", "PUT", "/v1/orders", &k),
            Scope::new("acme", "live", "POST", "/v1/order", &k),
            Scope::new("acme", "live", "POST", "/v1/orders", &other),
            Scope::new("acmelive", "", "POST", "/v1/orders", &k),
        ];
        let names: HashSet<_> = scopes.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), scopes.len());
        assert_eq!(Scope::new("acme", "live", "POST", "/v1/orders", &k), scopes[0]);
    }
}
