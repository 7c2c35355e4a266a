//! Versions of an API side by side: what an old one says about its end, and who still calls it.
//!
//! An old version is deprecated from a day on (`Deprecation`, RFC 9745), stops answering on another (`Sunset`, RFC 8594),
//! and names what to read (`Link` with `rel="deprecation"` and `rel="successor-version"`). Where the settings say so, it
//! answers 410 from its last day on. Each call is counted by the version of the app that makes it
//! (`trifront.api.version.requests`), so that a team sees when nobody is left; unless a service knows better who calls, and
//! [counts by itself](Lifecycle::counted_elsewhere).

mod app_versions;
mod middleware;

use std::{sync::Arc, time::SystemTime};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use jiff::Timestamp;
use opentelemetry::{KeyValue, global, metrics::Counter};
use serde::Deserialize;

use crate::{
    clock::Clock,
    settings::{Findings, key},
};

use app_versions::AppVersions;
pub use app_versions::{APP_VERSION_HEADER, MAX_APP_VERSIONS};
pub use middleware::{Versioned, VersionedService};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The settings of one old version. Without any of them it is like a current one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VersionSettings {
    /// Since when it is deprecated (RFC 3339). It may lie ahead.
    pub deprecated_at: Option<Timestamp>,
    /// From when on it may stop answering (RFC 3339).
    pub sunset_at: Option<Timestamp>,
    /// Where it is written how to move on: an address or a path.
    pub documentation: Option<String>,
    /// The path prefix of the version to move to.
    pub successor: Option<String>,
    /// Whether it answers 410 from `sunset_at` on.
    pub gone_after_sunset: bool,
}

impl VersionSettings {
    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        if let (Some(deprecated), Some(sunset)) = (self.deprecated_at, self.sunset_at) {
            // RFC 9745 section 4.
            findings.require(sunset >= deprecated, key(prefix, "sunset_at"), "must not be before deprecated_at");
        }
        findings.require(
            !self.gone_after_sunset || self.sunset_at.is_some(),
            key(prefix, "gone_after_sunset"),
            "needs sunset_at",
        );
        for (name, target) in [("documentation", &self.documentation), ("successor", &self.successor)] {
            let is_target = target.as_ref().is_none_or(|target| {
                !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(&byte))
            });
            findings.require(is_target, key(prefix, name), "must be an address or a path");
        }
    }
}

/// One old version as the process serves it. Cheap to clone; crosses threads.
#[derive(Debug, Clone)]
pub struct Lifecycle(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    version: &'static str,
    headers: Vec<(HeaderName, HeaderValue)>,
    gone_at: Option<Timestamp>,
    clock: Clock,
    /// None: somebody else counts.
    counted: Option<(AppVersions, Counter<u64>)>,
}

impl Lifecycle {
    /// The version of this name, such as `v1`, whose calls are counted by the version of the app.
    #[must_use]
    pub fn new(version: &'static str, settings: &VersionSettings, clock: Clock) -> Self {
        let calls = global::meter("trifront")
            .u64_counter("trifront.api.version.requests")
            .with_description("Calls of an old version of the API, by the version of the app that makes them")
            .build();
        Self::with(version, settings, clock, Some((AppVersions::default(), calls)))
    }

    /// The version of this name, whose calls are not counted here.
    #[must_use]
    pub fn counted_elsewhere(version: &'static str, settings: &VersionSettings, clock: Clock) -> Self {
        Self::with(version, settings, clock, None)
    }

    fn with(
        version: &'static str,
        settings: &VersionSettings,
        clock: Clock,
        counted: Option<(AppVersions, Counter<u64>)>,
    ) -> Self {
        let gone_at = settings.sunset_at.filter(|_| settings.gone_after_sunset);
        Self(Arc::new(Parts { version, headers: headers(settings), gone_at, clock, counted }))
    }

    /// Whether its last day has come.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.gone_at.is_some_and(|gone_at| self.0.clock.wall() >= gone_at)
    }

    /// Counts a call.
    fn count(&self, request: &HeaderMap) {
        let Some((app_versions, calls)) = &self.0.counted else { return };
        let app_version = app_versions.label(request);
        calls.add(1, &[KeyValue::new("api.version", self.0.version), KeyValue::new("app.version", app_version)]);
    }

    fn complete(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0.headers {
            // A list has links of its own, which stay.
            headers.append(name.clone(), value.clone());
        }
    }
}

fn headers(settings: &VersionSettings) -> Vec<(HeaderName, HeaderValue)> {
    let deprecation = settings.deprecated_at.map(|at| (DEPRECATION, format!("@{}", at.as_second())));
    let sunset = settings.sunset_at.map(|at| (SUNSET, httpdate::fmt_http_date(SystemTime::from(at))));
    let targets = [(&settings.documentation, "deprecation"), (&settings.successor, "successor-version")];
    let links =
        targets.iter().filter_map(|(target, relation)| Some(format!("<{}>; rel=\"{relation}\"", target.as_ref()?)));
    let links = links.collect::<Vec<_>>().join(", ");
    let link = (!links.is_empty()).then_some((LINK, links));
    [deprecation, sunset, link]
        .into_iter()
        .flatten()
    // The audit has found that these are values of headers.
    .filter_map(|(name, text)| Some((name, HeaderValue::try_from(text).ok()?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> VersionSettings {
        VersionSettings {
            deprecated_at: Some("2026-06-01T00:00:00Z".parse().expect("a time")),
            sunset_at: Some("2027-06-01T00:00:00Z".parse().expect("a time")),
            documentation: Some("/docs/v2".to_owned()),
            successor: Some("/api/v2".to_owned()),
            gone_after_sunset: true,
        }
    }

    /// Shows: P7
    #[test]
    fn the_end_is_said_as_the_rfcs_write_it() {
        let said: Vec<_> = headers(&settings())
            .into_iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("")))
            .collect();
        assert_eq!(
            said,
            [
                "deprecation: @1780272000",
                "sunset: Tue, 01 Jun 2027 00:00:00 GMT",
                "link: </docs/v2>; rel=\"deprecation\", </api/v2>; rel=\"successor-version\"",
            ]
        );
        assert_eq!(headers(&VersionSettings::default()), []);
    }

    /// Shows: P7
    #[test]
    fn a_version_is_gone_from_its_last_day_on_if_that_was_configured() {
        let at = |time: &str, settings: &VersionSettings| {
            let (clock, _) = Clock::manual_at(time.parse().expect("a time"));
            Lifecycle::new("v1", settings, clock).is_gone()
        };
        assert!(!at("2027-05-31T23:59:59Z", &settings()));
        assert!(at("2027-06-01T00:00:00Z", &settings()));
        let stays = VersionSettings { gone_after_sunset: false, ..settings() };
        assert!(!at("2030-01-01T00:00:00Z", &stays));
    }

    /// Shows: P7
    #[test]
    fn an_end_before_the_deprecation_is_found() {
        let mut findings = Findings::default();
        let wrong = VersionSettings { sunset_at: Some("2026-05-01T00:00:00Z".parse().expect("a time")), ..settings() };
        wrong.audit("api_v1", &mut findings);
        assert!(findings.to_string().contains("api_v1.sunset_at"), "{findings}");
    }
}
