//! The public keys of one issuer, for the whole process.
//!
//! What is kept serves for as long as the issuer cannot be asked: losing the provider must not log everybody out. While
//! it can be asked, keys are refreshed on a schedule, so that a key which it withdrew is soon forgotten here.
//!
//! A token that names an unknown key is the usual first sign of a rotation, so the keys are fetched at once. But anyone
//! can write a name into a header; so only one such fetch is granted per cool-down, whatever came of it, unless it
//! found the key: then the name was true, and the next rotation shall not have to wait. Fetches on the schedule do not
//! count, or a schedule could hide a rotation.
//!
//! This file decides; [`Keys`](super::Keys) fetches.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::watch;

use super::{Algorithm, TokenError, jwk::PublicKey};
use crate::clock::Clock;

/// How keys are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySetSettings {
    /// How old the keys may get before they are fetched again in the background.
    pub refresh_after: Duration,
    /// The least time between two fetches that unknown keys cause, and between two attempts while the issuer is away.
    pub cool_down: Duration,
    /// How many keys are kept; further ones of the document are ignored.
    pub max_keys: usize,
}

impl Default for KeySetSettings {
    fn default() -> Self {
        Self { refresh_after: Duration::from_secs(300), cool_down: Duration::from_secs(5), max_keys: 64 }
    }
}

/// What can be said about a key set to an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySetStatus {
    /// How many keys are kept.
    pub keys: usize,
    /// How long ago they were fetched; `None` if never.
    pub age: Option<Duration>,
    /// Whether the last fetch failed, so that what is kept may be stale.
    pub last_fetch_failed: bool,
}

/// The keys of one issuer. Cheap to clone; all clones share them.
#[derive(Debug, Clone)]
pub struct KeySet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: KeySetSettings,
    clock: Clock,
    state: Mutex<State>,
    /// Changes whenever a fetch ends, well or badly.
    fetches_ended: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    keys: Vec<Arc<PublicKey>>,
    fetched_at: Option<Instant>,
    attempted_at: Option<Instant>,
    last_fetch_failed: bool,
    in_flight: bool,
    /// When an unknown key last caused a fetch.
    unknown_at: Option<Instant>,
}

/// What a token asks the set for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) key_id: Option<String>,
    pub(super) algorithm: Algorithm,
}

/// Whether an unknown key may cause a fetch now.
pub(super) enum Grant {
    /// It may, and this is the right to it.
    Fetch(FetchTicket),
    /// One is under way; its end is worth waiting for.
    UnderWay,
    /// Not before the cool-down is over.
    CoolingDown,
}

impl KeySet {
    /// An empty set. Nothing is fetched before a [`Keys`](super::Keys) is used.
    #[must_use]
    pub fn new(settings: KeySetSettings, clock: Clock) -> Self {
        // Named, because a process into which two back ends are compiled has no default one. An error means that one
        // is installed already, which is as good.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let state = Mutex::new(State::default());
        Self(Arc::new(Shared { settings, clock, state, fetches_ended: watch::Sender::new(0) }))
    }

    /// What there is to say about it.
    #[must_use]
    pub fn status(&self) -> KeySetStatus {
        let now = self.0.clock.now();
        let state = self.state();
        KeySetStatus {
            keys: state.keys.len(),
            age: state.fetched_at.map(|at| now.saturating_duration_since(at)),
            last_fetch_failed: state.last_fetch_failed,
        }
    }

    /// The key of this name that verifies this algorithm. A token without a name has a key only where exactly one
    /// fits, because trying them all would let a token choose.
    pub(super) fn find(&self, wanted: &Wanted) -> Option<Arc<PublicKey>> {
        find(&self.state().keys, wanted)
    }

    /// Why a key that is not there is not there.
    pub(super) fn absence(&self) -> TokenError {
        let state = self.state();
        let unreachable = state.last_fetch_failed || state.fetched_at.is_none();
        if unreachable { TokenError::KeysUnavailable } else { TokenError::UnknownKey }
    }

