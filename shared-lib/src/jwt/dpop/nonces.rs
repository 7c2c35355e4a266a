//! Nonces that nobody has to remember: a period of time under a MAC (RFC 9449 section 8).

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::EncodingKey;
use rand::RngCore as _;

use super::is_same;
use crate::settings::Secret;

/// How old a nonce is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// Of the present period.
    Present,
    /// Of the period before, and still good.
    Last,
    /// Older, or never made with this key.
    Past,
}

/// Makes and recognizes nonces.
pub(super) struct Nonces {
    key: EncodingKey,
    period: i64,
}

impl Nonces {
    /// With this key, or one that is made now.
    pub(super) fn new(key: Option<&Secret>, period: Duration) -> Self {
        let key = match key {
            Some(key) => EncodingKey::from_secret(key.expose().as_bytes()),
            None => {
                let mut bytes = [0_u8; 32];
                rand::rng().fill_bytes(&mut bytes);
                EncodingKey::from_secret(&bytes)
            }
        };
        Self { key, period: i64::try_from(period.as_secs()).unwrap_or(i64::MAX).max(1) }
    }

    /// The nonce of the present period.
    pub(super) fn current(&self, now: Timestamp) -> String {
        self.of(now.as_second().div_euclid(self.period))
    }

    pub(super) fn age(&self, nonce: &str, now: Timestamp) -> Age {
        let period = now.as_second().div_euclid(self.period);
        if is_same(nonce, &self.of(period)) {
            Age::Present
        } else if is_same(nonce, &self.of(period.saturating_sub(1))) {
            Age::Last
        } else {
            Age::Past
        }
    }

    /// HMAC-SHA-256 in base64url. The library refuses nothing here; were it to, no nonce would ever be good.
    fn of(&self, period: i64) -> String {
        let message = format!("dpop nonce {period}");
        let algorithm = jsonwebtoken::Algorithm::HS256;
        jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, algorithm).unwrap_or_default()
    }
}
