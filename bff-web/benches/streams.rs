//! What 10,000 streams cost one process, how fast the end of a session closes its streams on another replica, and what a
//! reader that stops reading does to the others.
//!
//! The real binary runs as a process of its own; its memory and its time on the CPU are read from `/proc`. The notification
//! service, the clients and Redis are other processes, on the same machine. Sessions are put into Redis as the service
//! would have put them, because the demo provider knows two users only.
//!
//! Run with `make bench-streams`. It takes five minutes, prints the tables of docs/STREAMS.md, and fails when a bound
//! does not hold. `make bench-streams PART=stopped` runs one part: `idle`, `logout` or `stopped`.

#[path = "streams/client.rs"]
mod client;
#[path = "../tests/it/harness/event_reader.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod event_reader;
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
#[path = "streams/stopped.rs"]
mod stopped;

use std::{process::ExitCode, time::Duration};

/// How long something is waited for that has no bound of its own.
const PATIENCE: Duration = Duration::from_secs(60);

/// The parts, in their order.
const PARTS: [&str; 3] = ["idle", "logout", "stopped"];

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
    // Cargo adds an option of its own.
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let Some(unknown) = chosen.iter().find(|part| !PARTS.contains(&part.as_str())) {
        println!("there is no part {unknown}; there are {}", PARTS.join(", "));
        return ExitCode::FAILURE;
    }
    let findings = actix_web::rt::System::new().block_on(async {
        let mut findings = Vec::new();
        for part in PARTS.into_iter().filter(|part| chosen.is_empty() || chosen.iter().any(|chosen| chosen == part)) {
            findings.extend(match part {
                "idle" => idle::measure().await,
                "logout" => logout::measure().await,
                _ => stopped::measure().await,
            });
        }
        findings
    });
    println!("\n| what | measured | bound | holds |\n|---|---|---|---|");
    for finding in &findings {
        let (holds, Finding { what, measured, bound, unit }) = (finding.holds(), finding);
        println!("| {what} | {measured:.1} {unit} | {bound} {unit} | {} |", if holds { "yes" } else { "NO" });
    }
    if findings.iter().all(Finding::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
