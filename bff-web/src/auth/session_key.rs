//! The keys that session cookies are signed with. `actix-session` knows one; this has it take cookies that a former key has
//! signed, by signing them anew on their way in.

use std::sync::Arc;

use actix_web::{
    body::MessageBody,
    cookie::{Cookie, CookieJar, Key},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{COOKIE, HeaderValue},
    middleware::Next,
};

/// The keys, the present one first, and the cookie that they sign. Cheap to clone.
#[derive(Clone)]
pub struct CookieKeys(Arc<Inner>);

struct Inner {
    present: Key,
    former: Vec<Key>,
    name: String,
}

impl CookieKeys {
    /// For the cookie of this name.
    pub(super) fn new(keys: &[[u8; 64]], name: String) -> Self {
        let mut keys = keys.iter().map(|key| Key::from(key));
        let present = keys.next().unwrap_or_else(Key::generate);
        Self(Arc::new(Inner { present, former: keys.collect(), name }))
    }

    /// The cookie that carries a session key, as a browser sends it back.
    #[must_use]
    pub fn pair(&self, session_key: &str) -> String {
        let mut jar = CookieJar::new();
        jar.signed_mut(&self.0.present).add(Cookie::new(self.0.name.clone(), session_key.to_owned()));
        jar.get(&self.0.name).map(|cookie| cookie.encoded().to_string()).unwrap_or_default()
    }

    /// The key that signs.
    pub(super) fn present(&self) -> Key {
        self.0.present.clone()
    }

    /// The middleware, outside of that of `actix-session`.
    ///
    /// # Errors
    /// Those of the services within.
    pub async fn accept_former(
        self,
        mut request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
        if !self.0.former.is_empty() {
            self.sign_anew(&mut request);
        }
        next.call(request).await
    }

    /// Changes the header itself, before anyone has read cookies from it.
    fn sign_anew(&self, request: &mut ServiceRequest) {
        let lines = request.headers().get_all(COOKIE).filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).map(str::trim).filter(|pair| !pair.is_empty());
        let mut changed = false;
        let pairs: Vec<String> = pairs
            .map(|pair| {
                let anew = self.resigned(pair);
                changed |= anew.is_some();
                anew.unwrap_or_else(|| pair.to_owned())
            })
            .collect();
        if let Some(line) = changed.then(|| HeaderValue::try_from(pairs.join("; "))).and_then(Result::ok) {
            request.headers_mut().insert(COOKIE, line);
        }
    }

    /// The pair with the present key's signature, if it has a former one's.
    fn resigned(&self, pair: &str) -> Option<String> {
        let shown = Cookie::parse_encoded(pair).ok().filter(|cookie| cookie.name() == self.0.name)?.into_owned();
        let mut jar = CookieJar::new();
        jar.add_original(shown);
        if jar.signed(&self.0.present).get(&self.0.name).is_some() {
            return None;
        }
        let genuine = self.0.former.iter().find_map(|key| jar.signed(key).get(&self.0.name))?;
        let mut jar = CookieJar::new();
        jar.signed_mut(&self.0.present).add(genuine);
        jar.get(&self.0.name).map(|cookie| cookie.encoded().to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(bytes: &[u8]) -> CookieKeys {
        let keys: Vec<_> = bytes.iter().map(|byte| [*byte; 64]).collect();
        CookieKeys::new(&keys, "session".to_owned())
    }

    fn signed(by: u8, value: &str) -> String {
        let mut jar = CookieJar::new();
        jar.signed_mut(&keys(&[by]).present()).add(Cookie::new("session", value.to_owned()));
        jar.get("session").map(|cookie| cookie.encoded().to_string()).unwrap_or_default()
    }

    /// Shows: W5
    #[test]
    fn only_what_a_former_key_signed_is_signed_anew() {
        let rotated = keys(&[2, 1]);
        assert_eq!(rotated.resigned(&signed(1, "key")), Some(signed(2, "key")));
        assert_eq!(rotated.resigned(&signed(2, "key")), None, "it has the present key's signature");
        assert_eq!(rotated.resigned(&signed(3, "key")), None, "nobody's signature");
        assert_eq!(rotated.resigned(&signed(1, "key").replace("session=", "other=")), None, "another cookie");
    }

    proptest! {
        #[test]
        fn nothing_else_is_signed(pair in "session=\\PC{0,80}|session=[A-Za-z0-9+/=%]{0,90}|\\PC{0,60}") {
            prop_assert_eq!(keys(&[2, 1]).resigned(&pair), None);
        }
    }
}
