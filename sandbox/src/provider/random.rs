//! Unguessable values and comparisons that take the same time whatever is compared.

use aws_lc_rs::{constant_time, digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ProviderError;

/// A random value of `BYTES` bytes in base64url.
///
/// # Errors
/// When the operating system gives no random bytes.
pub(crate) fn token<const BYTES: usize>() -> Result<String, ProviderError> {
    let mut bytes = [0_u8; BYTES];
    rand::fill(&mut bytes).map_err(|_| ProviderError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// SHA-256 in base64url, as PKCE's S256, `ath` and `at_hash` use it.
pub(crate) fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

/// The left half of SHA-256 in base64url: `at_hash` (OpenID Connect Core 3.1.3.6).
pub(crate) fn half_sha256(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}

/// Whether two secrets are equal, in a time that does not depend on where they differ.
pub(crate) fn same_secret(left: &str, right: &str) -> bool {
    // Hashes have equal lengths, so not even the length of the secret shows in the time.
    let left = digest::digest(&digest::SHA256, left.as_bytes());
    let right = digest::digest(&digest::SHA256, right.as_bytes());
    constant_time::verify_slices_are_equal(left.as_ref(), right.as_ref()).is_ok()
}
