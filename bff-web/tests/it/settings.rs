//! Settings that nobody may start with.

use bff_web::settings::WebSettings;
use shared_lib::settings::{SettingsError, Sources, load};

fn faults(variables: &[(&str, &str)]) -> String {
    let env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    match load::<WebSettings>(&Sources { file: None, env }) {
        Ok(_) => String::new(),
        Err(SettingsError::Invalid(findings)) => findings.to_string(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_built_in_settings_are_valid_for_development() {
    assert_eq!(faults(&[]), "");
}

/// Shows: W4
#[test]
fn production_refuses_what_is_only_safe_on_a_developers_machine() {
    let faults = faults(&[
        ("BFF_WEB__ENVIRONMENT", "production"),
        ("BFF_WEB__DOWNSTREAMS__PROVIDER__URLS", "http://id.internal:9000"),
    ]);
    for key in [
        "server.public_origin",
        "management.operator_token",
        "oidc.issuer",
        "oidc.client_secret",
        "session.key",
        "downstreams.provider.urls",
    ] {
        assert!(faults.contains(&format!("  {key}: ")), "{key} is not in:\n{faults}");
    }
}

#[test]
fn production_starts_with_settings_that_are_safe() {
    let safe = [
        ("BFF_WEB__ENVIRONMENT", "production"),
        ("BFF_WEB__SERVER__PUBLIC_ORIGIN", "https://shop.example"),
        ("BFF_WEB__MANAGEMENT__OPERATOR_TOKEN", "an operator's token of our own"),
        ("BFF_WEB__OIDC__ISSUER", "https://id.example"),
        ("BFF_WEB__OIDC__CLIENT_SECRET", "correct horse battery staple"),
        ("BFF_WEB__SESSION__KEY", "0f6f1c3b5a7d9e8c2b4a6d8f0e1c3b5a7d9e8c2b"),
    ];
    assert_eq!(faults(&safe), "");
}

/// Shows: W15, W16
#[test]
fn production_lets_no_page_of_another_origin_call_and_no_script_run_unasked() {
    let faults = faults(&[
        ("BFF_WEB__ENVIRONMENT", "production"),
        ("BFF_WEB__CORS__ALLOWED_ORIGINS", "http://localhost:4200"),
        ("BFF_WEB__SPA__CONTENT_SECURITY_POLICY", "script-src 'nonce-{nonce}' 'unsafe-inline'"),
    ]);
    for key in ["cors.allowed_origins", "spa.content_security_policy"] {
        assert!(faults.contains(&format!("  {key}: ")), "{key} is not in:\n{faults}");
    }
}

/// Shows: W16
#[test]
fn an_origin_that_may_call_is_named() {
    for origin in ["*", "http://*.example", "http://localhost:4200/", "localhost:4200", "null", "file:///x"] {
        let faults = faults(&[("BFF_WEB__CORS__ALLOWED_ORIGINS", origin)]);
        assert!(faults.contains("  cors.allowed_origins: "), "{origin}: {faults}");
    }
    assert_eq!(faults(&[("BFF_WEB__CORS__ALLOWED_ORIGINS", "http://localhost:4200,https://dev.example")]), "");
}

#[test]
fn each_wrong_value_is_named_by_its_key() {
    let faults = faults(&[
        ("BFF_WEB__SESSION__KEY", "short"),
        ("BFF_WEB__SESSION__IDLE_TIMEOUT_MS", "90000000"),
        ("BFF_WEB__SESSION__COOKIE_NAME", "__Host-mine"),
        ("BFF_WEB__SESSION__COOKIE_SAME_SITE", "none"),
        ("BFF_WEB__OIDC__SCOPES", "profile,email"),
        ("BFF_WEB__OIDC__ISSUER", "localhost:9000"),
        ("BFF_WEB__SESSION__MAX_LOGINS", "0"),
        ("BFF_WEB__SESSION__PREVIOUS_KEYS", "a-key-that-is-long-enough-0123456789abcdef,tiny"),
        ("BFF_WEB__SESSION__REFRESH_LEASE_MS", "1"),
        ("BFF_WEB__REDIS__URL", "https://redis.example"),
        ("BFF_WEB__REDIS__KEY_PREFIX", "{x}"),
        ("BFF_WEB__OIDC__CLIENT_AUTHENTICATION", "private_key_jwt"),
        ("BFF_WEB__OIDC__CLIENT_KEY", "no key at all"),
    ]);
    for key in [
        "session.key",
        "session.idle_timeout_ms",
        "session.cookie_name",
        "session.cookie_same_site",
        "session.max_logins",
        "session.previous_keys",
        "session.refresh_lease_ms",
        "redis.url",
        "redis.key_prefix",
        "oidc.client_key",
        "oidc.scopes",
        "oidc.issuer",
    ] {
        assert!(faults.contains(&format!("  {key}: ")), "{key} is not in:\n{faults}");
    }
    for secret in ["short", "tiny", "redis.example", "no key at all"] {
        assert!(!faults.contains(secret), "{faults}");
    }
}

/// Shows: W5
#[test]
fn redis_is_reached_over_tls_in_production_unless_that_is_said_to_be_needless() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("a path");
    let production = [
        ("BFF_WEB__ENVIRONMENT", "production"),
        ("BFF_WEB__SERVER__PUBLIC_ORIGIN", "https://shop.example"),
        ("BFF_WEB__MANAGEMENT__OPERATOR_TOKEN", "an operator's token of our own"),
        ("BFF_WEB__OIDC__ISSUER", "https://id.example"),
        ("BFF_WEB__OIDC__CLIENT_SECRET", "correct horse battery staple"),
        ("BFF_WEB__SESSION__KEY", "0f6f1c3b5a7d9e8c2b4a6d8f0e1c3b5a7d9e8c2b"),
        ("BFF_WEB__SESSION__STORE", "redis"),
    ];
    for (more, wrong) in [
        (&[("BFF_WEB__REDIS__URL", "redis://:pass-word@redis:6379/0")][..], Some("redis.url")),
        (
            &[("BFF_WEB__REDIS__URL", "redis://:pass-word@redis:6379/0"), ("BFF_WEB__REDIS__ALLOW_PLAINTEXT", "true")],
            None,
        ),
        (&[("BFF_WEB__REDIS__URL", "rediss://:pass-word@redis:6379/0")], None),
        (&[("BFF_WEB__REDIS__URL", "redis://127.0.0.1:6379/0")], None),
        (&[("BFF_WEB__REDIS__URL", "redis://[::1]:6379/0")], None),
        (&[("BFF_WEB__REDIS__URL", "unix:///run/redis.sock")], None),
        (&[("BFF_WEB__REDIS__URL", "rediss://redis:6379/0#insecure")], Some("redis.url")),
        (&[("BFF_WEB__REDIS__URL", "redis://localhost"), ("BFF_WEB__REDIS__CA_FILE", path)], Some("redis.ca_file")),
        (&[("BFF_WEB__REDIS__URL", "rediss://redis"), ("BFF_WEB__REDIS__CA_FILE", path)], Some("redis.ca_file")),
        (&[("BFF_WEB__REDIS__URL", "rediss://redis"), ("BFF_WEB__REDIS__CA_FILE", "/nowhere")], Some("redis.ca_file")),
    ] {
        let faults = faults(&[&production[..], more].concat());
        match wrong {
            Some(key) => assert!(faults.contains(&format!("  {key}: ")), "{more:?}: {faults}"),
            None => assert_eq!(faults, "", "{more:?}"),
        }
        assert!(!faults.contains("pass-word"), "{faults}");
    }
}
