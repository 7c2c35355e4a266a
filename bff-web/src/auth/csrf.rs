//! Proof that our own page made a request (OWASP Cross-Site Request Forgery Prevention: signed double-submit cookie, and
//! Fetch Metadata in front of it).
//!
//! The token is an HMAC over the session's handle and a random value. It is in a cookie that script can read, and Angular's
//! HttpClient sends it back in a header by itself. A page of another site can neither read the cookie nor set the header.

use actix_web::{
    cookie::{Cookie, SameSite},
    http::{
        StatusCode,
        header::{HeaderMap, HeaderName, ORIGIN},
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use shared_lib::problem::{Problem, ProblemKind};

use super::random;

/// The cookie that script reads.
pub const COOKIE: &str = "XSRF-TOKEN";

/// The header that script sends it back in.
pub const HEADER: HeaderName = HeaderName::from_static("x-xsrf-token");

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const NONCE_BYTES: usize = 16;

/// What the token of someone who is not signed in is bound to.
const NOBODY: &str = "";

/// Forbidden: the request does not show that our own page made it.
pub static CSRF_FAILED: ProblemKind = ProblemKind {
    code: "csrf-failed",
    status: StatusCode::FORBIDDEN,
    title: "The request does not show that our own page made it",
    remedy: "Send the value of the cookie XSRF-TOKEN in the header X-XSRF-TOKEN, from a page of this origin.",
};

/// Makes and checks tokens.
pub(super) struct Csrf {
    /// The present one first; those that it replaced still check.
    macs: Vec<Hmac<Sha256>>,
    origin: String,
    /// Origins of development servers whose pages count as our own.
    other_origins: Vec<String>,
    secure: bool,
}

impl Csrf {
    /// `keys` has the present one first. `origin` is the public one, `other_origins` are those of development servers;
    /// `secure` says whether the public one is https.
    pub(super) fn new(keys: &[[u8; 64]], origin: String, other_origins: Vec<String>, secure: bool) -> Self {
        let macs = keys.iter().map(|key| Hmac::new(key.into())).collect();
        Self { macs, origin, other_origins, secure }
    }

    /// A cookie with a fresh token for the session with this handle, or for someone who is not signed in.
    pub(super) fn cookie(&self, handle: Option<&str>) -> Cookie<'static> {
        let nonce = random::bytes::<NONCE_BYTES>();
        let tag = self.macs.first().map(|mac| tag(mac, handle.unwrap_or(NOBODY), &nonce).finalize().into_bytes());
        let token = BASE64_URL_SAFE_NO_PAD.encode([&nonce[..], &tag.unwrap_or_default()].concat());
        // Readable by script on purpose, so not HttpOnly.
        Cookie::build(COOKIE, token).path("/").secure(self.secure).same_site(SameSite::Strict).finish()
    }

    /// Checks a request with an unsafe method of the session with this handle.
    ///
    /// # Errors
    /// [`CSRF_FAILED`].
    pub(super) fn check(&self, headers: &HeaderMap, handle: &str) -> Result<(), Problem> {
        if !self.is_from_own_page(headers) {
            return Err(Problem::new(&CSRF_FAILED).detail("The request comes from a page of another origin."));
        }
        let mut given = headers.get_all(HEADER);
        let token = given.next().filter(|_| given.next().is_none()).and_then(|value| value.to_str().ok());
        if token.is_some_and(|token| self.is_token_of(token, handle)) {
            Ok(())
        } else {
            Err(Problem::new(&CSRF_FAILED).detail("The header X-XSRF-TOKEN is missing or not that of this session."))
        }
    }

    /// What the browser says about where the request comes from: `Sec-Fetch-Site`, or `Origin` from one that does not know
    /// it. Every browser sends one of the two with an unsafe method; who sends neither is not our page.
    fn is_from_own_page(&self, headers: &HeaderMap) -> bool {
        let origin = headers.get(ORIGIN);
        if origin.is_some_and(|origin| self.other_origins.iter().any(|other| origin == other.as_str())) {
            return true;
        }
        match headers.get(SEC_FETCH_SITE) {
            Some(site) => site == "same-origin",
            None => origin.is_some_and(|origin| origin == self.origin.as_str()),
        }
    }

    fn is_token_of(&self, token: &str, handle: &str) -> bool {
        let Ok(bytes) = BASE64_URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((nonce, tag)) = bytes.split_at_checked(NONCE_BYTES) else { return false };
        // Compares in constant time.
        self.macs.iter().any(|mac| self::tag(mac, handle, nonce).verify_slice(tag).is_ok())
    }
}

/// The nonce has one length, so no two inputs give the same text.
fn tag(mac: &Hmac<Sha256>, handle: &str, nonce: &[u8]) -> Hmac<Sha256> {
    mac.clone().chain_update(nonce).chain_update(handle)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn csrf() -> Csrf {
        Csrf::new(&[[7; 64]], "https://shop.example".to_owned(), vec!["http://localhost:4200".to_owned()], true)
    }

    fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("the test's headers are well-formed");
        let mut headers = HeaderMap::new();
        for (name, text) in fields {
            headers.append(name.clone(), value(text));
        }
        headers
    }

    fn passes(fields: &[(HeaderName, &str)]) -> bool {
        csrf().check(&headers(fields), "session-a").is_ok()
    }

    /// Shows: W7
    #[test]
    fn a_token_is_good_for_its_own_session_only() {
        let own = csrf().cookie(Some("session-a"));
        let others = [csrf().cookie(Some("session-b")), csrf().cookie(None), csrf().cookie(Some("session-"))];
        assert!(passes(&[(SEC_FETCH_SITE, "same-origin"), (HEADER, own.value())]));
        for other in &others {
            assert!(!passes(&[(SEC_FETCH_SITE, "same-origin"), (HEADER, other.value())]));
        }
    }

    /// Shows: W7
    #[test]
    fn the_page_must_be_of_our_own_origin() {
        let own = csrf().cookie(Some("session-a"));
        let with = |fields: &[(HeaderName, &str)]| passes(&[fields, &[(HEADER, own.value())]].concat());
        assert!(with(&[(ORIGIN, "https://shop.example")]), "an older browser says Origin only");
        assert!(with(&[(SEC_FETCH_SITE, "same-origin"), (ORIGIN, "null")]), "Sec-Fetch-Site goes first");
        for site in ["same-site", "cross-site", "none", ""] {
            assert!(!with(&[(SEC_FETCH_SITE, site), (ORIGIN, "https://shop.example")]), "{site}");
        }
        for origin in ["https://shop.example.evil.example", "http://shop.example", "https://shop.example:444", "null"] {
            assert!(!with(&[(ORIGIN, origin)]), "{origin}");
        }
        assert!(!with(&[]), "neither is there");
    }

    /// Shows: W7
    #[test]
    fn a_token_that_is_missing_doubled_or_malformed_is_refused() {
        let own = csrf().cookie(Some("session-a"));
        let site = (SEC_FETCH_SITE, "same-origin");
        assert!(!passes(std::slice::from_ref(&site)));
        assert!(!passes(&[site.clone(), (HEADER, own.value()), (HEADER, own.value())]));
        for token in ["", "AAAA", "not base64!", &own.value()[..own.value().len() - 2]] {
            assert!(!passes(&[site.clone(), (HEADER, token)]), "{token}");
        }
    }

    proptest::proptest! {
        /// Shows: W7
        #[test]
        fn nothing_but_a_token_of_the_session_is_one(text in "\\PC{0,90}|[A-Za-z0-9_-]{60,70}|[\\x21-\\x7e]{0,80}") {
            let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) else { return Ok(()) };
            let mut headers = headers(&[(SEC_FETCH_SITE, "same-origin")]);
            headers.insert(HEADER, value);
            proptest::prop_assert!(csrf().check(&headers, "session-a").is_err());
        }

        /// Shows: W7
        #[test]
        fn a_token_with_any_bit_changed_is_none(place in 0_usize..48, bit in 0_u8..8) {
            let own = csrf().cookie(Some("session-a"));
            let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(own.value()).expect("a token");
            bytes[place] ^= 1 << bit;
            proptest::prop_assert!(!csrf().is_token_of(&BASE64_URL_SAFE_NO_PAD.encode(bytes), "session-a"));
        }
    }
}
