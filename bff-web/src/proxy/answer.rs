//! What a browser gets of a service's answer.
//!
//! Success and the service's own refusals (4xx) pass with their bodies: the app speaks this service's contract. What is
//! about this BFF and the service does not: a failure of it, a refused token, a redirect to somewhere else.

use actix_web::{
    HttpResponse,
    body::BoxBody,
    http::{
        StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, EXPIRES, HeaderMap, HeaderValue, LAST_MODIFIED, LOCATION,
            VARY,
        },
    },
};
use shared_lib::{
    downstream::Forwarded,
    problem::{Problem, kinds},
    server::TokenOwner,
};

use super::{headers, path};
use crate::settings::{ProxiedSettings, ProxyAccess};

/// What a service sends is shown and never run: not its script, not in a frame, and not as a page of this origin.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

/// The answer for the browser.
///
/// # Errors
/// `forbidden` where the service says so, `downstream-invalid-response` for a redirect that leads elsewhere.
pub(super) fn pass_on(route: &ProxiedSettings, forwarded: Forwarded) -> Result<HttpResponse, Problem> {
    let status = forwarded.status;
    let location = forwarded.location.as_deref().and_then(|location| own_address(location, route));
    if status == StatusCode::FORBIDDEN {
        return Err(Problem::new(&kinds::FORBIDDEN).extension("part", &route.downstream));
    }
    let leads_on = status.is_redirection() && status != StatusCode::NOT_MODIFIED;
    if (leads_on && location.is_none()) || status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        let problem = Problem::new(&kinds::DOWNSTREAM_INVALID_RESPONSE).extension("part", &route.downstream);
        return Err(problem.caused_by(format!("status {status} with an address elsewhere")));
    }
    let mut response = HttpResponse::new(status);
    let passed = response.headers_mut();
    for (name, value) in headers::of_response(&forwarded.headers, &route.response_headers) {
        passed.append(name, value);
    }
    passed.insert(CONTENT_SECURITY_POLICY, POLICY);
    if is_private(route) {
        keep_private(passed);
    }
    if let Some(location) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
        passed.insert(LOCATION, location);
    }
    // The text of a redirect repeats the address that it was written with.
    let body = if leads_on { BoxBody::new(()) } else { BoxBody::new(forwarded.body) };
    Ok(response.set_body(body))
}

/// Whether the answer may be about a user.
fn is_private(route: &ProxiedSettings) -> bool {
    let by_user = matches!(route.token, Some(TokenOwner::User | TokenOwner::UserOrClient));
    route.access != ProxyAccess::Public || by_user
}

/// Whatever the service thinks of its answer: nobody but this browser keeps it, and this one asks again.
fn keep_private(headers: &mut HeaderMap) {
    let can_ask = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    let control = if can_ask { "private, no-cache" } else { "no-store" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(control));
    headers.remove(EXPIRES);
    headers.append(VARY, HeaderValue::from_static("Cookie"));
}

/// Where an address below the downstream's is for browsers. `None` when it is not below this route.
fn own_address(location: &str, route: &ProxiedSettings) -> Option<String> {
    let (target, query) = match location.split_once('?') {
        Some((target, query)) => (target, Some(query)),
        None => (location, None),
    };
    let rest = target.strip_prefix(&route.rewrite)?;
    path::below(target, &route.rewrite)?;
    let own = format!("{}{rest}", route.path);
    Some(query.map_or_else(|| own.clone(), |query| format!("{own}?{query}")))
}
