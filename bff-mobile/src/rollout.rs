//! What can change while the service runs: the oldest version of the app that is served, and feature flags.
//!
//! They stand in a file of their own, which is looked at again from time to time: when a request comes and the last
//! look is `poll_interval_ms` old by the injected clock. So nothing runs in the background, and a look costs one
//! `stat`. A file that has become unreadable or wrong changes nothing but the log: what was read last stays in force.

mod file;
mod version;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use actix_web::http::{StatusCode, header::HeaderMap};
use shared_lib::{
    clock::Clock,
    problem::{FieldError, Problem, ProblemKind},
};

pub use self::{
    file::{MinimumVersion, RolloutError, Rules},
    version::{AppVersion, NotAVersion},
};
use crate::{services::devices::Platform, settings::RolloutSettings};

/// The header by which an app says what it is: `ios/3.2.1`.
pub const APP_VERSION: &str = "x-app-version";

/// Forbidden: this version of the app is no longer served. (426 is for protocols: it must carry `Upgrade`, which
/// HTTP/2 forbids.)
pub static APP_OUTDATED: ProblemKind = ProblemKind {
    code: "app-outdated",
    status: StatusCode::FORBIDDEN,
    title: "This version of the app is no longer served",
    remedy: "Send the user to `storeUrl`.",
};

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[&APP_OUTDATED];

/// The rules in force. Cheap to clone; all clones share them.
#[derive(Clone)]
pub struct Rollout(Arc<Shared>);

struct Shared {
    path: Option<PathBuf>,
    poll_interval: Duration,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    rules: Arc<Rules>,
    looked_at: Instant,
    seen: Option<Stamp>,
}

/// By what a change of the file is noticed.
type Stamp = (SystemTime, u64);

impl Rollout {
    /// Reads the file, where there is one.
    ///
    /// # Errors
    /// When it cannot be read: a service does not start on rules that it does not understand.
    pub fn new(settings: &RolloutSettings, clock: Clock) -> Result<Self, RolloutError> {
        let path = settings.file.as_ref().map(PathBuf::from);
        let seen = path.as_ref().and_then(stamp);
        let rules = path.as_ref().map(Rules::read).transpose()?.unwrap_or_default();
        let state = State { rules: Arc::new(rules), looked_at: clock.now(), seen };
        let poll_interval = Duration::from_millis(settings.poll_interval_ms);
        Ok(Self(Arc::new(Shared { path, poll_interval, clock, state: Mutex::new(state) })))
    }

    /// The rules in force now.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        let shared = &*self.0;
        // Nothing panics while it is held, and each change leaves it whole.
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = shared.clock.now();
        if let Some(path) = &shared.path
            && now.saturating_duration_since(state.looked_at) >= shared.poll_interval
        {
            state.looked_at = now;
            let stamp = stamp(path);
            if stamp != state.seen {
                state.seen = stamp;
                match Rules::read(path) {
                    Ok(rules) => {
                        state.rules = Arc::new(rules);
                        tracing::info!(file = %path.display(), "minimum versions and flags were read anew");
                    }
                    Err(error) => tracing::error!(
                        file = %path.display(),
                        error = &error as &dyn std::error::Error,
                        "minimum versions and flags could not be read; those that were read last stay in force"
                    ),
                }
            }
        }
        Arc::clone(&state.rules)
    }

    /// Checks the version of the app that makes a request.
    ///
    /// # Errors
    /// [`APP_OUTDATED`]; `validation-failed` for a header that cannot be read, or is missing where it is required.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let rules = self.rules();
        let wrong = |detail: &str| Problem::validation(&[FieldError::header("X-App-Version", detail)]);
        let Some(value) = headers.get(APP_VERSION) else {
            return if rules.version_required { Err(wrong("is required")) } else { Ok(()) };
        };
        let expected = "must be a platform and a version, such as ios/3.2.1";
        let (platform, version) =
            value.to_str().ok().and_then(|text| text.split_once('/')).ok_or_else(|| wrong(expected))?;
        let platform = match platform {
            "ios" => Platform::Ios,
            "android" => Platform::Android,
            _ => return Err(wrong(expected)),
        };
        let version: AppVersion = version.parse().map_err(|_| wrong(expected))?;
        match rules.minimum(platform) {
            Some(minimum) if version < minimum.version => Err(Problem::new(&APP_OUTDATED)
                .detail(format!("Version {} or newer is served.", minimum.version))
                .extension("minimumVersion", minimum.version.to_string())
                .extension("storeUrl", minimum.store_url.as_str())),
            _ => Ok(()),
        }
    }
}

fn stamp(path: &PathBuf) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
