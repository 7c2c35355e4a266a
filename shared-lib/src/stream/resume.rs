//! Where a client wants to go on from.
//!
//! A browser that reconnects by itself sends the id of the last event in `Last-Event-ID` (WHATWG HTML 9.2.4). A script that
//! makes a new `EventSource` cannot set headers, so it says it in the query, as `lastEventId`. When both are there the
//! header is the newer one: the query is that of the address which the browser connects to again and again.

use actix_web::{HttpRequest, http::header::HeaderName};

/// The header that a browser sends on reconnecting.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The query parameter of a client that is made anew.
pub const LAST_EVENT_ID_PARAMETER: &str = "lastEventId";

/// Digits of the largest id.
const MAX_DIGITS: usize = 20;

/// Where a client wants to go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// It has seen nothing: it wants what happens from now on.
    Now,
    /// It has seen everything up to this id; 0 when it has seen that nothing has happened yet.
    After(u64),
    /// It says something that is no id of ours. It begins from now, and is told that there is a gap: an error status
    /// would stop the browser's `EventSource` for good without saying why.
    Unreadable,
}

impl Resume {
    /// Reads the header, then the query. At most 20 digits are looked at.
    #[must_use]
    pub fn from_request(request: &HttpRequest) -> Self {
        if let Some(value) = request.headers().get(LAST_EVENT_ID) {
            return value.to_str().map_or(Self::Unreadable, Self::parse);
        }
        serde_urlencoded::from_str::<Vec<(String, String)>>(request.query_string())
            .unwrap_or_default()
            .iter()
            .find(|(name, _)| name == LAST_EVENT_ID_PARAMETER)
            .map_or(Self::Now, |(_, value)| Self::parse(value))
    }

    /// Reads an id: decimal digits only. Nothing at all means that there is none.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.is_empty() {
            return Self::Now;
        }
        let plain = text.len() <= MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten().map_or(Self::Unreadable, Self::After)
    }
}
