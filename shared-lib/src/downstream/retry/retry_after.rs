//! `Retry-After` (RFC 9110 section 10.2.3): a number of seconds, or a date.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// How long the service asks to wait, as seen at `now`; zero when its date has passed. Nothing when the value is neither a
/// number of seconds nor an HTTP date: then the header is as good as missing.
#[must_use]
pub fn parse_retry_after(value: impl AsRef<[u8]>, now: Timestamp) -> Option<Duration> {
    let text = std::str::from_utf8(value.as_ref()).ok()?.trim_ascii();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean "very long", not "unreadable".
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::from(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Option<Duration> {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a date");
        parse_retry_after(value, now)
    }

    /// Shows: S3
    #[test]
    fn retry_after_is_read_in_seconds_and_as_each_form_of_http_date() {
        assert_eq!(parse("120"), Some(Duration::from_secs(120)));
        assert_eq!(parse(" 0 "), Some(Duration::ZERO));
        let minute = Some(Duration::from_secs(60));
        assert_eq!(parse("Thu, 01 Jan 2026 00:01:00 GMT"), minute);
        assert_eq!(parse("Thursday, 01-Jan-26 00:01:00 GMT"), minute);
        assert_eq!(parse("Thu Jan  1 00:01:00 2026"), minute);
    }

    #[test]
    fn a_date_that_has_passed_asks_for_no_wait() {
        assert_eq!(parse("Wed, 31 Dec 2025 23:59:59 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_neither_seconds_nor_a_date_is_as_good_as_missing() {
        for value in ["", " ", "-1", "1.5", "soon", "+5", "5s", "\u{663}"] {
            assert_eq!(parse(value), None, "{value:?}");
        }
        assert_eq!(parse_retry_after([0xff, 0xfe], Timestamp::UNIX_EPOCH), None);
    }

    #[test]
    fn a_number_too_large_to_count_is_a_very_long_wait() {
        assert!(parse("99999999999999999999999") > Some(Duration::from_secs(1 << 40)));
    }
}
