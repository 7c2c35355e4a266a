//! `[proxy.<name>]`: addresses that lead to a service as it is, without a screen of ours in between.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use actix_web::http::{Method, header::HeaderName};
use serde::Deserialize;
use shared_lib::{
    downstream::DownstreamsSettings,
    server::{Policy, Route, TokenOwner, caller, public, scopes},
    settings::{Findings, StringList, key},
};

use super::PROVIDER;
use crate::proxy::headers;

/// All proxied addresses by name.
pub type ProxySettings = BTreeMap<String, ProxiedSettings>;

/// The methods that can be let through.
const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What everything proxied stands below, so that an edge needs one rule and no page of the app is hidden.
const ROOT: &str = "/api/";

const MAX_TIMEOUT_MS: u64 = 600_000;
const MAX_BYTES: u64 = 1_073_741_824;

/// An address and everything below it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxiedSettings {
    /// The path that browsers use. It and whatever is below it is passed on.
    pub path: String,
    /// The methods that are passed on.
    pub methods: StringList,
    /// The downstream that it leads to.
    pub downstream: String,
    /// What stands in place of `path` below the downstream's address.
    #[serde(default)]
    pub rewrite: String,
    /// Who gets in.
    #[serde(default)]
    pub access: ProxyAccess,
    /// The scopes that the user must have been granted, all of them.
    #[serde(default)]
    pub scopes: StringList,
    /// Whose token goes along; the user's, or nobody's where anyone gets in.
    pub token: Option<TokenOwner>,
    /// Header fields of the request that are passed on beside those that always are.
    #[serde(default)]
    pub request_headers: StringList,
    /// Header fields of the answer that are passed on beside those that always are.
    #[serde(default)]
    pub response_headers: StringList,
    /// The largest body that is passed on to the service.
    #[serde(default = "defaults::max_request_bytes")]
    pub max_request_bytes: u64,
    /// The largest body that is passed on to the browser.
    #[serde(default = "defaults::max_response_bytes")]
    pub max_response_bytes: u64,
    /// The longest that one request may take, to the last byte of the answer.
    #[serde(default = "defaults::timeout_ms")]
    pub timeout_ms: u64,
    /// The scopes as policies take them. They are made once and never given back, like the program's own.
    #[serde(skip)]
    policy_scopes: OnceLock<&'static [&'static str]>,
}

/// Who gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyAccess {
    /// Whoever is signed in.
    #[default]
    Caller,
    /// Anyone.
    Public,
}

mod defaults {
    pub(super) fn max_request_bytes() -> u64 {
        1_048_576
    }
    pub(super) fn max_response_bytes() -> u64 {
        10_485_760
    }
    pub(super) fn timeout_ms() -> u64 {
        10_000
    }
}

impl ProxiedSettings {
    /// See [`ProxiedSettings::methods`]. Where there is a `GET` there is a `HEAD` (RFC 9110 section 9.3.2).
    #[must_use]
    pub fn parsed_methods(&self) -> Vec<Method> {
        let listed = |method: &Method| self.methods.iter().any(|name| name == method.as_str());
        METHODS
            .into_iter()
            .filter(|method| listed(method) || (*method == Method::HEAD && listed(&Method::GET)))
            .collect()
    }

