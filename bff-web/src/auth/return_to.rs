//! Where to go after signing in: a local address, or nothing.
//!
//! Browsers, proxies and frameworks read odd addresses differently, and an open redirect lives in the difference. So what
//! is accepted is what all of them read alike: one slash, then a path that stays a path however often it is decoded.

use actix_web::HttpRequest;
use shared_lib::{pagination::QueryReader, problem::FieldError};
use url::Url;

/// The longest address, in bytes; it travels in a cookie.
const MAX_BYTES: usize = 1024;

/// How often a path is decoded in search of something else; one more than any chain of proxies would.
const MAX_DECODINGS: usize = 4;

/// A local address: a path that begins with one slash, perhaps a query and a fragment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ReturnTo(String);

impl Default for ReturnTo {
    /// The start page.
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl ReturnTo {
    /// Takes an address from outside. `None` for any that is not certainly a page of this site, or that is part of signing
    /// in and out itself.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES || !text.bytes().all(is_plain) {
            return None;
        }
        let path = text.split(['?', '#']).next().unwrap_or_default();
        if !stays_a_path(path) {
            return None;
        }
        // The last word has a parser that works as browsers do (WHATWG URL).
        let base = Url::parse("https://site.invalid/").ok()?;
        let resolved = base.join(text).ok()?;
        let is_local = resolved.origin() == base.origin() && !resolved.path().starts_with("//");
        (is_local && !resolved.path().starts_with("/api/auth/")).then(|| Self(text.to_owned()))
    }

    /// Where a navigation was going; the start page where that cannot be returned to.
    #[must_use]
    pub fn of_request(request: &HttpRequest) -> Self {
        request.uri().path_and_query().and_then(|target| Self::parse(target.as_str())).unwrap_or_default()
    }

    /// The parameter `returnTo`; the start page where there is none.
    pub fn from_query(query: &mut QueryReader<'_>) -> Self {
        let Some(text) = query.text("returnTo") else { return Self::default() };
        Self::parse(&text).unwrap_or_else(|| {
            query.reject(FieldError::query("returnTo", "must be a local path, such as /orders?page=1"));
            Self::default()
        })
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Printable ASCII but for the space and the backslash, which browsers take for a slash.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'\\'
}

fn stays_a_path(path: &str) -> bool {
    let mut path = path.as_bytes().to_vec();
    for _ in 0..MAX_DECODINGS {
        let is_path = path.first() == Some(&b'/') && path.get(1) != Some(&b'/');
        if !is_path || path.iter().any(|&byte| byte == b'\\' || byte.is_ascii_control()) {
            return false;
        }
        let decoded = decode(&path);
        if decoded == path {
            return true;
        }
        path = decoded;
    }
    false
}

/// Resolves percent-encoding (RFC 3986 section 2.1) once.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2)).flatten().and_then(hex);
        match escaped {
            Some(byte) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            None => {
                decoded.push(first);
                rest = after;
            }
        }
    }
    decoded
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses that must not be followed.
    pub(super) const REFUSED: &[&str] = &[
        "",
        "orders",
        "./orders",
        "https://evil.example/",
        "javascript:alert(1)",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "/%2fevil.example",
        "/%2Fevil.example",
        "/%5cevil.example",
        "/%5Cevil.example",
        "/%252fevil.example",
        "/%25255cevil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nLocation: https://evil.example",
        "/%09/evil.example",
        "/%0d%0aSet-Cookie:a=b",
        "/%00",
        "/orders\u{7f}",
        " /orders",
        "/ /evil.example",
        "/.//evil.example",
        "/..//evil.example",
        "/a/..//evil.example",
        "/%2e%2e//evil.example",
        "/\u{2215}evil.example",
        "/\u{ff0f}evil.example",
        "/api/auth/login",
        "/api/auth/logout?x=1",
        "/api/../api/auth/callback",
        "?//evil.example",
        "#//evil.example",
    ];

    /// Shows: W8
    #[test]
    fn only_local_paths_are_followed() {
        for text in REFUSED {
            assert_eq!(ReturnTo::parse(text), None, "{text:?}");
        }
        assert_eq!(ReturnTo::parse(&format!("/{}", "a".repeat(MAX_BYTES))), None, "it is too long");
    }

    #[test]
    fn pages_of_this_site_are_followed_as_they_were_given() {
        for text in [
            "/",
            "/orders",
            "/orders?page=1&sort=placedAt,desc#latest",
            "/search?q=a%2Fb&next=%2F%2Fnot-followed",
            "/caf%C3%A9",
            "/a//b",
            "/api/v2/dashboard",
            "/100%",
            "/orders/@me:1",
        ] {
            assert_eq!(ReturnTo::parse(text).as_ref().map(ReturnTo::as_str), Some(text));
        }
    }

    proptest::proptest! {
        /// Shows: W8
        #[test]
        fn whatever_is_followed_stays_here_however_often_it_is_decoded(
            text in "[/\\\\.%25fFcC:@?#;a-z\\t\\n ]{0,24}|/[/\\\\.%25fF0-9a-zA-Z?#:@]{0,24}|\\PC{0,40}",
        ) {
            let base = Url::parse("https://shop.example/deep/er").expect("an address");
            let Some(address) = ReturnTo::parse(&text) else { return Ok(()) };
            let mut reading = address.as_str().as_bytes().to_vec();
            for _ in 0..6 {
                let resolved = base.join(&String::from_utf8_lossy(&reading));
                proptest::prop_assert_eq!(resolved.map(|url| url.origin()), Ok(base.origin()), "{}", text);
                reading = decode(&reading);
            }
        }
    }
}
