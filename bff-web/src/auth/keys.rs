//! The configured keys, and from each one key for each purpose (HKDF, RFC 5869), so that what was made for one purpose is of
//! no use for another.

use hkdf::Hkdf;
use sha2::Sha256;
use shared_lib::settings::Secret;

use crate::settings::SessionSettings;

/// A key that is longer than can be derived.
#[derive(Debug, thiserror::Error)]
#[error("a key of {0} bytes cannot be derived")]
pub(super) struct KeyLengthError(usize);

/// The configured keys: the present one, which seals, and those that it replaced, which still open.
pub(super) struct Keys(Vec<Secret>);

impl Keys {
    /// From `[session] key` and `previous_keys`.
    pub(super) fn new(settings: &SessionSettings) -> Self {
        Self(std::iter::once(settings.key.clone()).chain(settings.former_keys()).collect())
    }

    /// The keys for a purpose, the present one first.
    ///
    /// # Errors
    /// [`KeyLengthError`] for one of more than 8160 bytes (RFC 5869 section 2.3).
    pub(super) fn derive<const N: usize>(&self, purpose: &str) -> Result<Vec<[u8; N]>, KeyLengthError> {
        self.expand(None, purpose)
    }

    /// The keys for a purpose that come of the configured ones and this one together: neither is of use alone.
    ///
    /// # Errors
    /// As [`derive`](Self::derive).
    pub(super) fn derive_with<const N: usize>(
        &self,
        other: &[u8],
        purpose: &str,
    ) -> Result<Vec<[u8; N]>, KeyLengthError> {
        self.expand(Some(other), purpose)
    }

    fn expand<const N: usize>(&self, salt: Option<&[u8]>, purpose: &str) -> Result<Vec<[u8; N]>, KeyLengthError> {
        let info = format!("trifront bff-web {purpose}");
        let derive = |key: &Secret| {
            let mut derived = [0; N];
            let expanded = Hkdf::<Sha256>::new(salt, key.expose().as_bytes()).expand(info.as_bytes(), &mut derived);
            expanded.map(|()| derived).map_err(|_| KeyLengthError(N))
        };
        self.0.iter().map(derive).collect()
    }
}
