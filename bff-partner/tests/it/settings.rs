//! What the settings refuse.

use bff_partner::settings::PartnerSettings;
use shared_lib::settings::{Sources, load};

fn faults(variables: &[(&str, &str)]) -> String {
    let env = variables.iter().map(|&(name, value)| (format!("BFF_PARTNER__{name}"), value.to_owned())).collect();
    match load::<PartnerSettings>(&Sources { file: None, env }) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_built_in_defaults_are_valid() {
    assert_eq!(faults(&[]), "");
}

#[test]
fn production_refuses_what_is_for_development() {
    let faults = faults(&[("ENVIRONMENT", "production")]);
    let keys =
        ["server.public_origin", "oidc.issuer", "oidc.client_secret", "keys.checksum_key", "management.operator_token"];
    for key in keys {
        assert!(faults.contains(key), "{key} is not among\n{faults}");
    }
    assert!(!faults.contains("dev-only-bff-partner"), "a secret is never shown");
}

#[test]
fn production_accepts_a_whole_set_of_safe_settings() {
    let variables = [
        ("ENVIRONMENT", "production"),
        ("SERVER__PUBLIC_ORIGIN", "https://partner.example.com"),
        ("OIDC__ISSUER", "https://id.example.com"),
        ("OIDC__CLIENT_SECRET", "a secret of our own"),
        ("KEYS__CHECKSUM_KEY", "a checksum key that is long enough"),
        ("MANAGEMENT__OPERATOR_TOKEN", "an operator's own token"),
    ];
    assert_eq!(faults(&variables), "");
}

/// Shows: P2
#[test]
fn production_reaches_postgresql_over_a_network_only_when_it_looks_who_that_is() {
    let base = [
        ("ENVIRONMENT", "production"),
        ("SERVER__PUBLIC_ORIGIN", "https://partner.example.com"),
        ("OIDC__ISSUER", "https://id.example.com"),
        ("OIDC__CLIENT_SECRET", "a secret of our own"),
        ("KEYS__CHECKSUM_KEY", "a checksum key that is long enough"),
        ("MANAGEMENT__OPERATOR_TOKEN", "an operator's own token"),
    ];
    let with = |url: &str, allowed: &str| {
        let own = [("KEYS__DATABASE_URL", url), ("KEYS__ALLOW_UNVERIFIED_DATABASE", allowed)];
        faults(&[base.as_slice(), own.as_slice()].concat())
    };
    for unsafe_mode in
        ["", "?sslmode=disable", "?sslmode=allow", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-ca"]
    {
        let url = format!("postgres://u:not-shown@db.example.com/x{unsafe_mode}");
        let refused = with(&url, "false");
        assert!(refused.contains("keys.database_url: does not look at who the server is"), "{unsafe_mode}: {refused}");
        assert!(!refused.contains("not-shown"), "a secret is never shown");
        assert_eq!(with(&url, "true"), "", "{unsafe_mode}");
    }
    for safe in [
        "postgres://u:p@db.example.com/x?sslmode=verify-full",
        "postgres://u:p@localhost/x?sslmode=disable",
        "postgres://u:p@127.0.0.1/x",
        "postgres://u:p@[::1]/x",
        "postgres:///x?host=/run/postgresql",
    ] {
        assert_eq!(with(safe, "false"), "", "{safe}");
    }
    let elsewhere = with("postgres://u:p@localhost/x?host=db.example.com", "false");
    assert!(elsewhere.contains("keys.database_url"), "what is connected to counts: {elsewhere}");
    let unknown = faults(&[("KEYS__DATABASE_URL", "postgres://u:p@db.example.com/x?sslmode=verify_full")]);
    assert!(unknown.contains("keys.database_url: has a part that cannot be read"), "{unknown}");
}

/// Shows: P4
#[test]
fn a_plan_whose_numbers_make_no_promise_is_refused() {
    for (variable, value, message) in [
        (
            "PLANS__FREE__BURST__AT_ONCE",
            "21",
            "plans.free.burst: what is admitted at once must not be more than the quota",
        ),
        ("PLANS__FREE__BURST__WINDOW_S", "0", "plans.free.burst: the window must be whole seconds"),
        ("PLANS__FREE__BURST__QUOTA", "0", "plans.free.burst.quota"),
        ("PLANS__FREE__BURST__AT_ONCE", "4", "plans.free.burst.at_once: must be at least 5"),
        ("KEYS__DATABASE_URL", "mysql://x", "keys.database_url"),
        ("KEYS__FRESH_MS", "60001", "keys.fresh_ms: must be from 0 to 60000"),
        ("KEYS__KEEP_MS", "499", "keys.keep_ms"),
        ("KEYS__CHECKSUM_KEY", "short", "keys.checksum_key"),
    ] {
        let faults = faults(&[(variable, value)]);
        assert!(faults.contains(message), "{variable}={value}: {faults}");
    }
}
