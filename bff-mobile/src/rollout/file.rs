//! The file of minimum versions and flags (TOML).
//!
//! ```toml
//! version_required = false
//!
//! [minimum_version.ios]
//! version = "3.2.0"
//! store_url = "https://apps.apple.com/app/id1234567890"
//!
//! [flags]
//! newCheckout = true
//! ```

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::Deserialize;
use url::Url;

use super::AppVersion;
use crate::services::devices::Platform;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// What the file says; nothing is demanded and no flag is set by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Whether an app that does not say its version is refused.
    pub version_required: bool,
    minimum_version: MinimumVersions,
    /// The flags by name.
    pub flags: BTreeMap<String, bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MinimumVersions {
    ios: Option<MinimumVersion>,
    android: Option<MinimumVersion>,
}

/// The oldest version that is served on a platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinimumVersion {
    /// The version.
    pub version: AppVersion,
    /// Where users of older ones get a newer one.
    pub store_url: Url,
}

/// Why the file is not followed.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// It cannot be read.
    #[error("the file of minimum versions and flags cannot be read")]
    Unreadable(#[source] io::Error),
    /// It is larger than any that makes sense.
    #[error("the file of minimum versions and flags has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// It says something wrong.
    #[error("the file of minimum versions and flags is wrong")]
    Wrong(#[source] Box<toml::de::Error>),
}

impl Rules {
    /// Reads a file. It is small and local, so this does not leave the thread.
    ///
    /// # Errors
    /// [`RolloutError`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, RolloutError> {
        let path = path.as_ref();
        if fs::metadata(path).map_err(RolloutError::Unreadable)?.len() > MAX_BYTES {
            return Err(RolloutError::TooLarge);
        }
        let text = fs::read_to_string(path).map_err(RolloutError::Unreadable)?;
        toml::from_str(&text).map_err(|error| RolloutError::Wrong(Box::new(error)))
    }

    /// The oldest version that is served on this platform.
    #[must_use]
    pub fn minimum(&self, platform: Platform) -> Option<&MinimumVersion> {
        match platform {
            Platform::Ios => self.minimum_version.ios.as_ref(),
            Platform::Android => self.minimum_version.android.as_ref(),
        }
    }
}
