//! The versions of apps as labels of a metric: few, whatever clients send.

use actix_web::http::header::{HeaderMap, HeaderName};

use crate::telemetry::FewLabels;

/// The header in which an app says its version, such as `5.12.3`.
pub const APP_VERSION_HEADER: HeaderName = HeaderName::from_static("x-app-version");

/// Different versions that a process counts apart; calls of further ones are counted together, as `other`.
pub const MAX_APP_VERSIONS: usize = 50;

/// The most digits of a number in a version.
const MAX_DIGITS: usize = 4;

#[derive(Debug)]
pub(super) struct AppVersions(FewLabels);

impl Default for AppVersions {
    fn default() -> Self {
        Self(FewLabels::new(MAX_APP_VERSIONS))
    }
}

impl AppVersions {
    /// `major.minor`; `unknown` for a client that says nothing or nonsense, `other` beyond the bound.
    pub(super) fn label(&self, headers: &HeaderMap) -> String {
        let said = headers.get(APP_VERSION_HEADER).and_then(|value| value.to_str().ok());
        said.and_then(shortened).map_or_else(|| "unknown".to_owned(), |version| self.0.of(&version))
    }
}

/// The first two numbers of a version.
fn shortened(text: &str) -> Option<String> {
    let mut numbers = text.split('.');
    let (major, minor) = (numbers.next()?, numbers.next().unwrap_or("0"));
    let is_number =
        |text: &str| (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(major) && is_number(minor)).then(|| format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(version: &str) -> HeaderMap {
        [(APP_VERSION_HEADER, HeaderValue::from_str(version).expect("a value"))].into_iter().collect()
    }

    #[test]
    fn a_version_is_its_first_two_numbers() {
        let versions = AppVersions::default();
        for (said, expected) in [
            ("5.12.3", "5.12"),
            ("5.12", "5.12"),
            ("5", "5.0"),
            ("5.12-beta", "unknown"),
            ("", "unknown"),
            ("99999.1", "unknown"),
            ("1.2; drop", "unknown"),
        ] {
            assert_eq!(versions.label(&headers(said)), expected, "{said}");
        }
        assert_eq!(versions.label(&HeaderMap::new()), "unknown");
    }

    /// Shows: S8
    #[test]
    fn however_many_versions_there_are_the_labels_are_few() {
        let versions = AppVersions::default();
        let labels: BTreeSet<String> =
            (0..10_000).map(|number| versions.label(&headers(&format!("{}.{}", number / 100, number % 100)))).collect();
        assert_eq!(labels.len(), MAX_APP_VERSIONS + 1);
        assert!(labels.contains("other"));
        assert_eq!(versions.label(&headers("0.7.1")), "0.7", "those that were first stay apart");
    }
}
