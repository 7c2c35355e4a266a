//! One pagination contract for every list: what comes in ([`PageParams`], [`PageSpec`], [`PageRequest`]) and what goes
//! out ([`PageResponse`]). A list that is walked through as a whole while it changes has a [cursor](Walk) beside it.
//!
//! A list states what it allows in a [`PageSpec`]; whatever a client sends is checked against it before anything is
//! asked of a downstream. A page size above the limit is capped, not refused, because a client that asks for too much
//! still gets a correct first page; everything else that is wrong is a 400 that lists every wrong field.

mod cursor;
mod query;
mod response;

use serde::Serialize;
use utoipa::{
    IntoParams,
    openapi::{Object, ObjectBuilder, Type},
};

pub use cursor::{CURSOR_MALFORMED, CURSOR_MISMATCH, CursorPage, CursorParams, KINDS, Listing, Place, Walk};
pub use query::{FromQuery, Query, QueryReader};
pub use response::PageResponse;

use crate::problem::FieldError;

/// The largest page anyone gets.
pub const MAX_PAGE_SIZE: u32 = 100;

/// The longest search text, in characters.
pub const MAX_SEARCH_CHARS: usize = 100;

/// What a list allows. One constant beside each list.
#[derive(Debug, Clone, Copy)]
pub struct PageSpec {
    /// The page size when none is asked for; 1 to [`MAX_PAGE_SIZE`].
    pub default_size: u32,
    /// The accepted values of `sort`, such as `name,asc`. The first is the default.
    pub sorts: &'static [&'static str],
    /// What happens to a `sort` that is not in the list.
    pub unknown_sort: UnknownSort,
}

/// What a list does with a `sort` that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownSort {
    /// Refuses it with the accepted values.
    Refuse,
    /// Takes the default instead; for contracts that were published so.
    UseDefault,
}

/// A page that was asked for, checked against its [`PageSpec`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The page's number; the first is 0.
    pub page: u32,
    /// Elements a page; 1 to [`MAX_PAGE_SIZE`].
    pub size: u32,
    /// The order.
    pub sort: Sort,
    /// The search text, trimmed and not empty.
    pub search: Option<String>,
}

impl PageRequest {
    /// How many elements come before this page. It fits: both factors are 32 bits wide.
    #[must_use]
    pub fn offset(&self) -> u64 {
        u64::from(self.page) * u64::from(self.size)
    }
}

/// An order by one field. The field is one of the spec's own constants, never the client's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The field's public name.
    pub field: &'static str,
    /// The direction.
    pub direction: Direction,
}

/// Ascending or descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

impl Direction {
    /// `asc` or `desc`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asc => "asc",
            Self::Desc => "desc",
        }
    }
}

impl Sort {
    /// Reads an entry of [`PageSpec::sorts`]: `field,asc` or `field,desc`; a field alone means ascending.
    #[must_use]
    pub fn from_allowed(entry: &'static str) -> Self {
        match entry.split_once(',') {
            Some((field, "desc")) => Self { field, direction: Direction::Desc },
            Some((field, _)) => Self { field, direction: Direction::Asc },
            None => Self { field: entry, direction: Direction::Asc },
        }
    }
}

/// The query parameters of every list, for the OpenAPI documents. [`QueryReader::page`] reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct PageParams {
    /// The page's number; the first is 0.
    #[param(schema_with = any_page)]
    page: Option<u32>,
    /// Elements a page. A larger value than 100 gets 100.
    #[param(schema_with = any_size)]
    size: Option<u32>,
    /// The order, as `field,asc` or `field,desc`; the operation lists the accepted values.
    sort: Option<String>,
    /// Text to search for; at most 100 characters.
    #[param(max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    search: Option<String>,
}

/// The schema of `size`. It has no upper end: a larger page than anyone gets may be asked for, and is cut.
#[must_use]
pub fn any_size() -> Object {
    let meaning = "Elements a page. A larger value than 100 gets 100.";
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).description(Some(meaning)).build()
}

/// The schema of `page`.
#[must_use]
pub fn any_page() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(u32::MAX))
        .default(Some(0.into()))
        .description(Some("The page's number; the first is 0."))
        .build()
}

/// The size that a text asks for, at most [`MAX_PAGE_SIZE`], however many digits it has.
fn size_of(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let size = if is_number { text.parse().unwrap_or(u64::MAX) } else { 0 };
    (size > 0).then(|| u32::try_from(size).unwrap_or(MAX_PAGE_SIZE).min(MAX_PAGE_SIZE))
}

