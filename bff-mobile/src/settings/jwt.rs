//! `[jwt]`: which access tokens are accepted.

use std::time::Duration;

use serde::Deserialize;
use shared_lib::{
    clock::Clock,
    jwt::{AccessTokenSettings, BelievedTokens, MAX_CLOCK_SKEW, Profile},
    settings::{Findings, key},
};
use url::Url;

use super::is_issuer;

/// The longest lifetime that can be allowed: a day.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// The most tokens that can be kept: a gigabyte of them.
const MAX_CACHED: u64 = 1_000_000;

/// How the issuer marks its access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JwtProfile {
    /// As RFC 9068 says: `typ` is `at+jwt`.
    Rfc9068,
    /// Not at all, as Keycloak by default; what is known of ID tokens and the like is still refused.
    Unmarked,
}

/// Which access tokens are accepted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtSettings {
    /// The issuer, compared exactly with the claim `iss`.
    pub issuer: String,
    /// What must be among the audiences of a token.
    pub audience: String,
    /// Where the issuer's keys are; absent: where its metadata says.
    pub jwks_url: Option<Url>,
    /// How the issuer marks its access tokens.
    pub profile: JwtProfile,
    /// How far the issuer's clock and ours may be apart, at most 60 s.
    pub clock_skew_ms: u64,
    /// The longest lifetime of a token, at most a day.
    pub max_lifetime_ms: u64,
    /// How many tokens that were believed are kept; 0: none.
    pub cache_max_tokens: u64,
    /// How long one of them is believed without another look.
    pub cache_max_age_ms: u64,
}

impl JwtSettings {
    /// What the verifier is told.
    #[must_use]
    pub fn rules(&self) -> AccessTokenSettings {
        AccessTokenSettings {
            profile: match self.profile {
                JwtProfile::Rfc9068 => Profile::Rfc9068,
                JwtProfile::Unmarked => Profile::Unmarked,
            },
            clock_skew: Duration::from_millis(self.clock_skew_ms),
            max_lifetime: Duration::from_millis(self.max_lifetime_ms),
            ..AccessTokenSettings::new(&self.issuer, &self.audience)
        }
    }

    /// What keeps tokens that were believed, where it is wanted.
    #[must_use]
    pub fn believed(&self, clock: &Clock) -> Option<BelievedTokens> {
        let max_age = Duration::from_millis(self.cache_max_age_ms);
        (self.cache_max_tokens > 0).then(|| BelievedTokens::new(self.cache_max_tokens, max_age, clock.clone()))
    }

    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let issuer = "must be the issuer's identifier exactly as its tokens have it, such as https://id.example.com";
        findings.require(is_issuer(&self.issuer), key(prefix, "issuer"), issuer);
        findings.require(!self.audience.is_empty(), key(prefix, "audience"), "must not be empty");
        let is_http = self.jwks_url.as_ref().is_none_or(|url| matches!(url.scheme(), "http" | "https"));
        findings.require(is_http, key(prefix, "jwks_url"), "must be an http or https address");
        let (skew, lifetime) = (MAX_CLOCK_SKEW.as_millis(), MAX_LIFETIME.as_millis());
        findings.require(
            u128::from(self.clock_skew_ms) <= skew,
            key(prefix, "clock_skew_ms"),
            format!("must be from 0 to {skew}"),
        );
        findings.require(
            (1..=lifetime).contains(&u128::from(self.max_lifetime_ms)),
            key(prefix, "max_lifetime_ms"),
            format!("must be from 1 to {lifetime}"),
        );
        let few = self.cache_max_tokens <= MAX_CACHED;
        findings.require(few, key(prefix, "cache_max_tokens"), format!("must be from 0 to {MAX_CACHED}"));
        let short = (1..=300_000).contains(&self.cache_max_age_ms);
        findings.require(short, key(prefix, "cache_max_age_ms"), "must be from 1 to 300000");
    }

    /// Checks what production asks for on top.
    pub fn audit_production(&self, prefix: &str, findings: &mut Findings) {
        let message = "must be https in production";
        findings.require(self.issuer.starts_with("https://"), key(prefix, "issuer"), message);
        let is_https = self.jwks_url.as_ref().is_none_or(|url| url.scheme() == "https");
        findings.require(is_https, key(prefix, "jwks_url"), message);
    }
}
