//! The `Link` field of a list (RFC 8288): the first page, the one before, the one after, and the last.

use actix_web::{HttpRequest, http::header::HeaderValue};
use shared_lib::pagination::PageResponse;
use url::form_urlencoded;

/// The links from this page of the list that the request asked for. They are relative to the origin and keep every other
/// parameter as it was given.
#[must_use]
pub fn of_page<T>(request: &HttpRequest, page: &PageResponse<T>) -> HeaderValue {
    write(request.path(), request.query_string(), u64::from(page.page), page.total_pages)
}

fn write(path: &str, query: &str, page: u64, total_pages: u64) -> HeaderValue {
    let last = total_pages.saturating_sub(1);
    let mut links = vec![link(path, query, 0, "first")];
    if page > 0 {
        // From beyond the end the way back leads to the last page that has something.
        links.push(link(path, query, (page - 1).min(last), "prev"));
    }
    if page < last {
        links.push(link(path, query, page + 1, "next"));
    }
    links.push(link(path, query, last, "last"));
    // Path and query are percent-encoded, so this is always a header's value.
    HeaderValue::try_from(links.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

fn link(path: &str, query: &str, page: u64, relation: &str) -> String {
    let mut target = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "page") {
        target.append_pair(&name, &value);
    }
    target.append_pair("page", &page.to_string());
    format!("<{path}?{}>; rel=\"{relation}\"", target.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(query: &str, page: u64, total_pages: u64) -> Vec<String> {
        let value = write("/products", query, page, total_pages);
        value.to_str().expect("text").split(", ").map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_page_in_the_middle_has_all_four() {
        let expected = [
            "</products?sort=price%2Cdesc&page=0>; rel=\"first\"",
            "</products?sort=price%2Cdesc&page=1>; rel=\"prev\"",
            "</products?sort=price%2Cdesc&page=3>; rel=\"next\"",
            "</products?sort=price%2Cdesc&page=4>; rel=\"last\"",
        ];
        assert_eq!(links("page=2&sort=price,desc", 2, 5), expected);
    }

    #[test]
    fn the_ends_lead_nowhere_beyond_themselves() {
        let relations = |page, total| {
            let links = links("", page, total);
            links.iter().filter_map(|link| link.split('"').nth(1)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(relations(0, 3), "first next last");
        assert_eq!(relations(2, 3), "first prev last");
        assert_eq!(relations(0, 1), "first last");
        assert_eq!(relations(0, 0), "first last");
        assert_eq!(links("", 9, 3)[1], "</products?page=2>; rel=\"prev\"");
    }

    #[test]
    fn no_parameter_can_end_the_target() {
        let links = links("search=%3E%3B%20rel%3D%22evil%22%2C%0d%0aX:%20y", 0, 1);
        assert_eq!(links.len(), 2, "{links:?}");
        assert_eq!(links[0], "</products?search=%3E%3B+rel%3D%22evil%22%2C%0D%0AX%3A+y&page=0>; rel=\"first\"");
    }
}
