//! What 10,000 streams cost one process, and how fast the end of a session closes its streams on another replica.
//!
//! The real binary runs as a process of its own; its memory and its time on the CPU are read from `/proc`. The notification
//! service, the clients and Redis are other processes, on the same machine. Sessions are put into Redis as the service
//! would have put them, because the demo provider knows two users only.
//!
//! Run with `make bench-streams`. It takes three minutes, prints the tables of docs/STREAMS.md, and fails when a bound
//! does not hold.

#[path = "streams/client.rs"]
mod client;
#[path = "streams/idle.rs"]
mod idle;
#[path = "streams/logout.rs"]
mod logout;
#[path = "../tests/it/harness/notification_service.rs"]
mod notification_service;
#[path = "streams/process.rs"]
mod process;
#[path = "streams/sessions.rs"]
mod sessions;

use std::{process::ExitCode, time::Duration};

/// A bound, and what was measured.
pub struct Finding {
    what: String,
    measured: f64,
    bound: f64,
    unit: &'static str,
}

impl Finding {
    /// `measured` must not be more than `bound`.
    pub fn new(what: impl Into<String>, measured: f64, bound: f64, unit: &'static str) -> Self {
        Self { what: what.into(), measured, bound, unit }
    }

    fn holds(&self) -> bool {
        self.measured <= self.bound
    }
}

/// Of the sorted durations the one below which this share lies, in milliseconds.
pub fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
    let place = (last as f64 * share).ceil() as usize;
    sorted.get(place).map_or(0.0, |duration| duration.as_secs_f64() * 1_000.0)
}

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
fn main() -> ExitCode {
    let findings = actix_web::rt::System::new().block_on(async {
        let mut findings = idle::measure().await;
        findings.extend(logout::measure().await);
        findings
    });
    println!("\n| what | measured | bound | holds |\n|---|---|---|---|");
    for finding in &findings {
        let (holds, Finding { what, measured, bound, unit }) = (finding.holds(), finding);
        println!("| {what} | {measured:.1} {unit} | {bound} {unit} | {} |", if holds { "yes" } else { "NO" });
    }
    if findings.iter().all(Finding::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
