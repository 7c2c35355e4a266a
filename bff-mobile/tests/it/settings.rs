//! What the settings refuse.

use bff_mobile::settings::MobileSettings;
use shared_lib::settings::{Sources, load};

fn faults(variables: &[(&str, &str)]) -> String {
    let env = variables.iter().map(|&(name, value)| (format!("BFF_MOBILE__{name}"), value.to_owned())).collect();
    match load::<MobileSettings>(&Sources { file: None, env }) {
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
    for key in ["server.public_origin", "jwt.issuer", "oidc.client_secret", "management.operator_token"] {
        assert!(faults.contains(key), "{key} is not among\n{faults}");
    }
    assert!(!faults.contains("dev-only-bff-mobile-secret"), "a secret is never shown");
}

#[test]
fn production_accepts_a_whole_set_of_safe_settings() {
    let variables = [
        ("ENVIRONMENT", "production"),
        ("SERVER__PUBLIC_ORIGIN", "https://mobile.example.com"),
        ("JWT__ISSUER", "https://id.example.com"),
        ("OIDC__CLIENT_SECRET", "a secret of our own"),
        ("MANAGEMENT__OPERATOR_TOKEN", "an operator's own token"),
    ];
    assert_eq!(faults(&variables), "");
}

/// Shows: M1
#[test]
fn the_clocks_may_not_be_more_than_a_minute_apart() {
    assert_eq!(faults(&[("JWT__CLOCK_SKEW_MS", "60000")]), "");
    assert!(faults(&[("JWT__CLOCK_SKEW_MS", "60001")]).contains("jwt.clock_skew_ms: must be from 0 to 60000"));
}

#[test]
fn another_issuer_than_the_providers_needs_the_address_of_its_keys() {
    let other = ("OIDC__ISSUER", "https://other.example.com");
    assert!(faults(&[other]).contains("jwt.jwks_url"));
    assert_eq!(faults(&[other, ("JWT__JWKS_URL", "https://id.example.com/jwks")]), "");
}

#[test]
fn an_unknown_profile_is_answered_with_the_known_ones() {
    let faults = faults(&[("JWT__PROFILE", "keycloak")]);
    assert!(faults.contains("rfc9068") && faults.contains("unmarked"), "{faults}");
}
