//! What a service was asked: a bounded record of the calls that reached it.

use std::collections::{BTreeMap, VecDeque};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// A journal keeps this many calls, the newest.
pub const CAPACITY: usize = 10_000;

/// Header fields whose value is a credential: the journal says only that they were there.
const CREDENTIALS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

/// One call, recorded when it arrived, before any fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedCall {
    /// The HTTP method; `POST` for gRPC.
    pub method: String,
    /// The whole path.
    pub path: String,
    /// The query without `?`; empty when there is none.
    pub query: String,
    /// Header fields by lower-case name, several of one name joined by `, `. Of credentials only `present`.
    pub headers: BTreeMap<String, String>,
    /// `sub` as the access token claims it, not verified.
    pub subject: Option<String>,
    /// `client_id` as the access token claims it, not verified.
    pub client_id: Option<String>,
    /// When it arrived, RFC 3339.
    pub at: String,
}

/// The claims of a token that the journal tells.
#[derive(Deserialize, Default)]
struct Claims {
    sub: Option<String>,
    client_id: Option<String>,
}

impl RecordedCall {
    /// A record of a call with these header fields.
    pub(crate) fn new<'a>(
        method: &str,
        path: &str,
        query: &str,
        fields: impl Iterator<Item = (&'a str, &'a [u8])>,
        at: jiff::Timestamp,
    ) -> Self {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        let mut claims = Claims::default();
        for (name, value) in fields {
            let name = name.to_ascii_lowercase();
            let value = String::from_utf8_lossy(value);
            if name == "authorization" {
                claims = claims_of(&value).unwrap_or_default();
            }
            let value = if CREDENTIALS.contains(&name.as_str()) { "present" } else { &value };
            headers
                .entry(name)
                .and_modify(|known| {
                    known.push_str(", ");
                    known.push_str(value);
                })
                .or_insert_with(|| value.to_owned());
        }
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            subject: claims.sub,
            client_id: claims.client_id,
            at: at.to_string(),
        }
    }
}

/// What a bearer token claims. The journal records calls before anybody has verified them.
fn claims_of(authorization: &str) -> Option<Claims> {
    let (_, token) = authorization.split_once(' ')?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.trim().split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// The last [`CAPACITY`] calls to one service.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    calls: VecDeque<RecordedCall>,
}

impl Journal {
    pub(crate) fn record(&mut self, call: RecordedCall) {
        if self.calls.len() == CAPACITY {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    pub(crate) fn calls(&self) -> Vec<RecordedCall> {
        self.calls.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_journal_forgets_the_oldest_call() {
        let mut journal = Journal::default();
        for number in 0..=CAPACITY {
            let path = format!("/{number}");
            journal.record(RecordedCall::new("GET", &path, "", std::iter::empty(), jiff::Timestamp::UNIX_EPOCH));
        }
        let calls = journal.calls();
        assert_eq!((calls.len(), calls[0].path.as_str()), (CAPACITY, "/1"));
    }
}
