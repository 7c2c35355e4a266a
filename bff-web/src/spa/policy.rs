//! Content security policies: with a nonce for pages that this service serves, by hashes for a page that a CDN serves.

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use super::markup::{Element, inline_elements};

/// Where the nonce goes in a configured policy.
pub const NONCE: &str = "{nonce}";

/// The policy of a script that a browser may run as a worker, which takes its policy from the script's own answer.
pub(super) const OF_SCRIPTS: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether a configured policy can stand in a header.
#[must_use]
pub fn is_valid(policy: &str) -> bool {
    !policy.trim().is_empty() && policy.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// The source that would let scripts run that nobody vouched for, if the policy has one.
#[must_use]
pub fn unsafe_script_source(policy: &str) -> Option<&str> {
    let directives = policy.split(';').map(str::trim);
    let (mut scripts, mut fallback) = (None, None);
    for directive in directives {
        let (name, sources) = directive.split_once(' ').unwrap_or((directive, ""));
        match name.to_ascii_lowercase().as_str() {
            "script-src" => scripts = Some(sources),
            "default-src" => fallback = Some(sources),
            _ => {}
        }
    }
    let Some(sources) = scripts.or(fallback) else { return Some("any source, because there is no script-src") };
    let is_unsafe = |source: &&str| {
        let is_scheme = source.ends_with(':');
        *source == "*"
            || is_scheme
            || ["'unsafe-inline'", "'unsafe-eval'"].iter().any(|s| s.eq_ignore_ascii_case(source))
    };
    sources.split(' ').find(is_unsafe)
}

/// The policy of one answer.
pub(super) fn with_nonce(policy: &str, nonce: &str) -> String {
    policy.replace(NONCE, nonce)
}

/// The same policy for this page where somebody else serves it: the hashes of its inline scripts and styles stand where
/// the nonce was (CSP Level 3 section 8.4).
#[must_use]
pub fn by_hashes(policy: &str, html: &str) -> String {
    let nonce = format!("'nonce-{NONCE}'");
    let (mut scripts, mut styles) = (Vec::new(), Vec::new());
    for (element, content) in inline_elements(html) {
        let hash = format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(content)));
        let known = match element {
            Element::Script => &mut scripts,
            Element::Style => &mut styles,
        };
        if !known.contains(&hash) {
            known.push(hash);
        }
    }
    let directives = policy.split(';').map(|directive| {
        let name = directive.trim().split(' ').next().unwrap_or_default();
        let hashes = if name.starts_with("style-src") { &styles } else { &scripts };
        let sources = directive.trim().split(' ').flat_map(|source| {
            if source == nonce { hashes.iter().map(String::as_str).collect() } else { vec![source] }
        });
        sources.collect::<Vec<_>>().join(" ")
    });
    directives.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_any_script_run_is_found() {
        for (policy, expected) in [
            ("script-src 'self' 'nonce-{nonce}'; style-src 'unsafe-inline'", None),
            ("default-src 'self'", None),
            ("script-src 'self' 'UNSAFE-inline'", Some("'UNSAFE-inline'")),
            ("default-src *; script-src 'self'", None),
            ("default-src https:", Some("https:")),
            ("img-src 'self'", Some("any source, because there is no script-src")),
        ] {
            assert_eq!(unsafe_script_source(policy), expected, "{policy}");
        }
    }

    /// Shows: W15
    #[test]
    fn for_a_cdn_the_hashes_of_what_is_inline_stand_where_the_nonce_was() {
        let html =
            "<style>a{}</style><script src=\"main.js\"></script><script>alert(1)</script><script>alert(1)</script>";
        let policy = by_hashes("script-src 'self' 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'", html);
        assert_eq!(
            policy,
            "script-src 'self' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='; \
             style-src 'sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk='; img-src 'self'"
        );
    }
}
