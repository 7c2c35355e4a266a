//! One configured key, and from it one key for each purpose (HKDF, RFC 5869), so that what was made for one purpose is of
//! no use for another.

use hkdf::Hkdf;
use sha2::Sha256;
use shared_lib::settings::Secret;

/// A key that is longer than can be derived.
#[derive(Debug, thiserror::Error)]
#[error("a key of {0} bytes cannot be derived")]
pub(super) struct KeyLengthError(usize);

/// The configured key.
pub(super) struct Keys(Hkdf<Sha256>);

impl Keys {
    /// From `[session] key`.
    pub(super) fn new(key: &Secret) -> Self {
        Self(Hkdf::new(None, key.expose().as_bytes()))
    }

    /// The key for a purpose.
    ///
    /// # Errors
    /// [`KeyLengthError`] for one of more than 8160 bytes (RFC 5869 section 2.3).
    pub(super) fn derive<const N: usize>(&self, purpose: &str) -> Result<[u8; N], KeyLengthError> {
        let mut key = [0; N];
        let expanded = self.0.expand(format!("trifront bff-web {purpose}").as_bytes(), &mut key);
        expanded.map(|()| key).map_err(|_| KeyLengthError(N))
    }
}
