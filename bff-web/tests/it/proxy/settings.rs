//! Which proxied routes nobody may start with, and how those that are well are shown.

use bff_web::{BffWeb, settings::WebSettings};
use shared_lib::{
    service::Bff,
    settings::{SettingsError, Sources, load},
};

const GOOD: [(&str, &str); 4] =
    [("PATH", "/api/files"), ("METHODS", "GET,POST"), ("DOWNSTREAM", "orders"), ("REQUEST_HEADERS", "x-tenant")];

fn loaded(changes: &[(&str, &str)]) -> Result<WebSettings, SettingsError> {
    let mut env: Vec<(String, String)> = Vec::new();
    for (name, value) in GOOD.iter().chain(changes) {
        let name =
            if name.contains("__") { format!("BFF_WEB__{name}") } else { format!("BFF_WEB__PROXY__FILES__{name}") };
        env.retain(|(known, _)| *known != name);
        env.push((name, (*value).to_owned()));
    }
    load::<WebSettings>(&Sources { file: None, env })
}

/// Shows: W14
#[test]
fn an_unsafe_proxied_route_keeps_the_service_from_starting() {
    for (changes, key) in [
        (&[("PATH", "/api/auth/more")][..], "path"),
        (&[("PATH", "/api/AUTH/more")], "path"),
        (&[("PATH", "/api/v2/orders/export")], "path"),
        (&[("PATH", "/api")], "path"),
        (&[("PATH", "/api/")], "path"),
        (&[("PATH", "/files")], "path"),
        (&[("PATH", "/api/files/")], "path"),
        (&[("PATH", "/api/../files")], "path"),
        (&[("PATH", "/api/files//a")], "path"),
        (&[("PATH", "/api/files/{id}")], "path"),
        (&[("PATH", "/api/%66iles")], "path"),
        (&[("METHODS", "")], "methods"),
        (&[("METHODS", "GET,TRACE")], "methods"),
        (&[("METHODS", "get")], "methods"),
        (&[("DOWNSTREAM", "nobody")], "downstream"),
        (&[("DOWNSTREAM", "provider"), ("DOWNSTREAMS__PROVIDER__URLS", "http://localhost:9000")], "downstream"),
        (&[("REWRITE", "v3")], "rewrite"),
        (&[("REWRITE", "/v3/")], "rewrite"),
        (&[("REWRITE", "/../admin")], "rewrite"),
        (&[("ACCESS", "public"), ("TOKEN", "user")], "token"),
        (&[("ACCESS", "public"), ("TOKEN", "client")], "token"),
        (&[("ACCESS", "public"), ("TOKEN", "user-or-client")], "token"),
        (&[("ACCESS", "public"), ("SCOPES", "a")], "scopes"),
        (&[("ACCESS", "everyone")], "access"),
        (&[("TOKEN", "mine")], "token"),
        (&[("REQUEST_HEADERS", "cookie")], "request_headers"),
        (&[("REQUEST_HEADERS", "Authorization")], "request_headers"),
        (&[("REQUEST_HEADERS", "x-forwarded-for")], "request_headers"),
        (&[("REQUEST_HEADERS", "x-user-id")], "request_headers"),
        (&[("REQUEST_HEADERS", "x_tenant")], "request_headers"),
        (&[("REQUEST_HEADERS", "transfer-encoding")], "request_headers"),
        (&[("RESPONSE_HEADERS", "set-cookie")], "response_headers"),
        (&[("RESPONSE_HEADERS", "access-control-allow-origin")], "response_headers"),
        (&[("RESPONSE_HEADERS", "content-security-policy")], "response_headers"),
        (&[("TIMEOUT_MS", "0")], "timeout_ms"),
        (&[("MAX_REQUEST_BYTES", "9999999999999")], "max_request_bytes"),
    ] {
        match loaded(changes) {
            Err(SettingsError::Invalid(findings)) => {
                let findings = findings.to_string();
                assert!(findings.contains(&format!("proxy.files.{key}")), "{changes:?}: {findings}");
            }
            Err(error) => panic!("{changes:?}: {error}"),
            Ok(_) => panic!("{changes:?} is taken"),
        }
    }
    assert!(loaded(&[]).is_ok());
}

/// Shows: W14
#[test]
fn routes_that_overlap_keep_the_service_from_starting() {
    for (other, is_taken) in
        [("/api/files/public", false), ("/api/FILES/x", false), ("/api/files", false), ("/api/filesystem", true)]
    {
        let other = [("PROXY__B__PATH", other), ("PROXY__B__METHODS", "GET"), ("PROXY__B__DOWNSTREAM", "cart")];
        assert_eq!(loaded(&other).is_ok(), is_taken, "{other:?}");
    }
}

#[test]
fn an_audience_is_of_a_service_that_there_is() {
    assert!(loaded(&[("OIDC__AUDIENCES__ORDERS", "orders-service")]).is_ok());
    for (name, value) in
        [("OIDC__AUDIENCES__NOBODY", "x"), ("OIDC__AUDIENCES__PROVIDER", "x"), ("OIDC__AUDIENCES__ORDERS", "")]
    {
        assert!(loaded(&[(name, value)]).is_err(), "{name}");
    }
}

/// Shows: W13, W14
#[test]
fn the_table_shows_proxied_routes_with_their_policy() {
    let settings =
        loaded(&[("SCOPES", "files:read,files:write"), ("TOKEN", "client"), ("TIMEOUT_MS", "3000")]).expect("valid");
    let table = BffWeb::routes_of(&settings).to_string();
    let shown: Vec<_> = table
        .lines()
        .filter(|line| line.contains("/api/files"))
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let policy = "scopes files:read files:write token client deadline 3000 ms no concurrency limit";
    let expected: Vec<_> = ["/api/files", "/api/files/{below:.*}"]
        .iter()
        .flat_map(|path| ["GET", "HEAD", "POST"].map(|method| format!("{method} {path} {policy}")))
        .collect();
    assert_eq!(shown, expected);
    assert!(BffWeb::routes().to_string().lines().all(|line| line.contains("  token ")), "so do all others");
}
