//! The handle on running telemetry: change the log level, and send what is left before the process ends.

use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::{EnvFilter, Registry, reload};

use super::root_span;

/// Why a log level was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LogLevelError {
    /// The text is neither a level nor directives.
    #[error("not a log level; expected error, warn, info, debug, trace, off or directives such as `info,h2=warn`")]
    Syntax(#[source] ParseError),
    /// Logging has been taken down.
    #[error("the log level can no longer be changed")]
    Gone(#[source] reload::Error),
}

/// Cheap to clone; all clones mean the same telemetry.
#[derive(Debug, Clone)]
pub struct TelemetryGuard {
    pub(super) provider: Option<SdkTracerProvider>,
    pub(super) filter: reload::Handle<EnvFilter, Registry>,
    pub(super) level: Arc<RwLock<String>>,
    pub(super) export_timeout: Duration,
}

impl TelemetryGuard {
    /// Logs by these directives from now on, such as `debug` or `info,shared_lib::downstream=trace`.
    ///
    /// # Errors
    /// [`LogLevelError`]; the level is then unchanged.
    pub fn set_log_level(&self, directives: &str) -> Result<(), LogLevelError> {
        let filter = log_filter(directives).map_err(LogLevelError::Syntax)?;
        self.filter.reload(filter).map_err(LogLevelError::Gone)?;
        *self.level.write().unwrap_or_else(PoisonError::into_inner) = directives.to_owned();
        Ok(())
    }

    /// The directives in force.
    pub fn log_level(&self) -> String {
        self.level.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends the spans that are left and stops exporting. Takes no longer than `export_timeout_ms`, also when the
    /// collector is down; what could not be sent by then is lost, and that is logged.
    ///
    /// On a thread of its own, because the SDK blocks: on the runtime it would stop the exporter that it waits for,
    /// and a blocking task of the runtime would hold up the runtime's end.
    pub async fn shutdown(&self) {
        let Some(provider) = self.provider.clone() else { return };
        let (done, outcome) = tokio::sync::oneshot::channel();
        let timeout = self.export_timeout;
        let thread = std::thread::Builder::new().name("telemetry-shutdown".to_owned());
        let spawned = thread.spawn(move || done.send(provider.shutdown_with_timeout(timeout)));
        if let Err(error) = spawned {
            tracing::warn!(%error, "the last spans could not be sent");
            return;
        }
        match tokio::time::timeout(timeout, outcome).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last spans could not be sent"),
            Ok(Err(_)) | Err(_) => {
                let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(timeout_ms, "the last spans could not be sent in time");
            }
        }
    }
}

/// What is logged. Request spans always pass: they carry the request id of whatever is logged within them, and spans
/// are no lines themselves.
pub(super) fn log_filter(directives: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(format!("{directives},{}=info", root_span::TARGET))
}
