//! Telemetry for tests. A process has one subscriber and tests run side by side in it, so they share one set-up and
//! tell their spans apart by the trace id that each sends in its `traceparent`.

use std::future::pending;
use std::sync::OnceLock;

use tracing_subscriber::fmt::{TestWriter, writer::BoxMakeWriter};

use super::otel_variables::OtelVariables;
use super::{ServiceIdentity, TelemetryGuard, install};
use crate::settings::{ContinuedTraces, LogFormat, TelemetrySettings};
use crate::testing::otlp::OtlpReceiver;

const EXPORT_INTERVAL_MS: u64 = 20;

/// What tests share.
#[derive(Debug)]
pub struct TestTelemetry {
    /// Gets every span of the process.
    pub receiver: OtlpReceiver,
    /// The handle that a service would have. Do not shut it down: others share it.
    pub guard: TelemetryGuard,
}

/// The process's telemetry: sets it up at the first call. Every trace is recorded and sent to
/// [`TestTelemetry::receiver`]; logs go to the test's captured output; `OTEL_*` variables are not read.
///
/// # Panics
/// When another subscriber is already set up in the process, or no thread or socket can be had.
pub fn for_test() -> &'static TestTelemetry {
    static SHARED: OnceLock<TestTelemetry> = OnceLock::new();
    SHARED.get_or_init(|| {
        let receiver = OtlpReceiver::start();
        let settings = TelemetrySettings {
            log_format: LogFormat::Json,
            log_level: "info".to_owned(),
            service_name: None,
            otlp_endpoint: Some(receiver.endpoint()),
            continue_traces_of: ContinuedTraces::Everyone,
            trace_sample_ratio: 1.0,
            export_interval_ms: EXPORT_INTERVAL_MS,
            export_timeout_ms: 5_000,
        };
        TestTelemetry { receiver, guard: on_own_runtime(settings) }
    })
}

/// The runtime of a test ends with the test; the exporter's must not.
fn on_own_runtime(settings: TelemetrySettings) -> TelemetryGuard {
    let (ready, guard) = std::sync::mpsc::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let identity = ServiceIdentity { name: "test", version: "0.0.0" };
            let writer = BoxMakeWriter::new(TestWriter::new);
            let guard = install(&settings, identity, &OtelVariables::default(), writer, false);
            ready.send(guard.expect("no other subscriber in a test process")).expect("the caller waits");
            pending::<()>().await;
        });
    };
    std::thread::Builder::new().name("test-telemetry".to_owned()).spawn(work).expect("a thread");
    guard.recv().expect("telemetry for tests")
}
