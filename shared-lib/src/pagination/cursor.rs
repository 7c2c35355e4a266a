//! Walking through a whole list while it changes: from one place to the next, not from one number to the next.
//!
//! The number of a page counts from the beginning, so a row that is inserted or deleted before it shifts all that
//! follow: a walk by numbers meets rows twice and leaves others out. A cursor names the last row that was given by what
//! the list is sorted by and, among equals, by its id. What comes next is what stands behind that place, whatever has
//! happened before it: a row that is there throughout, with the same sort value, is met once.
//!
//! A cursor is opaque, so that what stands in it can change, and bound to its list, order, search and filters by a hash,
//! so that one of another list is noticed. It is not signed: whoever forges one reaches a place in a list of their own,
//! which they could also reach honestly. What is read from it is as little believed as anything else of a query.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderValue, LINK},
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

use super::{PageRequest, PageResponse, Sort, query::QueryReader};
use crate::problem::{FieldError, Problem, ProblemKind, kinds};

/// The parameter.
const CURSOR: &str = "cursor";

/// The version of the layout; a token of another cannot be read.
const VERSION: u8 = 1;

/// How much of the hash of what it is bound to stands in a token, in bytes. It notices mistakes, it stops nobody.
const BINDING: usize = 8;

/// The largest place, in bytes. With the rest of an address it stays within what servers and proxies take.
const MAX_PLACE_BYTES: usize = 1024;

/// Bad request: it was never a cursor of this service.
pub static CURSOR_MALFORMED: ProblemKind = ProblemKind {
    code: "cursor-malformed",
    status: StatusCode::BAD_REQUEST,
    title: "The cursor cannot be read",
    remedy: "Send `nextCursor` of an earlier answer as it is, or an empty `cursor` to begin anew.",
};

/// Bad request: it is a cursor of another list.
pub static CURSOR_MISMATCH: ProblemKind = ProblemKind {
    code: "cursor-mismatch",
    status: StatusCode::BAD_REQUEST,
    title: "The cursor belongs to another list, order or filter",
    remedy: "Send the `sort`, `search` and filters that the cursor came with, or an empty `cursor` to begin anew.",
};

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[&CURSOR_MALFORMED, &CURSOR_MISMATCH];

/// Where a row stands in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What the list is sorted by, as text.
    pub value: String,
    /// The row's id, which tells equals apart.
    pub id: String,
}

/// A stretch of a walk that was asked for, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// How many rows; 1 to [`MAX_PAGE_SIZE`](super::MAX_PAGE_SIZE).
    pub size: u32,
    /// The order.
    pub sort: Sort,
    /// The search text, trimmed and not empty.
    pub search: Option<String>,
    /// Behind which row it goes on; none at the beginning.
    pub after: Option<Place>,
    binding: [u8; BINDING],
}

/// One stretch of a list that is walked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CursorPage<T> {
    /// The elements, in order.
    pub content: Vec<T>,
    /// What to send as `cursor` for what comes next; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
    /// Whether there is more.
    pub has_more: bool,
}

/// A list in the form that was asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Listing<T> {
    /// A page by its number.
    Page(PageResponse<T>),
    /// A stretch by a cursor.
    Stretch(CursorPage<T>),
}

/// The query parameter of lists that can be walked through, for the OpenAPI documents.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct CursorParams {
    /// Walks through the list instead of turning pages, and is answered in another form: empty at the beginning, then
    /// `nextCursor` of the answer before, with the same `sort`, `search` and filters. `page` cannot stand beside it.
    #[param(max_length = 2048)]
    cursor: Option<String>,
}

/// Why a token is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenError {
    Malformed,
    Foreign,
}

impl QueryReader<'_> {
    /// Reads `cursor`, which asks for a walk instead of a page. Read it before the page, whose number cannot stand
    /// beside it.
    pub fn cursor(&mut self) -> Option<String> {
        let cursor = self.text(CURSOR)?;
        if self.text("page").is_some() {
            self.reject(FieldError::query("page", "cannot stand beside `cursor`"));
        }
        Some(cursor)
    }

    /// The walk that a cursor asks for. `list` tells the lists of a service apart, and `filters` are the values of the
    /// list's own filters. `can_be` says whether a place can be one of the list in this order; what it refuses reaches no
    /// service.
    pub fn walk(
        &mut self,
        cursor: &str,
        list: &str,
        page: &PageRequest,
        filters: &[Option<&str>],
        can_be: impl FnOnce(Sort, &Place) -> bool,
    ) -> Walk {
        let binding = binding(list, page, filters);
        let mut after = None;
        if !cursor.is_empty() {
            match decode(binding, cursor) {
                Ok(place) if can_be(page.sort, &place) => after = Some(place),
                Ok(_) | Err(TokenError::Malformed) => self.refuse(Problem::new(&CURSOR_MALFORMED)),
                Err(TokenError::Foreign) => self.refuse(Problem::new(&CURSOR_MISMATCH)),
            }
        }
        Walk { size: page.size, sort: page.sort, search: page.search.clone(), after, binding }
    }
}

