//! Requests for a part of a file (RFC 9110 section 14), such as a player's that jumps within a film.

use std::ops;

use actix_web::http::{
    StatusCode,
    header::{CONTENT_RANGE, HeaderMap, HeaderValue, IF_RANGE},
};
use shared_lib::{
    conditional::EntityTag,
    problem::{Problem, ProblemKind},
};

/// Range not satisfiable: the file does not have that part.
pub static RANGE_NOT_SATISFIABLE: ProblemKind = ProblemKind {
    code: "range-not-satisfiable",
    status: StatusCode::RANGE_NOT_SATISFIABLE,
    title: "The file does not have that part",
    remedy: "`Content-Range` says how long it is.",
};

/// What is asked for of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// These bytes.
    Part(ops::Range<usize>),
    /// Nothing that there is.
    Nothing,
}

/// The part that `asked` means; none where the whole file is the answer: several parts, a unit or syntax that is not
/// known (section 14.2 lets them be ignored), or an `If-Range` of something else than this file.
pub(super) fn of(asked: &HeaderValue, headers: &HeaderMap, tag: &EntityTag, length: usize) -> Option<Range> {
    if let Some(condition) = headers.get(IF_RANGE) {
        let known = condition.to_str().ok().and_then(EntityTag::parse);
        if !known.is_some_and(|known| known.matches_strongly(tag)) {
            return None;
        }
    }
    let (first, last) = asked.to_str().ok()?.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // One that is too large to be read is beyond every end.
        is_number.then(|| text.parse().unwrap_or(usize::MAX))
    };
    let part = if first.is_empty() {
        length.saturating_sub(number(last)?)..length
    } else {
        let (first, last) = (number(first)?, if last.is_empty() { usize::MAX } else { number(last)? });
        if last < first {
            return None;
        }
        first..last.saturating_add(1).min(length)
    };
    Some(if part.start < part.end { Range::Part(part) } else { Range::Nothing })
}

/// The refusal for a file of this length.
pub(super) fn not_satisfiable(length: usize) -> Problem {
    let problem = Problem::new(&RANGE_NOT_SATISFIABLE);
    match HeaderValue::try_from(format!("bytes */{length}")) {
        Ok(value) => problem.header(CONTENT_RANGE, value),
        Err(error) => problem.caused_by(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(asked: &'static str, condition: Option<&'static str>) -> Option<Range> {
        let condition = condition.map(|condition| (IF_RANGE, HeaderValue::from_static(condition)));
        let tag = EntityTag::parse("\"a\"").expect("a tag");
        of(&HeaderValue::from_static(asked), &condition.into_iter().collect(), &tag, 10)
    }

    #[test]
    fn a_range_is_read_as_the_rfc_writes_it() {
        for (asked, expected) in [
            ("bytes=0-3", Some(Range::Part(0..4))),
            ("bytes=7-", Some(Range::Part(7..10))),
            ("bytes=-2", Some(Range::Part(8..10))),
            ("bytes=-20", Some(Range::Part(0..10))),
            ("bytes=5-99999999999999999999999", Some(Range::Part(5..10))),
            ("bytes=10-", Some(Range::Nothing)),
            ("bytes=99999999999999999999999-", Some(Range::Nothing)),
            ("bytes=-0", Some(Range::Nothing)),
            ("bytes=3-2", None),
            ("bytes=0-1,3-4", None),
            ("bytes=a-b", None),
            ("bytes=-", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(part(asked, None), expected, "{asked}");
        }
    }

    #[test]
    fn a_part_of_another_version_is_not_given() {
        assert_eq!(part("bytes=0-3", Some("\"a\"")), Some(Range::Part(0..4)));
        for condition in ["\"b\"", "W/\"a\"", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(part("bytes=0-3", Some(condition)), None, "{condition}");
        }
    }
}
