//! A page as every list answers it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PageRequest;

/// One page of a list. The names are those of Spring Data's `Page`, which Angular components for tables expect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageResponse<T> {
    /// The elements of this page, in order.
    pub content: Vec<T>,
    /// The page's number; the first is 0.
    pub page: u32,
    /// Elements a page, after capping; the last page may hold fewer.
    pub size: u32,
    /// Elements in the whole list.
    pub total_elements: u64,
    /// Pages in the whole list.
    pub total_pages: u64,
    /// Whether no page comes before this one.
    pub first: bool,
    /// Whether no page comes after this one.
    pub last: bool,
}

impl<T> PageResponse<T> {
    /// A page with its place in the whole list worked out. A page beyond the end has no content and is the last.
    #[must_use]
    pub fn new(content: Vec<T>, request: &PageRequest, total_elements: u64) -> Self {
        let total_pages = total_elements.div_ceil(u64::from(request.size.max(1)));
        Self {
            content,
            page: request.page,
            size: request.size,
            total_elements,
            total_pages,
            first: request.page == 0,
            last: u64::from(request.page) + 1 >= total_pages,
        }
    }

    /// The same page with other elements.
    #[must_use]
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> PageResponse<U> {
        PageResponse {
            content: self.content.into_iter().map(each).collect(),
            page: self.page,
            size: self.size,
            total_elements: self.total_elements,
            total_pages: self.total_pages,
            first: self.first,
            last: self.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pagination::{Direction, Sort};

    fn asked(page: u32, size: u32) -> PageRequest {
        PageRequest { page, size, sort: Sort { field: "name", direction: Direction::Asc }, search: None }
    }

    #[test]
    fn the_ends_are_marked() {
        let marks = |page| {
            let page = PageResponse::new(vec![0], &asked(page, 10), 25);
            (page.first, page.last, page.total_pages)
        };
        assert_eq!(marks(0), (true, false, 3));
        assert_eq!(marks(1), (false, false, 3));
        assert_eq!(marks(2), (false, true, 3));
    }

    /// Shows: S1
    #[test]
    fn a_page_beyond_the_end_is_empty_and_the_last() {
        let page = PageResponse::<u8>::new(Vec::new(), &asked(7, 10), 25);
        assert!(page.content.is_empty() && page.last && !page.first);
    }

    #[test]
    fn an_empty_list_is_one_page_that_is_first_and_last() {
        let page = PageResponse::<u8>::new(Vec::new(), &asked(0, 10), 0);
        assert!(page.first && page.last);
        assert_eq!(page.total_pages, 0);
    }
}
