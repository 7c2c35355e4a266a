//! A JWS in compact serialization (RFC 7515 section 7.1), taken apart in the order that trusts least: first its
//! length, then its header, and its claims only once the signature has held.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Algorithm, TokenError, jwk::PublicKey, strict_json};

/// The longest token that is looked at, in bytes. Beyond it there is an attack or a mistake: header fields of 8 KiB
/// are refused by common proxies anyway.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A token whose signature has not been checked. Its header says which key and algorithm it claims; nothing else of it
/// can be read.
#[derive(Clone, Copy)]
pub struct Compact<'a> {
    header: &'a str,
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// What a header says that matters. Addresses of keys and keys in it (`jku`, `jwk`, `x5u`, `x5c`) are not even read: a
/// token does not choose the key that it is verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `alg`, which is one of those that exist here, not necessarily of those that are allowed.
    pub algorithm: Algorithm,
    /// `typ`, in lower case and without the prefix `application/` (RFC 7515 section 4.1.9).
    pub typ: Option<String>,
    /// `kid`.
    pub key_id: Option<String>,
}

impl<'a> Compact<'a> {
    /// Splits a token into its three parts.
    ///
    /// # Errors
    /// [`TokenError::TooLong`], [`TokenError::Malformed`].
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        Ok(Self { header, signed, payload, signature })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// [`TokenError::Malformed`], [`TokenError::Duplicate`], [`TokenError::Critical`] for any `crit` at all, and
    /// [`TokenError::Algorithm`] for an algorithm that can never be allowed.
    pub fn header(&self) -> Result<Header, TokenError> {
        let members = decode(self.header)?;
        if members.contains_key("crit") {
            return Err(TokenError::Critical);
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(TokenError::Malformed),
        };
        let algorithm = text("alg")?.ok_or(TokenError::Malformed)?;
        let typ = text("typ")?.map(str::to_ascii_lowercase);
        Ok(Header {
            algorithm: Algorithm::from_name(algorithm).ok_or(TokenError::Algorithm)?,
            typ: typ.map(|typ| typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)),
            key_id: text("kid")?.map(str::to_owned),
        })
    }

    /// Checks the signature and, if it holds, reads the claims.
    ///
    /// # Errors
    /// [`TokenError::Signature`]; [`TokenError::Malformed`] or [`TokenError::Duplicate`] for claims that are no object
    /// without duplicate names.
    pub fn verified_claims(&self, key: &PublicKey, algorithm: Algorithm) -> Result<Map<String, Value>, TokenError> {
        if !key.verify(algorithm, self.signed.as_bytes(), self.signature) {
            return Err(TokenError::Signature);
        }
        decode(self.payload)
    }
}

fn decode(part: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    strict_json::object(&bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_header(header: &str) -> String {
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header))
    }

    fn header_of(header: &str) -> Result<Header, TokenError> {
        let token = with_header(header);
        Compact::parse(&token)?.header()
    }

    #[test]
    fn a_header_says_algorithm_type_and_key() {
        let header = header_of(r#"{"alg":"ES256","typ":"application/AT+JWT","kid":"k1","x":1}"#);
        let expected =
            Header { algorithm: Algorithm::Es256, typ: Some("at+jwt".to_owned()), key_id: Some("k1".to_owned()) };
        assert_eq!(header, Ok(expected));
    }

    #[test]
    fn three_parts_are_needed() {
        for token in ["", ".", "a", "a.b", "a.b.c.d", "a.b.c.d.e"] {
            assert_eq!(Compact::parse(token).map(|_| ()), Err(TokenError::Malformed), "{token}");
        }
    }

    #[test]
    fn the_longest_token_is_bounded() {
        let token = format!("a.{}.c", "b".repeat(MAX_TOKEN_BYTES - 4));
        assert_eq!(token.len(), MAX_TOKEN_BYTES);
        assert!(Compact::parse(&token).is_ok());
        assert_eq!(Compact::parse(&format!("{token}c")).map(|_| ()), Err(TokenError::TooLong));
    }

    proptest! {
        /// Shows: M1
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let token = String::from_utf8_lossy(&bytes);
            if let Ok(token) = Compact::parse(&token) {
                let _ = token.header();
                let _ = decode(token.payload);
            }
        }

        /// Shows: M1
        #[test]
        fn random_headers_never_panic(header in r#"(\{("alg":"[A-Z0-9a-z]{0,6}",?)?("(typ|kid|crit)":("\PC{0,5}"|[0-9\[\]{}]{0,4}),?)*\}?|\PC{0,60})"#) {
            let _ = header_of(&header);
        }
    }
}
