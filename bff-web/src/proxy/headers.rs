//! Which header fields pass, in either direction.
//!
//! A list of what must not pass is never complete: there are the fields that this service believes, those that some service
//! believes, those of the next proxy, and for each a second spelling that somebody takes for the first (`X_User` for
//! `X-User`). So there is a list of what may pass, by exact name; everything else stays here.

use actix_web::http::header::{self, HeaderMap, HeaderName};
use shared_lib::{
    problem::{FieldError, Problem},
    settings::StringList,
};

/// What a client may tell a service: what it sends, what it takes, and on which condition.
const REQUEST: [HeaderName; 13] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
    HeaderName::from_static("idempotency-key"),
];

/// Those of them that are lists, and may therefore be given in several lines (RFC 9110 section 5.3).
const LISTS: [HeaderName; 4] = [header::ACCEPT, header::ACCEPT_LANGUAGE, header::IF_MATCH, header::IF_NONE_MATCH];

/// What a service may tell a browser: what it sends, for how long it is good, and where one stands.
const RESPONSE: [HeaderName; 16] = [
    header::ACCEPT_RANGES,
    header::AGE,
    header::ALLOW,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::RETRY_AFTER,
    header::VARY,
    HeaderName::from_static("deprecation"),
    HeaderName::from_static("sunset"),
];

/// What no setting lets pass: credentials, what belongs to one connection, what says who or where somebody is, what makes
/// another request of this one, and what this service writes itself.
const NEVER_SENT: [&str; 28] = [
    "authorization",
    "baggage",
    "cf-connecting-ip",
    "connection",
    "content-length",
    "cookie",
    "dpop",
    "expect",
    "fastly-client-ip",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "origin",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-partner-id",
    "x-xsrf-token",
];

const NEVER_SENT_PREFIXES: [&str; 15] = [
    "proxy-",
    "sec-",
    "x-amzn-oidc-",
    "x-auth",
    "x-client-",
    "x-forwarded",
    "x-goog-",
    "x-ms-client-",
    "x-original-",
    "x-real-ip",
    "x-remote-",
    "x-request-",
    "x-rewrite-",
    "x-ssl-",
    "x-user",
];

/// What no setting lets back: what belongs to one connection, and what speaks for this origin.
const NEVER_ANSWERED: [&str; 25] = [
    "alt-svc",
    "authentication-info",
    "clear-site-data",
    "connection",
    "content-length",
    "content-location",
    "keep-alive",
    "link",
    "location",
    "nel",
    "permissions-policy",
    "public-key-pins",
    "referrer-policy",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "server",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "sourcemap",
    "te",
    "via",
    "www-authenticate",
    "x-accel-redirect",
];

const NEVER_ANSWERED_PREFIXES: [&str; 9] = [
    "access-control-",
    "content-security-policy",
    "cross-origin-",
    "proxy-",
    "strict-transport-",
    "trailer",
    "transfer-",
    "upgrade",
    "x-",
];

/// Fields that begin with `x-` and may be answered, because a service that counts pages or limits has no others.
const X_ANSWERED: [&str; 4] = ["x-total-count", "x-total-pages", "x-page-", "x-ratelimit-"];