impl QueryReader<'_> {
    /// Reads `page`, `size`, `sort` and `search`.
    pub fn page(&mut self, spec: &PageSpec) -> PageRequest {
        let page = self.parsed::<u32>("page", "a whole number from 0 to 4294967295").unwrap_or(0);
        let size = match self.text("size").map(|text| size_of(&text)) {
            None => spec.default_size,
            Some(Some(size)) => size,
            Some(None) => {
                self.reject(FieldError::query("size", "must be a whole number from 1"));
                spec.default_size
            }
        };
        PageRequest { page, size, sort: self.sort(spec), search: self.search() }
    }

    fn sort(&mut self, spec: &PageSpec) -> Sort {
        let default = spec.sorts.first().copied().unwrap_or("");
        let Some(asked) = self.text("sort") else { return Sort::from_allowed(default) };
        // A field alone means ascending, as Spring Data reads it.
        let wanted = if asked.contains(',') { asked } else { format!("{asked},asc") };
        let known = spec.sorts.iter().find(|allowed| **allowed == wanted);
        if known.is_none() && spec.unknown_sort == UnknownSort::Refuse {
            self.reject(
                FieldError::query("sort", "is not one of the accepted orders").allowing(spec.sorts.iter().copied()),
            );
        }
        Sort::from_allowed(known.copied().unwrap_or(default))
    }

    fn search(&mut self) -> Option<String> {
        let text = self.text("search")?;
        let text = text.trim();
        if text.chars().count() > MAX_SEARCH_CHARS {
            self.reject(FieldError::query("search", format!("must not be longer than {MAX_SEARCH_CHARS} characters")));
            return None;
        }
        if text.chars().any(char::is_control) {
            self.reject(FieldError::query("search", "must not contain control characters"));
            return None;
        }
        (!text.is_empty()).then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::problem::Problem;

    const SPEC: PageSpec = PageSpec {
        default_size: 20,
        sorts: &["name,asc", "name,desc", "price,desc"],
        unknown_sort: UnknownSort::Refuse,
    };

    fn read(query: &str) -> Result<PageRequest, Problem> {
        let mut reader = QueryReader::new(query);
        let page = reader.page(&SPEC);
        reader.finish().map(|()| page)
    }

    fn errors(query: &str) -> serde_json::Value {
        read(query).expect_err("it is refused").to_json(None)["errors"].clone()
    }

    #[test]
    fn nothing_asked_for_means_the_defaults() {
        let sort = Sort { field: "name", direction: Direction::Asc };
        assert_eq!(read("").expect("valid"), PageRequest { page: 0, size: 20, sort, search: None });
    }

    /// Shows: S1
    #[test]
    fn a_page_size_above_the_limit_is_capped() {
        assert_eq!(read("size=10000").expect("valid").size, 100);
        assert_eq!(read("size=18446744073709551615").expect("valid").size, 100);
    }

    /// Shows: S1
    #[test]
    fn a_number_that_overflows_is_refused_with_the_accepted_range() {
        assert_eq!(
            errors("page=99999999999999999999"),
            json!([{"location": "query", "field": "page", "detail": "must be a whole number from 0 to 4294967295"}])
        );
    }

    /// Shows: S1
    #[test]
    fn an_unknown_sort_is_refused_with_the_accepted_values() {
        assert_eq!(
            errors("sort=price;drop"),
            json!([{
                "location": "query",
                "field": "sort",
                "detail": "is not one of the accepted orders",
                "allowed": ["name,asc", "name,desc", "price,desc"]
            }])
        );
    }

    /// Shows: S1
    #[test]
    fn an_unknown_sort_takes_the_default_where_the_contract_says_so() {
        let spec = PageSpec { unknown_sort: UnknownSort::UseDefault, ..SPEC };
        let mut reader = QueryReader::new("sort=price%3Bdrop");
        assert_eq!(reader.page(&spec).sort, Sort { field: "name", direction: Direction::Asc });
        reader.finish().expect("nothing is refused");
    }

    #[test]
    fn every_wrong_field_is_listed_at_once() {
        let errors = errors("page=-1&size=0&sort=x&search=%00&colour=red");
        let fields: Vec<_> = errors.as_array().expect("a list").iter().map(|error| error["field"].clone()).collect();
        assert_eq!(fields, ["page", "size", "sort", "search", "colour"]);
    }

    /// Shows: S1
    #[test]
    fn a_search_is_bounded_in_length() {
        assert!(read(&format!("search={}", "a".repeat(100))).is_ok());
        assert!(read(&format!("search={}", "a".repeat(101))).is_err());
    }

    proptest! {
        /// Shows: S1
        #[test]
        fn whatever_is_asked_the_page_is_within_its_limits(query in "[a-z0-9=&%,;+-]{0,80}") {
            if let Ok(page) = read(&query) {
                prop_assert!((1..=MAX_PAGE_SIZE).contains(&page.size));
                let sort = format!("{},{}", page.sort.field, page.sort.direction.as_str());
                prop_assert!(SPEC.sorts.contains(&sort.as_str()));
            }
        }
    }
}
