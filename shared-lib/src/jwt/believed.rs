//! Access tokens that were believed a moment ago, so that an app that asks several times in a row has its token checked
//! once. Optional: a signature costs tens of microseconds, and a busy service can save most of them.
//!
//! A token is found by its SHA-256, so a dump of the memory gives none away, and only tokens whose signature held are
//! kept, so nobody can fill it with made-up ones. What is kept serves no longer than `max_age` and never past the token's
//! own end, without the allowance for clocks that a fresh check makes. So a key that the issuer has withdrawn is
//! believed for at most `max_age` longer.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::AccessTokenClaims;
use crate::clock::Clock;

/// Tokens that were believed. Cheap to clone; all clones share them, over all threads.
#[derive(Clone)]
pub struct BelievedTokens {
    tokens: Cache<[u8; 32], Arc<Believed>>,
    max_age: Duration,
    clock: Clock,
}

struct Believed {
    claims: AccessTokenClaims,
    until: Timestamp,
}

impl BelievedTokens {
    /// At most so many tokens, each for so long.
    #[must_use]
    pub fn new(max_tokens: u64, max_age: Duration, clock: Clock) -> Self {
        Self { tokens: Cache::new(max_tokens), max_age, clock }
    }

    /// The claims of a token that can still be believed without another look.
    pub(super) fn find(&self, token: &str) -> Option<AccessTokenClaims> {
        let name = name(token);
        let believed = self.tokens.get(&name)?;
        if self.clock.wall() < believed.until {
            return Some(believed.claims.clone());
        }
        self.tokens.invalidate(&name);
        None
    }

    /// Keeps what was just believed.
    pub(super) fn keep(&self, token: &str, claims: &AccessTokenClaims) {
        let now = self.clock.wall();
        let until = now.checked_add(self.max_age).map_or(claims.expires_at, |end| end.min(claims.expires_at));
        if now < until {
            self.tokens.insert(name(token), Arc::new(Believed { claims: claims.clone(), until }));
        }
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.tokens.run_pending_tasks();
        self.tokens.entry_count()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn name(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
