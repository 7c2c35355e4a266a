//! Comparing redirect URIs: exactly, but for the port of loopback addresses (RFC 8252, 7.3).
//!
//! The comparison is on text (RFC 6749, 3.1.2.3; RFC 9700, 4.1.3). Nothing is normalized, because what two
//! parsers normalize differently is how open redirects come about.

const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Whether `given` is the registered URI.
pub(crate) fn same_redirect(registered: &str, given: &str) -> bool {
    if registered == given {
        return true;
    }
    match (LoopbackUri::read(registered), LoopbackUri::read(given)) {
        (Some(registered), Some(given)) => registered == given,
        _ => false,
    }
}

/// A URI at a loopback address with its port left out.
#[derive(PartialEq, Eq)]
struct LoopbackUri<'a> {
    scheme: &'a str,
    host: &'a str,
    /// Path and query as they were given.
    rest: &'a str,
}

impl<'a> LoopbackUri<'a> {
    fn read(uri: &'a str) -> Option<Self> {
        let (scheme, after) = uri.split_once("://")?;
        if !matches!(scheme, "http" | "https") {
            return None;
        }
        let host = LOOPBACK_HOSTS.into_iter().find(|host| after.starts_with(host))?;
        let after = &after[host.len()..];
        let rest = match after.strip_prefix(':') {
            None => after,
            Some(port_and_rest) => {
                let digits = port_and_rest.bytes().take_while(u8::is_ascii_digit).count();
                port_and_rest[..digits].parse::<u16>().ok()?;
                &port_and_rest[digits..]
            }
        };
        // Anything else behind the host is not this host: "localhost.evil.example", "localhost@evil.example".
        (rest.is_empty() || rest.starts_with('/')).then_some(Self { scheme, host, rest })
    }
}

/// The origin of an http(s) URI or the scheme of another one, as a source expression for `form-action` in a
/// content security policy. `None` when it cannot be one.
pub(crate) fn csp_source(uri: &str) -> Option<String> {
    let parsed = url::Url::parse(uri).ok()?;
    match parsed.scheme() {
        "http" | "https" => Some(parsed.origin().ascii_serialization()),
        scheme => Some(format!("{scheme}:")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_loopback_address_is_free_and_nothing_else_is() {
        let registered = "http://localhost/api/auth/callback";
        for good in ["http://localhost/api/auth/callback", "http://localhost:41231/api/auth/callback"] {
            assert!(same_redirect(registered, good), "{good}");
        }
        for bad in [
            "https://localhost/api/auth/callback",
            "http://127.0.0.1/api/auth/callback",
            "http://localhost:8080/api/auth/callback/",
            "http://localhost:8080/api/auth/callback?x=1",
            "http://localhost:8080@evil.example/api/auth/callback",
            "http://localhost@evil.example/api/auth/callback",
            "http://localhost.evil.example/api/auth/callback",
            "http://localhost:99999/api/auth/callback",
            "http://localhost:/api/auth/callback",
            "http://LOCALHOST/api/auth/callback",
            "http://localhost:80\\@evil.example/api/auth/callback",
            "//localhost/api/auth/callback",
            "",
        ] {
            assert!(!same_redirect(registered, bad), "{bad}");
        }
    }

    #[test]
    fn other_uris_are_compared_exactly() {
        assert!(same_redirect("https://shop.example/cb", "https://shop.example/cb"));
        assert!(!same_redirect("https://shop.example/cb", "https://shop.example:444/cb"));
        assert!(!same_redirect("com.trifront.app:/callback", "com.trifront.app:/callback/x"));
    }
}