    /// See [`ProxiedSettings::timeout_ms`].
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// What its route asks of a request.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let policy = match self.access {
            ProxyAccess::Public => public(),
            ProxyAccess::Caller if self.scopes.is_empty() => caller(),
            ProxyAccess::Caller => scopes(self.policy_scopes.get_or_init(|| {
                let all = self.scopes.iter().map(|scope| &*scope.clone().leak());
                all.collect::<Vec<_>>().leak()
            })),
        };
        // Bodies take as long as the network at the other end takes, which says nothing of the load here. The
        // downstream's bulkhead bounds how many there are.
        let policy = policy.deadline(self.timeout()).unlimited_concurrency();
        match self.token {
            Some(owner) => policy.token(owner),
            None => policy,
        }
    }

    /// Checks what types cannot. `prefix` is the section's path, `coded` are the program's own routes.
    fn audit(&self, prefix: &str, coded: &[Route], downstreams: &DownstreamsSettings, findings: &mut Findings) {
        let below_root = self.path.strip_prefix(ROOT).filter(|path| is_plain_path(path));
        let message = "must be /api/ and then segments of A-Z a-z 0-9 - . _ ~, without a slash at the end";
        findings.require(below_root.is_some(), key(prefix, "path"), message);
        let first = below_root.and_then(|path| path.split('/').next()).unwrap_or_default();
        let is_taken = coded
            .iter()
            .filter_map(|route| route.path.strip_prefix(ROOT)?.split('/').next())
            .any(|taken| taken.eq_ignore_ascii_case(first));
        findings.require(!is_taken, key(prefix, "path"), format!("{ROOT}{first} belongs to this service's own routes"));

        let known = |name: &String| METHODS.iter().any(|method| method.as_str() == name);
        let names = METHODS.map(|method| method.to_string()).join(", ");
        let is_list = !self.methods.is_empty() && self.methods.iter().all(known);
        findings.require(is_list, key(prefix, "methods"), format!("must list some of {names}"));

        // The provider's addresses are for this service alone: through them one could speak in its name.
        let is_service = self.downstream != PROVIDER && downstreams.contains_key(&self.downstream);
        findings.require(is_service, key(prefix, "downstream"), "must be one of [downstreams.*], and not the provider");

        let rewrite = self.rewrite.strip_prefix('/').filter(|path| is_plain_path(path));
        let message = "must be a slash and then segments of A-Z a-z 0-9 - . _ ~, without a slash at the end; or empty";
        findings.require(self.rewrite.is_empty() || rewrite.is_some(), key(prefix, "rewrite"), message);

        self.audit_policy(prefix, findings);
        for (name, list, is_allowed) in [
            ("request_headers", &self.request_headers, headers::may_be_sent as fn(&HeaderName) -> bool),
            ("response_headers", &self.response_headers, headers::may_be_answered),
        ] {
            for text in list.iter() {
                let allowed = HeaderName::try_from(text.as_str()).is_ok_and(|name| is_allowed(&name));
                let message = format!("{text:?} is no header field that can be passed on; names have no `_`");
                findings.require(allowed && !text.contains('_'), key(prefix, name), message);
            }
        }
        for (name, value) in
            [("max_request_bytes", self.max_request_bytes), ("max_response_bytes", self.max_response_bytes)]
        {
            findings.require(value <= MAX_BYTES, key(prefix, name), format!("must be from 0 to {MAX_BYTES}"));
        }
        let message = format!("must be from 1 to {MAX_TIMEOUT_MS}");
        findings.require((1..=MAX_TIMEOUT_MS).contains(&self.timeout_ms), key(prefix, "timeout_ms"), message);
    }

    fn audit_policy(&self, prefix: &str, findings: &mut Findings) {
        let is_public = self.access == ProxyAccess::Public;
        let message = "are for access = \"caller\": of anyone nothing is known";
        findings.require(!is_public || self.scopes.is_empty(), key(prefix, "scopes"), message);
        let needs_user = self.token == Some(TokenOwner::User);
        let message = "\"user\" is for access = \"caller\"; \"user-or-client\" may be meant";
        findings.require(!is_public || !needs_user, key(prefix, "token"), message);
        let is_ours = matches!(self.token, Some(TokenOwner::Client | TokenOwner::UserOrClient));
        let changes = self.parsed_methods().iter().any(|method| !method.is_safe());
        let message = "this service's own token on a route for anyone is for GET and HEAD only: with it anyone could change \
                       what this service may change";
        findings.require(!(is_public && is_ours && changes), key(prefix, "token"), message);
    }
}

/// Checks all of them, also against each other.
pub(super) fn audit(
    settings: &ProxySettings,
    coded: &[Route],
    downstreams: &DownstreamsSettings,
    findings: &mut Findings,
) {
    for (name, proxied) in settings {
        let prefix = key("proxy", name);
        proxied.audit(&prefix, coded, downstreams, findings);
        // Services may take a path in another case, or coded in another way, for the same: then the one with less
        // protection would lead to what the other one protects.
        let overlaps =
            |other: &ProxiedSettings| is_within(&other.path, &proxied.path) || is_within(&proxied.path, &other.path);
        let others = settings.iter().filter(|(other, _)| *other != name);
        for (other, _) in others.filter(|(_, other)| overlaps(other)) {
            findings.error(key(&prefix, "path"), format!("overlaps with proxy.{other}"));
        }
    }
}

fn is_within(inner: &str, outer: &str) -> bool {
    let (inner, outer) = (inner.to_ascii_lowercase(), outer.to_ascii_lowercase());
    inner.strip_prefix(&outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Segments that mean the same to whoever reads them.
fn is_plain_path(path: &str) -> bool {
    let is_plain = |segment: &str| {
        let is_dots = segment.bytes().all(|byte| byte == b'.');
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !is_dots && segment.bytes().all(is_unreserved)
    };
    path.split('/').all(is_plain)
}
