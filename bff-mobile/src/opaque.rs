//! Tokens that say where an app goes on from: the number of an event, a place in a list.
//!
//! They are opaque so that the numbers in them can change their meaning, and bound to what they were made for (a
//! subject, the filters of a list), so that a token of another login or another list is noticed. They are not signed:
//! whoever forges one reaches a place in a list of his own, which he could also reach honestly. So they need no key,
//! and a token of one replica is good at every other.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// The version of the layout; a token of another is not understood.
const VERSION: u8 = 1;
/// How much of the hash of what it is bound to stands in a token, in bytes. It notices mistakes, it stops nobody.
const BINDING: usize = 8;
const LENGTH: usize = 1 + BINDING + 8;

/// Why a token is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpaqueError {
    /// It was never made here.
    #[error("it is not a token of this service")]
    Malformed,
    /// It was made for something else, or by another version.
    #[error("it was made for something else")]
    Foreign,
}

/// Makes a token for `value`, bound to `purpose` and `bound_to`.
#[must_use]
pub fn encode(purpose: &str, bound_to: &[&str], value: u64) -> String {
    let mut bytes = [0; LENGTH];
    bytes[0] = VERSION;
    bytes[1..=BINDING].copy_from_slice(&binding(purpose, bound_to));
    bytes[1 + BINDING..].copy_from_slice(&value.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a token.
///
/// # Errors
/// [`OpaqueError`].
pub fn decode(purpose: &str, bound_to: &[&str], token: &str) -> Result<u64, OpaqueError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| OpaqueError::Malformed)?;
    let bytes: [u8; LENGTH] = bytes.try_into().map_err(|_| OpaqueError::Malformed)?;
    if bytes[0] != VERSION || bytes[1..=BINDING] != binding(purpose, bound_to) {
        return Err(OpaqueError::Foreign);
    }
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[1 + BINDING..]);
    Ok(u64::from_be_bytes(value))
}

fn binding(purpose: &str, bound_to: &[&str]) -> [u8; BINDING] {
    let mut digest = Sha256::new();
    for part in std::iter::once(&purpose).chain(bound_to) {
        // Lengths first, so that no two lists of parts read the same.
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut binding = [0; BINDING];
    binding.copy_from_slice(&digest.finalize()[..BINDING]);
    binding
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: M6
    #[test]
    fn a_token_is_read_by_whom_it_was_made_for_and_by_nobody_else() {
        let token = encode("sync", &["alice"], 42);
        assert_eq!(decode("sync", &["alice"], &token), Ok(42));
        assert_eq!(decode("sync", &["bob"], &token), Err(OpaqueError::Foreign));
        assert_eq!(decode("feed", &["alice"], &token), Err(OpaqueError::Foreign));
        assert_eq!(decode("sync", &["al", "ice"], &token), Err(OpaqueError::Foreign));
        assert!(!token.contains("42") && !token.contains("alice"));
    }

    /// Shows: M6
    #[test]
    fn what_was_never_made_here_is_malformed() {
        for token in ["", "42", "!", "AAAA", &"A".repeat(500)] {
            assert_eq!(decode("sync", &[], token), Err(OpaqueError::Malformed), "{token:.20}");
        }
    }
}