    /// Asks for the right to fetch because a key is unknown.
    pub(super) fn grant_for_unknown(&self, wanted: &Wanted) -> Grant {
        let now = self.0.clock.now();
        let mut state = self.state();
        if state.in_flight {
            return Grant::UnderWay;
        }
        if state.unknown_at.is_some_and(|at| now.saturating_duration_since(at) < self.0.settings.cool_down) {
            return Grant::CoolingDown;
        }
        state.unknown_at = Some(now);
        Grant::Fetch(self.ticket(&mut state, now, Some(wanted.clone())))
    }

    /// Asks for the right to fetch because the keys are old, or were never fetched.
    pub(super) fn grant_for_schedule(&self) -> Option<FetchTicket> {
        let now = self.0.clock.now();
        let mut state = self.state();
        let past = |at: Option<Instant>, age| at.is_none_or(|at| now.saturating_duration_since(at) >= age);
        let due = !state.in_flight
            && past(state.fetched_at, self.0.settings.refresh_after)
            && past(state.attempted_at, self.0.settings.cool_down);
        due.then(|| self.ticket(&mut state, now, None))
    }

    /// Tells when a fetch ends after this call.
    pub(super) fn fetches_ended(&self) -> watch::Receiver<u64> {
        self.0.fetches_ended.subscribe()
    }

    pub(super) fn settings(&self) -> &KeySetSettings {
        &self.0.settings
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn ticket(&self, state: &mut State, now: Instant, wanted: Option<Wanted>) -> FetchTicket {
        state.in_flight = true;
        state.attempted_at = Some(now);
        FetchTicket { set: self.clone(), wanted, keys: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, and a half-written state cannot exist.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(keys: &[Arc<PublicKey>], wanted: &Wanted) -> Option<Arc<PublicKey>> {
    let mut fitting = keys.iter().filter(|key| key.allows(wanted.algorithm));
    match &wanted.key_id {
        Some(id) => fitting.find(|key| key.key_id() == Some(id)).cloned(),
        None => match (fitting.next(), fitting.next()) {
            (Some(only), None) => Some(Arc::clone(only)),
            _ => None,
        },
    }
}

/// The right to one fetch. However it ends, also when the fetch is dropped half-way, others are told and may ask again.
pub(super) struct FetchTicket {
    set: KeySet,
    wanted: Option<Wanted>,
    keys: Option<Vec<Arc<PublicKey>>>,
}

impl FetchTicket {
    /// Takes what was fetched: a key that is no good is left out, so that it cannot keep the good ones away.
    pub(super) fn fulfil(mut self, document: &[Value]) {
        let max = self.set.0.settings.max_keys;
        let mut keys = Vec::new();
        for (index, jwk) in document.iter().enumerate() {
            match PublicKey::from_jwk(jwk) {
                Ok(_) if keys.len() >= max => {
                    tracing::warn!(max, offered = document.len(), "the issuer has more keys than are kept");
                    break;
                }
                Ok(key) => keys.push(Arc::new(key)),
                Err(error) => tracing::debug!(index, %error, "a key of the issuer is not used"),
            }
        }
        if keys.is_empty() {
            tracing::warn!(offered = document.len(), "the issuer has no key that can be used");
        }
        self.keys = Some(keys);
    }
}

impl Drop for FetchTicket {
    fn drop(&mut self) {
        let now = self.set.0.clock.now();
        let mut state = self.set.state();
        state.in_flight = false;
        state.last_fetch_failed = self.keys.is_none();
        if let Some(keys) = self.keys.take() {
            // The name that caused this fetch was true, so the next unknown name deserves a fetch at once.
            if self.wanted.as_ref().is_some_and(|wanted| find(&keys, wanted).is_some()) {
                state.unknown_at = None;
            }
            state.keys = keys;
            state.fetched_at = Some(now);
        }
        drop(state);
        self.set.0.fetches_ended.send_modify(|count| *count = count.wrapping_add(1));
    }
}
