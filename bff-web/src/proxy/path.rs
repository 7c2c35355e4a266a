//! Which path of a service a request is for.
//!
//! Browsers, proxies, frameworks and services read odd paths differently, and what one of them guards another can be made to
//! give away. So a path is taken apart into segments, each is decoded once, and what anybody could decode again, or take for
//! more than one segment, is refused. What is sent is put together anew from the segments.

/// The segments below `prefix`, decoded. `None` for a path that is not certainly below it, or could be read in another way.
pub(super) fn below(path: &str, prefix: &str) -> Option<Vec<String>> {
    let rest = path.strip_prefix(prefix)?;
    let Some(rest) = rest.strip_prefix('/') else { return rest.is_empty().then(Vec::new) };
    let mut segments = Vec::new();
    let mut parts = rest.split('/').peekable();
    while let Some(part) = parts.next() {
        // A slash at the end is one way of naming a resource; two in a row are not.
        if part.is_empty() && parts.peek().is_some() {
            return None;
        }
        segments.push(segment(part)?);
    }
    Some(segments)
}

/// One segment, decoded.
fn segment(part: &str) -> Option<String> {
    let decoded = decode(part)?;
    // Percent signs are left by double encoding. Some servers cut `;` and what follows off, which makes `..;` two dots.
    let is_odd = |character: char| character.is_control() || matches!(character, '/' | '\\' | '%' | ';' | '?' | '#');
    let is_dots = !decoded.is_empty() && decoded.chars().all(|character| character == '.' || character == ' ');
    (!is_dots && !decoded.chars().any(is_odd)).then_some(decoded)
}

/// Resolves percent-encoding once (RFC 3986 section 2.1). What is not encoded must be a character that paths have as it is,
/// and the whole must be UTF-8, of which no character has a second way of being written.
fn decode(part: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = if first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            decoded.push(hex(digits[0])? << 4 | hex(digits[1])?);
            after
        } else {
            if !is_path_character(first) {
                return None;
            }
            decoded.push(first);
            after
        };
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// `pchar` of RFC 3986 section 3.3, but for `;`.
fn is_path_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    const PREFIX: &str = "/api/files";

    /// Shows: W14
    #[test]
    fn plain_paths_are_taken_apart() {
        let cases: [(&str, &[&str]); 7] = [
            ("/api/files", &[]),
            ("/api/files/", &[""]),
            ("/api/files/a/b.pdf", &["a", "b.pdf"]),
            ("/api/files/a/", &["a", ""]),
            ("/api/files/caf%C3%A9%20noir", &["caf\u{e9} noir"]),
            ("/api/files/a:b@c,d=e!$&'()*+~", &["a:b@c,d=e!$&'()*+~"]),
            ("/api/files/.hidden/..two/three...", &[".hidden", "..two", "three..."]),
        ];
        for (path, segments) in cases {
            assert_eq!(
                below(path, PREFIX).as_deref(),
                Some(&segments.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
                "{path}"
            );
        }
    }

    /// Shows: W14
    #[test]
    fn what_could_be_read_in_another_way_is_refused() {
        for path in [
            "/api/filesystem",
            "/api/FILES/a",
            "/api/%66iles/a",
            "/api/files//a",
            "/api/files/a//",
            "/api/files//",
            "/api/files/.",
            "/api/files/..",
            "/api/files/../auth/logout",
            "/api/files/a/./b",
            "/api/files/a/../../b",
            "/api/files/...",
            "/api/files/%2e%2e/b",
            "/api/files/.%2E/b",
            "/api/files/%2e",
            "/api/files/a%2fb",
            "/api/files/a%2F..%2Fb",
            "/api/files/a%5cb",
            "/api/files/a\\b",
            "/api/files/%252e%252e/b",
            "/api/files/a%252fb",
            "/api/files/100%25",
            "/api/files/a%",
            "/api/files/a%2",
            "/api/files/a%zz",
            "/api/files/a%+2",
            "/api/files/..;/b",
            "/api/files/a;b=c",
            "/api/files/a%3bb",
            "/api/files/a%00",
            "/api/files/a%0d%0aX-Evil:1",
            "/api/files/a%09",
            "/api/files/a%7f",
            "/api/files/a%c2%85",
            "/api/files/%c0%af",
            "/api/files/%c0%ae%c0%ae",
            "/api/files/%e0%80%af",
            "/api/files/%ff",
            "/api/files/caf\u{e9}",
            "/api/files/a%3fb",
            "/api/files/a%23b",
            "/api/files/a b",
            "/api/files/%20..",
            "/api/files/a\"b",
        ] {
            assert_eq!(below(path, PREFIX), None, "{path}");
        }
    }

    proptest! {
        /// Shows: W14
        #[test]
        fn whatever_is_let_through_stays_below_the_address_of_the_service(
            tail in "(/|\\.|%2[eEfF]|2[ef]|%5[cC]|%25|;|[a-z]|%[0-9a-fA-F]{2}|\\PC){0,12}"
        ) {
            let Some(segments) = below(&format!("{PREFIX}/{tail}"), PREFIX) else { return Ok(()) };
            let mut url = Url::parse("http://service.internal/base/v3").expect("an address");
            url.path_segments_mut().expect("it has a path").extend(&segments);
            prop_assert_eq!(url.host_str(), Some("service.internal"));
            prop_assert!(url.path().starts_with("/base/v3/"), "{}", url);
            prop_assert!(url.query().is_none() && url.fragment().is_none());
            // As many segments as were meant, for a reader that decodes as often as it likes.
            let sent: Vec<_> = url.path().trim_start_matches("/base/v3/").split('/').map(str::to_owned).collect();
            prop_assert_eq!(sent.len(), segments.len());
            for (sent, meant) in sent.iter().zip(&segments) {
                prop_assert_eq!(decode_fully(sent), meant.as_str());
            }
        }

        /// Shows: W14
        #[test]
        fn no_path_makes_the_reader_panic(path in "\\PC{0,60}|[/%.;a-f0-9]{0,60}") {
            let _ = below(&path, PREFIX);
            let _ = below(&format!("{PREFIX}{path}"), PREFIX);
        }
    }

    /// As a server does that decodes until nothing changes any more.
    fn decode_fully(text: &str) -> String {
        let mut text = text.to_owned();
        loop {
            let mut bytes = Vec::new();
            let mut rest = text.as_bytes();
            while let Some((&first, after)) = rest.split_first() {
                let pair = after.get(..2).filter(|_| first == b'%');
                let value = pair.and_then(|pair| Some(hex(pair[0])? << 4 | hex(pair[1])?));
                bytes.push(value.unwrap_or(first));
                rest = if value.is_some() { &after[2..] } else { after };
            }
            let decoded = String::from_utf8(bytes).expect("UTF-8");
            if decoded == text {
                return text;
            }
            text = decoded;
        }
    }
}
