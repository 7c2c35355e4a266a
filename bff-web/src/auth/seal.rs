//! Values that leave this process and come back: encrypted, authenticated, bound to what they are for, and of limited life.
//!
//! XChaCha20-Poly1305: its 192-bit nonces may be drawn at random for as long as a key lives.

use std::{marker::PhantomData, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::random;

const NONCE_BYTES: usize = 24;

/// Encrypts with one key, and opens with that and with those that it replaced.
pub(super) struct Ciphers(Vec<XChaCha20Poly1305>);

impl Ciphers {
    /// With these keys, the present one first.
    pub(super) fn new(keys: &[[u8; 32]]) -> Self {
        Self(keys.iter().map(|key| XChaCha20Poly1305::new(key.into())).collect())
    }

    /// As base64url text that only [`open`](Self::open) with the same `context` reads.
    pub(super) fn seal(&self, message: &[u8], context: &[u8]) -> Option<String> {
        let nonce = random::bytes::<NONCE_BYTES>();
        let payload = Payload { msg: message, aad: context };
        let mut sealed = nonce.to_vec();
        sealed.extend(self.0.first()?.encrypt(XNonce::from_slice(&nonce), payload).ok()?);
        Some(BASE64_URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The message. `None` for what was not sealed with one of the keys, or for something else.
    pub(super) fn open(&self, text: &str, context: &[u8]) -> Option<Vec<u8>> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, message) = sealed.split_at_checked(NONCE_BYTES)?;
        self.0
            .iter()
            .find_map(|cipher| cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: message, aad: context }).ok())
    }
}

/// Seals values of one type.
pub(super) struct Seal<T> {
    ciphers: Ciphers,
    lifetime: Duration,
    of: PhantomData<fn(T) -> T>,
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    value: T,
    expires_at: Timestamp,
}

impl<T: Serialize + DeserializeOwned> Seal<T> {
    /// With these keys, the present one first, for values that are of use for `lifetime`.
    pub(super) fn new(keys: &[[u8; 32]], lifetime: Duration) -> Self {
        Self { ciphers: Ciphers::new(keys), lifetime, of: PhantomData }
    }

    /// How long a sealed value can be opened.
    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The value as base64url text that only [`open`](Self::open) with the same `context` can read. `None` when the value
    /// cannot be written as JSON.
    pub(super) fn seal(&self, value: T, context: &str, now: Timestamp) -> Option<String> {
        let expires_at = now.checked_add(self.lifetime).unwrap_or(Timestamp::MAX);
        let message = serde_json::to_vec(&Sealed { value, expires_at }).ok()?;
        self.ciphers.seal(&message, context.as_bytes())
    }

    /// The value and when it ends. `None` for what was not sealed here, for this context, or has expired.
    pub(super) fn open(&self, text: &str, context: &str, now: Timestamp) -> Option<(T, Timestamp)> {
        let message = self.ciphers.open(text, context.as_bytes())?;
        let Sealed { value, expires_at } = serde_json::from_slice(&message).ok()?;
        (now < expires_at).then_some((value, expires_at))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const NOON: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn seal() -> Seal<String> {
        Seal::new(&[[7; 32]], Duration::from_secs(60))
    }

    #[test]
    fn what_was_sealed_is_opened_in_the_same_context_until_it_expires() {
        let text = seal().seal("verifier".to_owned(), "login-1", NOON).expect("text can be sealed");
        assert!(!text.contains("verifier"));
        let at = |seconds| NOON + SignedDuration::from_secs(seconds);
        assert_eq!(seal().open(&text, "login-1", at(59)).map(|(value, _)| value).as_deref(), Some("verifier"));
        assert_eq!(seal().open(&text, "login-1", at(60)), None, "it has expired");
        assert_eq!(seal().open(&text, "login-2", NOON), None, "it is for something else");
    }

    #[test]
    fn what_was_changed_or_made_with_another_key_is_not_opened() {
        let text = seal().seal("verifier".to_owned(), "login-1", NOON).expect("text can be sealed");
        let other = Seal::<String>::new(&[[8; 32]], Duration::from_secs(60));
        assert_eq!(other.open(&text, "login-1", NOON), None);
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("it is ASCII");
            assert_eq!(seal().open(&changed, "login-1", NOON), None, "byte {place}");
        }
        for text in ["", "AA", "not base64!"] {
            assert_eq!(seal().open(text, "login-1", NOON), None, "{text}");
        }
    }

    /// Shows: W5
    #[test]
    fn what_a_former_key_sealed_still_opens_and_the_present_key_seals() {
        let old = seal().seal("verifier".to_owned(), "login-1", NOON).expect("text can be sealed");
        let rotated = Seal::<String>::new(&[[8; 32], [7; 32]], Duration::from_secs(60));
        assert!(rotated.open(&old, "login-1", NOON).is_some());
        let new = rotated.seal("verifier".to_owned(), "login-1", NOON).expect("text can be sealed");
        assert!(seal().open(&new, "login-1", NOON).is_none(), "sealed with the present key");
    }

    proptest::proptest! {
        /// Shows: W5
        #[test]
        fn what_was_not_sealed_here_is_not_opened(text in "\\PC{0,120}|[A-Za-z0-9_-]{0,200}") {
            proptest::prop_assert_eq!(seal().open(&text, "login-1", NOON), None);
        }
    }
}
