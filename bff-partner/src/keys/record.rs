//! What is known of a key.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::format::{PresentedKey, SecretHash};

/// The longest name of a partner, in bytes. The services take 64, and a test environment adds its suffix.
const MAX_PARTNER_BYTES: usize = 32;
const MAX_SCOPE_BYTES: usize = 64;

/// Whether a key is for real business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyEnvironment {
    /// Real orders.
    Live,
    /// Orders that nobody ships.
    Test,
}

impl KeyEnvironment {
    /// `live` or `test`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for KeyEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyEnvironment {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        match text {
            "live" => Ok(Self::Live),
            "test" => Ok(Self::Test),
            _ => Err(RecordError::Environment),
        }
    }
}

/// What cannot be part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Neither live nor test.
    #[error("the environment must be live or test")]
    Environment,
    /// The partner's name would not fit in a header or be mistaken for another's.
    #[error("a partner's name must be 1 to 32 characters of a-z, 0-9 and -, and not begin or end with -")]
    Partner,
    /// Not a scope, or none.
    #[error("scopes must be known ones, such as products:read, and at least one")]
    Scope,
    /// No such plan is configured.
    #[error("the plan must be one of [plans] in the settings")]
    Plan,
    /// Not a network.
    #[error("a network must be like 203.0.113.0/24 or 2001:db8::/32")]
    Network,
    /// What is stored is not what was stored.
    #[error("the record is damaged")]
    Damaged,
}

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It opens doors.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Revoked,
}

/// What is known of a key; not the key.
#[derive(Clone)]
pub struct KeyRecord {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub partner: String,
    /// Live or test.
    pub environment: KeyEnvironment,
    /// The name of the plan whose limits it has.
    pub plan: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Where it may be used from; empty: anywhere.
    pub networks: Vec<IpNet>,
    /// The hash of its secret.
    pub secret_hash: SecretHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When somebody ended it.
    pub revoked_at: Option<Timestamp>,
    /// The key that takes its place.
    pub replaced_by: Option<String>,
}

impl KeyRecord {
    /// Where it is in its life at this moment.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyState::Expired
        } else {
            KeyState::Active
        }
    }

    /// What is remembered of an id that the store does not have. No key opens anything with it, since it ended before it
    /// began and nothing hashes to its hash; it is checked by the same steps as every other.
    #[must_use]
    pub fn nobodys(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            partner: String::new(),
            environment: KeyEnvironment::Test,
            plan: String::new(),
            scopes: Vec::new(),
            networks: Vec::new(),
            secret_hash: SecretHash::OF_NOTHING,
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            revoked_at: Some(Timestamp::UNIX_EPOCH),
            replaced_by: None,
        }
    }

    /// Whether the presented key is this one and in force. Everything is looked at whatever the outcome, so that the time
    /// does not tell why a key was refused.
    #[must_use]
    pub fn accepts(&self, presented: &PresentedKey, now: Timestamp) -> bool {
        let secret = self.secret_hash.is(&presented.hash);
        let revoked = self.revoked_at.is_some();
        let expired = self.expires_at.is_some_and(|end| end <= now);
        let environment = self.environment == presented.environment;
        secret & !revoked & !expired & environment
    }

    /// Whether it may be used from this address.
    #[must_use]
    pub fn allows(&self, address: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || address.is_some_and(|address| self.networks.iter().any(|network| network.contains(&address)))
    }

    /// The name under which the services know the key's owner. A partner's test orders are those of another partner, so
    /// no service has to know of environments; no partner's name has the line in it.
    #[must_use]
    pub fn owner(&self) -> String {
        match self.environment {
            KeyEnvironment::Live => self.partner.clone(),
            KeyEnvironment::Test => format!("{}_test", self.partner),
        }
    }
}

/// Whether a partner can have this name.
#[must_use]
pub fn is_partner_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_PARTNER_BYTES).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Whether a scope can have this name.
#[must_use]
pub fn is_scope(scope: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b':' | b'-' | b'_' | b'.');
    (1..=MAX_SCOPE_BYTES).contains(&scope.len()) && scope.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use shared_lib::{clock::Clock, settings::Secret};

    use super::*;
    use crate::keys::format::KeyFormat;

    fn record(format: &KeyFormat, environment: KeyEnvironment) -> (KeyRecord, PresentedKey) {
        let made = format.mint(environment);
        let presented = format.read(made.key.expose()).expect("well-formed");
        let record = KeyRecord {
            id: made.id,
            partner: "acme".to_owned(),
            environment,
            plan: "free".to_owned(),
            scopes: vec!["products:read".to_owned()],
            networks: Vec::new(),
            secret_hash: made.hash,
            created_at: Clock::manual().0.wall(),
            expires_at: None,
            revoked_at: None,
            replaced_by: None,
        };
        (record, presented)
    }

    /// Shows: P1, P2
    #[test]
    fn only_the_right_secret_of_an_active_key_of_its_environment_is_accepted() {
        let (format, now) = (KeyFormat::new(&Secret::from("checksums")), Clock::manual().0.wall());
        let (good, presented) = record(&format, KeyEnvironment::Live);
        assert!(good.accepts(&presented, now));
        let (other, _) = record(&format, KeyEnvironment::Live);
        let refused = [
            KeyRecord::nobodys(&good.id),
            KeyRecord { secret_hash: other.secret_hash, ..good.clone() },
            KeyRecord { secret_hash: SecretHash::OF_NOTHING, ..good.clone() },
            KeyRecord { revoked_at: Some(now), ..good.clone() },
            KeyRecord { expires_at: Some(now), ..good.clone() },
            KeyRecord { environment: KeyEnvironment::Test, ..good.clone() },
        ];
        for record in refused {
            assert!(!record.accepts(&presented, now));
        }
        let lasting = KeyRecord { expires_at: now.checked_add(std::time::Duration::from_millis(1)).ok(), ..good };
        assert!(lasting.accepts(&presented, now));
    }

    /// Shows: P1
    #[test]
    fn a_key_with_networks_is_for_them_alone() {
        let (record, _) = record(&KeyFormat::new(&Secret::from("checksums")), KeyEnvironment::Live);
        let address = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
        assert!(record.allows(None) && record.allows(address("192.0.2.1")));
        let networks = ["203.0.113.0/24", "2001:db8::/32"].map(|text| text.parse().expect("a network"));
        let record = KeyRecord { networks: networks.to_vec(), ..record };
        assert!(record.allows(address("203.0.113.9")) && record.allows(address("2001:db8::1")));
        assert!(!record.allows(address("203.0.114.9")) && !record.allows(None));
    }

    #[test]
    fn no_partner_can_take_the_name_of_anothers_test_environment() {
        let (test, _) = record(&KeyFormat::new(&Secret::from("checksums")), KeyEnvironment::Test);
        assert!(!is_partner_name(&test.owner()));
        for name in ["", "-a", "a-", "A", "a_b", "a b", "ä", &"x".repeat(33)] {
            assert!(!is_partner_name(name), "{name:?}");
        }
        assert!(is_partner_name("acme-2"));
    }
}
