//! Unguessable texts.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// 256 random bits as base64url, 43 characters.
pub(crate) fn token() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// Random bytes of a cryptographically secure generator that the operating system seeds.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    rand::random()
}