/// Whether the configuration may have this field sent.
#[must_use]
pub(crate) fn may_be_sent(name: &HeaderName) -> bool {
    let name = name.as_str();
    !NEVER_SENT.contains(&name) && !NEVER_SENT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether the configuration may have this field answered.
#[must_use]
pub(crate) fn may_be_answered(name: &HeaderName) -> bool {
    let name = name.as_str();
    let is_harmless = X_ANSWERED.iter().any(|prefix| name.starts_with(prefix));
    let is_never =
        NEVER_ANSWERED.contains(&name) || NEVER_ANSWERED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    is_harmless || !is_never
}

/// The fields of a request that pass.
///
/// # Errors
/// `validation-failed` for a field that stands twice and is no list: readers differ in which one counts.
pub(super) fn of_request(headers: &HeaderMap, more: &StringList) -> Result<HeaderMap, Problem> {
    let passed = select(headers, &REQUEST, more, may_be_sent);
    let twice = passed.keys().find(|name| !LISTS.contains(name) && passed.get_all(*name).count() > 1);
    match twice {
        None => Ok(passed),
        Some(name) => Err(Problem::validation(&[FieldError::header(name.as_str(), "must stand once")])),
    }
}

/// The fields of an answer that pass.
pub(super) fn of_response(headers: &HeaderMap, more: &StringList) -> HeaderMap {
    select(headers, &RESPONSE, more, may_be_answered)
}

fn select(headers: &HeaderMap, usual: &[HeaderName], more: &StringList, may: fn(&HeaderName) -> bool) -> HeaderMap {
    let of_connection = of_connection(headers);
    let mut passed = HeaderMap::new();
    for (name, value) in headers {
        let is_listed = usual.contains(name) || more.iter().any(|listed| listed.eq_ignore_ascii_case(name.as_str()));
        if is_listed && may(name) && !of_connection.iter().any(|named| named == name.as_str()) {
            passed.append(name.clone(), value.clone());
        }
    }
    passed
}

/// What `Connection` names besides itself belongs to this connection (RFC 9110 section 7.6.1).
fn of_connection(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONNECTION).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    fn list(names: &[&str]) -> StringList {
        StringList::from(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    /// Shows: W14
    #[test]
    fn a_request_keeps_what_is_listed_and_nothing_of_who_or_where() {
        let headers = map(&[
            ("Accept", "text/csv"),
            ("Content-Type", "text/plain"),
            ("Cookie", "a=b"),
            ("Authorization", "Bearer x"),
            ("Connection", "keep-alive, X-Tenant, If-Match"),
            ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"),
            ("Upgrade", "websocket"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("Forwarded", "for=10.0.0.1"),
            ("X-User-Id", "root"),
            ("X_User_Id", "root"),
            ("Content_Type", "text/html"),
            ("If-Match", "\"1\""),
            ("X-Tenant", "a"),
            ("X-Trace-Level", "debug"),
        ]);
        let passed = of_request(&headers, &list(&["x-tenant", "X-Trace-Level"])).expect("nothing stands twice");
        assert_eq!(names(&passed), ["accept", "content-type", "x-trace-level"]);
    }

    /// Shows: W14
    #[test]
    fn a_field_that_stands_twice_is_refused_unless_it_is_a_list() {
        let twice = map(&[("Content-Type", "text/plain"), ("content-type", "application/json")]);
        assert!(of_request(&twice, &list(&[])).is_err());
        let lines = map(&[("Accept", "text/csv"), ("Accept", "text/plain")]);
        let passed = of_request(&lines, &list(&[])).expect("a list");
        assert_eq!(passed.get_all(header::ACCEPT).count(), 2);
    }

    /// Shows: W14
    #[test]
    fn an_answer_keeps_what_is_listed_and_nothing_that_speaks_for_this_origin() {
        let headers = map(&[
            ("Content-Type", "text/csv"),
            ("ETag", "\"1\""),
            ("Set-Cookie", "__Host-trifront-session=mine"),
            ("Location", "http://10.0.0.1/"),
            ("Access-Control-Allow-Origin", "*"),
            ("Content-Security-Policy", "script-src *"),
            ("Clear-Site-Data", "\"*\""),
            ("WWW-Authenticate", "Basic"),
            ("Server", "Tomcat/9"),
            ("X-Powered-By", "PHP"),
            ("Connection", "close, Retry-After"),
            ("Retry-After", "1"),
            ("X-Total-Count", "7"),
        ]);
        let passed = of_response(&headers, &list(&["x-total-count", "set-cookie", "x-powered-by"]));
        assert_eq!(names(&passed), ["content-type", "etag", "x-total-count"]);
    }

    proptest! {
        /// Whatever a setting lists, and however a name is written.
        /// Shows: W14
        #[test]
        fn no_spelling_of_a_refused_field_passes(
            index in 0..NEVER_SENT.len(),
            underscores in any::<bool>(),
            upper in any::<bool>(),
            suffix in "[a-z-]{0,8}",
        ) {
            let mut name = NEVER_SENT[index].to_owned();
            let prefixed = format!("{}{suffix}", NEVER_SENT_PREFIXES[index % NEVER_SENT_PREFIXES.len()]);
            if underscores { name = name.replace('-', "_"); }
            if upper { name = name.to_ascii_uppercase(); }
            let headers = map(&[(&name, "x"), (&prefixed, "y"), ("accept", "z")]);
            let configured = list(&[NEVER_SENT[index], &prefixed, "X-Tenant"]);
            let passed = of_request(&headers, &configured).expect("nothing stands twice");
            prop_assert_eq!(names(&passed), ["accept"]);
        }

        /// Shows: W14
        #[test]
        fn only_listed_names_pass(fields in prop::collection::vec(("[A-Za-z_-]{1,24}", "[ -~]{0,20}"), 0..20)) {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let headers = map(&fields);
            for passed in of_response(&headers, &list(&[])).keys() {
                prop_assert!(RESPONSE.contains(passed));
            }
            for passed in select(&headers, &REQUEST, &list(&[]), may_be_sent).keys() {
                prop_assert!(REQUEST.contains(passed));
            }
        }
    }
}
