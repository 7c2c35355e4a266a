//! Versions of apps: one to four numbers, compared as numbers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de};

/// A version such as `3.2.1`. What is left out counts as 0, and a build or pre-release mark (`-beta`, `+42`) is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppVersion([u32; 4]);

/// A text that is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a version such as 3.2.1")]
pub struct NotAVersion;

impl FromStr for AppVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let mut version = [0; 4];
        let mut places = version.iter_mut();
        for number in numbers.split('.') {
            let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let place = places.next().filter(|_| plain).ok_or(NotAVersion)?;
            *place = number.parse().map_err(|_| NotAVersion)?;
        }
        Ok(Self(version))
    }
}

impl fmt::Display for AppVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, build] = self.0;
        write!(f, "{major}.{minor}.{patch}")?;
        if build == 0 { Ok(()) } else { write!(f, ".{build}") }
    }
}

impl<'de> Deserialize<'de> for AppVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> AppVersion {
        text.parse().expect("a version")
    }

    /// Shows: M7
    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(version("3.10.0") > version("3.9.9"));
        assert!(version("10") > version("9.9.9.9"));
        assert_eq!(version("3.2"), version("3.2.0"));
        assert_eq!(version("3.2.1-beta.2"), version("3.2.1+42"));
        assert_eq!(version("3.2").to_string(), "3.2.0");
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", ".", "3.", "v3", "3.2.1.0.0", "3,2", "-1", "4294967296", "3 "] {
            assert_eq!(text.parse::<AppVersion>(), Err(NotAVersion), "{text:?}");
        }
    }
}
