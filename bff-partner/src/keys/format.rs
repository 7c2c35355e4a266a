//! How a key looks: `tfp_live_<id>_<secret><checksum>`.
//!
//! | piece | length | what it is |
//! |---|---|---|
//! | `tfp_live_`, `tfp_test_` | 9 | makes a leaked key findable for secret scanners: `tfp_(live\|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{51}` |
//! | id | 12 | names the key in the store and in logs; no secret |
//! | secret | 43 | 256 bits: 43 digits of base 62 from the system's generator |
//! | checksum | 8 | HMAC-SHA-256 over everything before it, cut to 8 digits of base 62 (47 bits) |
//!
//! The checksum is keyed, so without the service's key nobody can make up a key that costs more than one HMAC.
//!
//! Stored is the SHA-256 of the secret. A slow hash such as argon2 buys time against guessing what people choose; 256
//! random bits cannot be guessed at any speed, and a slow hash on every request would be a gift to whoever floods us.

use std::fmt;

use hmac::{Hmac, Mac};
use rand::{Rng, distr::Alphanumeric};
use sha2::{Digest, Sha256};
use shared_lib::settings::Secret;
use subtle::ConstantTimeEq;

use super::record::KeyEnvironment;

const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 8;
/// `tfp_live_`, the id and the `_` after it.
const SECRET_AT: usize = 9 + ID_LENGTH + 1;
const KEY_LENGTH: usize = SECRET_AT + SECRET_LENGTH + CHECKSUM_LENGTH;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What is stored of a secret: its SHA-256.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

/// Makes keys and reads them.
#[derive(Clone)]
pub struct KeyFormat {
    checksum: Hmac<Sha256>,
}

/// A key that has just been made. This is the only moment at which the whole of it is known.
pub struct NewSecret {
    /// The key's id.
    pub id: String,
    /// The whole key, for its owner.
    pub key: Secret,
    /// What is stored.
    pub hash: SecretHash,
}

/// A key as a request showed it: well-formed, with a right checksum, and otherwise unproven.
pub struct PresentedKey {
    /// The id that it names.
    pub id: String,
    /// The environment that it claims.
    pub environment: KeyEnvironment,
    /// The hash of its secret.
    pub hash: SecretHash,
}

impl KeyFormat {
    /// The format with this key for the checksum.
    #[must_use]
    pub fn new(checksum_key: &Secret) -> Self {
        // HMAC takes keys of any length (RFC 2104 section 2): a long one is hashed first, which cannot fail.
        let checksum = Hmac::new_from_slice(checksum_key.expose().as_bytes());
        Self { checksum: checksum.unwrap_or_else(|_| unreachable!("HMAC takes keys of any length")) }
    }

    /// A new key.
    #[must_use]
    pub fn mint(&self, environment: KeyEnvironment) -> NewSecret {
        let id = random_digits(ID_LENGTH);
        let secret = random_digits(SECRET_LENGTH);
        let mut key = format!("tfp_{environment}_{id}_{secret}");
        let checksum = self.checksum(&key);
        key.push_str(&checksum);
        NewSecret { id, hash: SecretHash::of(&secret), key: Secret::from(key) }
    }

    /// Reads a key. `None` for whatever did not come from [`mint`](Self::mint) with the same checksum key.
    #[must_use]
    pub fn read(&self, key: &str) -> Option<PresentedKey> {
        if key.len() != KEY_LENGTH || !key.is_ascii() {
            return None;
        }
        let environment = match key.get(..9)? {
            "tfp_live_" => KeyEnvironment::Live,
            "tfp_test_" => KeyEnvironment::Test,
            _ => return None,
        };
        let (unsigned, checksum) = key.split_at(KEY_LENGTH - CHECKSUM_LENGTH);
        let right: bool = self.checksum(unsigned).as_bytes().ct_eq(checksum.as_bytes()).into();
        let (id, secret) = (&key[9..9 + ID_LENGTH], &unsigned[SECRET_AT..]);
        right.then(|| PresentedKey { id: id.to_owned(), environment, hash: SecretHash::of(secret) })
    }

    fn checksum(&self, unsigned: &str) -> String {
        let tag = self.checksum.clone().chain_update(unsigned).finalize().into_bytes();
        let mut number = tag.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let mut digits = String::with_capacity(CHECKSUM_LENGTH);
        for _ in 0..CHECKSUM_LENGTH {
            digits.push(char::from(DIGITS[(number % 62) as usize]));
            number /= 62;
        }
        digits
    }
}

/// From the thread's generator, which is cryptographic and seeded by the system.
fn random_digits(count: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(count).map(char::from).collect()
}

impl SecretHash {
    /// Of no secret; what a key is compared with that is not in the store, so that it costs the same.
    pub const OF_NOTHING: Self = Self([0; 32]);

    fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Compares in a time that does not depend on where the two differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Reads what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes: Vec<u8> = (0..text.len())
            .step_by(2)
            .map(|at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect::<Option<_>>()?;
        bytes.try_into().ok().map(Self)
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn format() -> KeyFormat {
        KeyFormat::new(&Secret::from("a key for checksums"))
    }

    /// Shows: P1
    #[test]
    fn a_key_that_was_made_can_be_read_and_has_the_published_pattern() {
        for environment in [KeyEnvironment::Live, KeyEnvironment::Test] {
            let made = format().mint(environment);
            let key = made.key.expose();
            let pieces: Vec<_> = key.split('_').collect();
            assert_eq!((pieces.len(), pieces[0], pieces[1]), (4, "tfp", environment.as_str()));
            assert_eq!((pieces[2].len(), pieces[3].len()), (12, 51));
            assert!(pieces[2..].iter().all(|piece| piece.bytes().all(|byte| byte.is_ascii_alphanumeric())));
            let read = format().read(key).expect("it was made so");
            assert_eq!((read.id, read.environment), (made.id, environment));
            assert!(read.hash.is(&made.hash));
        }
    }

    /// Shows: P1, P2
    #[test]
    fn whatever_is_changed_in_a_key_the_checksum_notices() {
        let made = format().mint(KeyEnvironment::Test);
        let key = made.key.expose();
        for at in 0..key.len() {
            for replacement in ["0", "z", "_", " ", "\u{0}"] {
                let mut changed = key.to_owned();
                changed.replace_range(at..=at, replacement);
                assert!(changed == key || format().read(&changed).is_none(), "{at} {replacement:?}");
            }
        }
        for wrong in ["", "tfp_test_", &key[1..], &format!("{key}0"), &key.replace("test", "live"), "ä"] {
            assert!(format().read(wrong).is_none());
        }
        assert!(KeyFormat::new(&Secret::from("another")).read(key).is_none());
    }

    #[test]
    fn no_two_keys_are_alike_and_every_digit_occurs() {
        let keys: HashSet<_> =
            (0..500).map(|_| format().mint(KeyEnvironment::Live).key.expose()[9..].to_owned()).collect();
        assert_eq!(keys.len(), 500);
        let digits: HashSet<_> = keys.iter().flat_map(|key| key.bytes()).collect();
        assert_eq!(digits.len(), 63, "62 digits and the line between");
    }

    #[test]
    fn a_hash_is_written_and_read() {
        let hash = SecretHash::of("x");
        assert!(SecretHash::from_hex(&hash.to_string()).is_some_and(|read| read.is(&hash)));
        for wrong in ["", "00", "zz", &"0".repeat(63), &"g".repeat(64), "é"] {
            assert!(SecretHash::from_hex(wrong).is_none(), "{wrong}");
        }
    }
}