impl Walk {
    /// How many rows to ask a service for that does not say whether there are more: one beyond those that are given.
    #[must_use]
    pub fn one_more(&self) -> u32 {
        self.size.saturating_add(1)
    }

    /// The answer with these rows, which stand behind [`Walk::after`] in its order. What is beyond the size is left out.
    ///
    /// # Errors
    /// `internal-error` when the last row's place has no room in a cursor.
    pub fn answer<T>(
        &self,
        mut rows: Vec<T>,
        has_more: bool,
        place: impl FnOnce(&T) -> Place,
    ) -> Result<CursorPage<T>, Problem> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let has_more = has_more || rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| has_more);
        let next_cursor = last.map(|last| encode(self.binding, &place(last))).transpose()?;
        Ok(CursorPage { has_more: next_cursor.is_some(), content: rows, next_cursor })
    }
}

impl<T> CursorPage<T> {
    /// The same stretch with other elements.
    #[must_use]
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> CursorPage<U> {
        let content = self.content.into_iter().map(each).collect();
        CursorPage { content, next_cursor: self.next_cursor, has_more: self.has_more }
    }

    /// `Link` to what comes next (RFC 8288): the request's own address with the next cursor.
    fn link(&self, request: &HttpRequest) -> Option<HeaderValue> {
        let next = self.next_cursor.as_deref()?;
        let others = form_urlencoded::parse(request.query_string().as_bytes()).filter(|(name, _)| name != CURSOR);
        let query =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(others).append_pair(CURSOR, next).finish();
        HeaderValue::try_from(format!("<{}?{query}>; rel=\"next\"", request.path())).ok()
    }
}

impl<T: Serialize> Listing<T> {
    /// The answer to a request for it.
    #[must_use]
    pub fn into_response(self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        if let Self::Stretch(stretch) = &self
            && let Some(link) = stretch.link(request)
        {
            response.insert_header((LINK, link));
        }
        response.json(self)
    }
}

fn binding(list: &str, page: &PageRequest, filters: &[Option<&str>]) -> [u8; BINDING] {
    let mut digest = Sha256::new();
    let order = [Some(list), Some(page.sort.field), Some(page.sort.direction.as_str()), page.search.as_deref()];
    for part in order.iter().chain(filters) {
        // With its length before it, no part can reach into the next, and none at all is not an empty one.
        digest.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        digest.update(part.unwrap_or_default());
    }
    let mut binding = [0; BINDING];
    binding.copy_from_slice(&digest.finalize()[..BINDING]);
    binding
}

/// Version, binding, the id's length in two bytes, the id, the value.
fn encode(binding: [u8; BINDING], place: &Place) -> Result<String, Problem> {
    let id = u16::try_from(place.id.len()).ok().filter(|_| place.id.len() + place.value.len() <= MAX_PLACE_BYTES);
    let id = id.ok_or_else(|| {
        Problem::new(&kinds::INTERNAL_ERROR).caused_by("a row's sort value and id have no room in a cursor")
    })?;
    let mut bytes = vec![VERSION];
    bytes.extend(binding);
    bytes.extend(id.to_be_bytes());
    bytes.extend(place.id.as_bytes());
    bytes.extend(place.value.as_bytes());
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn decode(bound_to: [u8; BINDING], token: &str) -> Result<Place, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| TokenError::Malformed)?;
    let (head, place) = bytes.split_at_checked(1 + BINDING + 2).ok_or(TokenError::Malformed)?;
    if head[0] != VERSION || place.len() > MAX_PLACE_BYTES {
        return Err(TokenError::Malformed);
    }
    let id_bytes = u16::from_be_bytes([head[1 + BINDING], head[2 + BINDING]]);
    let (id, value) = place.split_at_checked(usize::from(id_bytes)).ok_or(TokenError::Malformed)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| TokenError::Malformed);
    let place = Place { value: text(value)?, id: text(id)? };
    if head[1..=BINDING] == bound_to { Ok(place) } else { Err(TokenError::Foreign) }
}

#[cfg(test)]
mod tests;
